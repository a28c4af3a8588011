from hypothesis import given, settings
from hypothesis import strategies as st

from hakobu.errors import Invalid
from hakobu.spec.resources import Cpu, DeviceRule, Memory, Resources, parse_resources

_number = st.none() | st.integers(-1, 2**62)
_natural = st.none() | st.integers(0, 2**32 - 1)
_rule = st.builds(
    DeviceRule,
    allow=st.booleans(),
    type=st.sampled_from(["a", "b", "c"]),
    major=_natural,
    minor=_natural,
    access=st.sampled_from(["r", "w", "m", "rw", "rm", "wm", "rwm"]),
)
_resources = st.builds(
    Resources,
    devices=st.lists(_rule, max_size=5).map(tuple),
    memory=st.builds(Memory, limit=_number, reservation=_number, swap=_number, disable_oom_killer=st.booleans()),
    cpu=st.builds(Cpu, shares=_natural, quota=_number, cpus=st.sampled_from(["", "0", "0-3,5"])),
    pids_limit=_number,
    unified=st.dictionaries(st.sampled_from(["memory.high", "cpu.weight"]), st.text(max_size=20)),
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["devices", "memory", "limit", "cpu", "cpus", "pids", "type", "blockIO", "unified"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(_resources)
def test_resources_survive_the_way_through_json(resources: Resources) -> None:
    assert parse_resources(resources.to_json()) == resources


@settings(max_examples=100, deadline=None)
@given(_json)
def test_any_json_is_parsed_or_refused_by_name(value: object) -> None:
    try:
        parse_resources(value)
    except Invalid as refusal:
        assert refusal.field.startswith("linux.resources")
