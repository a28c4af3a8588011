from typing import Any

import pytest

from hakobu.errors import Invalid
from hakobu.spec.resources import DEFAULT_DEVICE_RULES, Memory, Resources, parse_resources

FULL: dict[str, Any] = {
    "devices": [
        {"allow": False, "type": "a", "access": "rwm"},
        {"allow": True, "type": "c", "major": 1, "access": "r"},
    ],
    "memory": {"limit": 1 << 20, "swap": -1, "swappiness": 10, "disableOOMKiller": True},
    "cpu": {"shares": 512, "quota": 50000, "period": 100000, "cpus": "0-1", "mems": "0"},
    "pids": {"limit": 20},
    "blockIO": {"weight": 100, "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1024}]},
    "hugepageLimits": [{"pageSize": "2MB", "limit": 0}],
    "network": {"classID": 1, "priorities": [{"name": "eth0", "priority": 2}]},
    "rdma": {"mlx5_1": {"hcaHandles": 3}},
    "unified": {"memory.high": "1000"},
}


def test_what_was_parsed_is_written_again() -> None:
    parsed = parse_resources(FULL)
    assert parsed.to_json() == FULL
    assert parse_resources(parsed.to_json()) == parsed


def test_nothing_means_nothing() -> None:
    assert parse_resources(None) == Resources()
    assert Resources().to_json() == {}


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"memory": {"limit": "1"}}, "linux.resources.memory.limit"),
        ({"memory": {"limit": True}}, "linux.resources.memory.limit"),
        ({"memory": {"swappiness": 201}}, "linux.resources.memory.swappiness"),
        ({"pids": {"limit": 2**63}}, "linux.resources.pids.limit"),
        ({"pids": []}, "linux.resources.pids"),
        ({"devices": {}}, "linux.resources.devices"),
        ({"devices": [{"allow": True, "type": "x"}]}, "linux.resources.devices[0].type"),
        ({"devices": [{"allow": True, "access": "rwx"}]}, "linux.resources.devices[0].access"),
        ({"cpu": {"cpus": "0\n1"}}, "linux.resources.cpu.cpus"),
        ({"unified": {"../memory.max": "1"}}, "linux.resources.unified.../memory.max"),
        ({"unified": {"cgroup.procs": "1"}}, "linux.resources.unified.cgroup.procs"),
        (
            {"blockIO": {"throttleReadBpsDevice": [{"major": 8}]}},
            "linux.resources.blockIO.throttleReadBpsDevice[0].minor",
        ),
    ],
)
def test_a_bad_value_is_refused_by_its_name(value: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_resources(value)
    assert caught.value.field == field
    assert field in str(caught.value)


def test_the_default_device_rules_begin_with_a_refusal_of_everything() -> None:
    first = DEFAULT_DEVICE_RULES[0]
    assert (first.allow, first.type, first.access) == (False, "a", "rwm")
    assert parse_resources(Resources(devices=DEFAULT_DEVICE_RULES).to_json()).devices == DEFAULT_DEVICE_RULES


def test_values_are_immutable() -> None:
    with pytest.raises(AttributeError):
        Memory().limit = 1  # type: ignore[misc]
