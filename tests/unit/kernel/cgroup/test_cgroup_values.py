"""What needs no kernel: conversions, device rules, detection, and v2 on a tree of plain files."""

from pathlib import Path

import pytest

from hakobu.kernel import mountinfo
from hakobu.kernel.cgroup import convert, detect, device, open_tree
from hakobu.kernel.cgroup.interface import IoEntry, MissingController
from hakobu.kernel.cgroup.layout import Layout
from hakobu.spec.resources import (
    DEFAULT_DEVICE_RULES,
    BlockIO,
    Cpu,
    DeviceRule,
    Memory,
    Resources,
    ThrottleDevice,
)


@pytest.mark.parametrize(("shares", "weight"), [(0, 0), (1, 1), (2, 1), (1024, 100), (262144, 10000), (10**9, 10000)])
def test_shares_become_a_weight(shares: int, weight: int) -> None:
    assert convert.cpu_weight(shares) == weight


def test_weights_rise_with_shares() -> None:
    weights = [convert.cpu_weight(2**n) for n in range(1, 19)]
    assert weights == sorted(weights)


@pytest.mark.parametrize(("weight", "expected"), [(0, 0), (10, 1), (500, 4950), (1000, 10000)])
def test_block_weights(weight: int, expected: int) -> None:
    assert convert.io_weight(weight) == expected


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (Memory(), None),
        (Memory(limit=10, swap=-1), "max"),
        (Memory(limit=10, swap=30), "20"),
        (Memory(limit=10, swap=10), "0"),
    ],
)
def test_swap_alone_is_what_v2_limits(memory: Memory, expected: str | None) -> None:
    assert convert.swap_max(memory) == expected


@pytest.mark.parametrize("memory", [Memory(swap=10), Memory(limit=20, swap=10), Memory(limit=-1, swap=10)])
def test_a_swap_limit_that_makes_no_sense(memory: Memory) -> None:
    with pytest.raises(ValueError, match="memory"):
        convert.swap_max(memory)


@pytest.mark.parametrize(
    ("quota", "period", "expected"),
    [(None, None, None), (5, None, "5 100000"), (-1, 50, "max 50"), (None, 50, "max 50"), (0, None, "max 100000")],
)
def test_cpu_max(quota: int | None, period: int | None, expected: str | None) -> None:
    assert convert.cpu_max(quota, period) == expected


def test_device_rules_are_evaluated_as_v1_does() -> None:
    state = device.evaluate(DEFAULT_DEVICE_RULES)
    assert not state.allow_by_default
    assert state.exceptions[("c", None, None)] == 1
    assert state.exceptions[("c", 1, 3)] == 7
    assert ("c", 10, 229) not in state.exceptions
    everything = device.evaluate((*DEFAULT_DEVICE_RULES, DeviceRule(allow=True)))
    assert everything.allow_by_default and not everything.exceptions
    taken = device.evaluate(
        (
            DeviceRule(allow=False),
            DeviceRule(allow=True, type="c", major=1, minor=3),
            DeviceRule(allow=False, type="c", major=1, minor=3, access="w"),
        )
    )
    assert taken.exceptions == {("c", 1, 3): 3}


def test_device_rules_as_v1_lines() -> None:
    assert device.v1_line(DeviceRule(allow=False)) == ("devices.deny", "a")
    assert device.v1_line(DeviceRule(allow=True, type="b", major=8, access="rm")) == ("devices.allow", "b 8:* rm")


def test_the_jumps_of_a_device_program_stay_inside() -> None:
    code = device.program(DEFAULT_DEVICE_RULES)
    count = len(code) // 8
    for index in range(count):
        offset = int.from_bytes(code[index * 8 + 2 : index * 8 + 4], "little", signed=True)
        if code[index * 8] in (0x15, 0x55):
            assert offset > 0 and index + 1 + offset < count


HYBRID = b"""\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
"""


def test_layouts_are_told_apart(tmp_path: Path) -> None:
    hybrid = detect(mountinfo.parse(HYBRID), str(tmp_path))
    assert hybrid.version == "hybrid"
    assert hybrid.unified == f"{tmp_path}/sys/fs/cgroup/unified"
    assert set(hybrid.controllers) == {"cpu", "cpuacct", "memory", "name=systemd"}
    assert (f"{tmp_path}/sys/fs/cgroup/cpu,cpuacct", frozenset(("cpu", "cpuacct"))) in hybrid.hierarchies()
    assert detect(mountinfo.parse(HYBRID.rsplit(b"\n", 2)[0])).version == "v1"
    v2 = b"24 20 0:20 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw,nsdelegate\n"
    assert detect(mountinfo.parse(v2)).version == "v2"
    # systemd alone on v1 beside a full v2 hierarchy is v2
    both = v2 + b"40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
    assert detect(mountinfo.parse(both)).version == "v2"
    with pytest.raises(FileNotFoundError, match="no hierarchy"):
        detect(())


FILES = """cgroup.controllers cgroup.subtree_control cgroup.procs cgroup.kill cgroup.freeze cgroup.events memory.max
memory.low memory.swap.max memory.high memory.events memory.current memory.stat cpu.weight cpu.max cpu.max.burst
cpu.stat cpuset.cpus cpuset.mems pids.max pids.current io.weight io.max io.stat hugetlb.2MB.max""".split()
CONTROLLERS = "cpuset cpu io memory hugetlb pids"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for directory in ("", "hakobu", "hakobu/one"):
        (tmp_path / directory).mkdir(exist_ok=True)
        for name in FILES:
            (tmp_path / directory / name).write_text(CONTROLLERS if name == "cgroup.controllers" else "")
    return tmp_path


def _layout(tree: Path) -> Layout:
    return Layout("v2", {}, str(tree), frozenset(CONTROLLERS.split()))


def test_v2_files_get_ocis_limits(tree: Path) -> None:
    open_tree(_layout(tree)).cgroup("/hakobu/one").create(
        Resources(
            memory=Memory(limit=1000, swap=3000, reservation=500),
            cpu=Cpu(shares=1024, quota=20000, burst=5, cpus="0-1", mems="0"),
            pids_limit=9,
            block_io=BlockIO(weight=1000, throttle_write_bps_device=(ThrottleDevice(major=8, minor=0, rate=77),)),
            unified={"memory.high": "900"},
        )
    )
    for name, value in {
        "memory.max": "1000",
        "memory.swap.max": "2000",
        "memory.low": "500",
        "memory.high": "900",
        "cpu.weight": "100",
        "cpu.max": "20000 100000",
        "cpu.max.burst": "5",
        "cpuset.cpus": "0-1",
        "cpuset.mems": "0",
        "pids.max": "9",
        "io.weight": "10000",
        "io.max": "8:0 wbps=77",
    }.items():
        assert (tree / "hakobu/one" / name).read_text() == value, name
    assert (tree / "cgroup.subtree_control").read_text().startswith("+pids")  # the last of six writes
    assert (tree / "hakobu/one/cgroup.subtree_control").read_text() == ""


def test_v2_counters_are_read(tree: Path) -> None:
    one = tree / "hakobu/one"
    (one / "cpu.stat").write_text("usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 1\nthrottled_usec 4\n")
    (one / "memory.current").write_text("4096\n")
    (one / "memory.max").write_text("max\n")
    (one / "memory.events").write_text("low 0\nmax 3\noom 1\noom_kill 2\n")
    (one / "memory.stat").write_text("anon 1\nfile 2\n")
    (one / "pids.current").write_text("3\n")
    (one / "pids.max").write_text("max\n")
    (one / "io.stat").write_text("8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n8:16 \n")
    stats = open_tree(_layout(tree)).cgroup("/hakobu/one").stats()
    assert (stats.cpu.total_ns, stats.cpu.throttled_ns, stats.cpu.periods) == (5000, 4000, 1)
    assert (stats.memory.usage, stats.memory.limit, stats.memory.fail_count, stats.memory.oom_kills) == (4096, -1, 3, 2)
    assert stats.memory.stat == {"anon": 1, "file": 2}
    assert (stats.pids, stats.pids_limit) == (3, -1)
    assert stats.io_bytes == (IoEntry(8, 0, "read", 1), IoEntry(8, 0, "write", 2))
    assert stats.io_operations == (IoEntry(8, 0, "read", 3), IoEntry(8, 0, "write", 4))


@pytest.mark.parametrize(
    ("resources", "controller"),
    [
        (Resources(memory=Memory(swappiness=1)), "memory"),
        (Resources(memory=Memory(disable_oom_killer=True)), "memory"),
        (Resources(cpu=Cpu(realtime_runtime=1)), "cpu"),
        (Resources(network_class_id=1), "net_cls"),
        (Resources(rdma={"x": {"hcaHandles": 1}}), "rdma"),
        (Resources(unified={"misc.max": "1"}), "misc"),
    ],
)
def test_what_v2_does_not_have_is_refused_by_name(tree: Path, resources: Resources, controller: str) -> None:
    with pytest.raises(MissingController) as caught:
        open_tree(_layout(tree)).cgroup("/hakobu/one").create(resources)
    assert caught.value.controller == controller


def test_an_impossible_swap_limit_changes_nothing(tree: Path) -> None:
    with pytest.raises(OSError, match="less than memory"):
        open_tree(_layout(tree)).cgroup("/hakobu/one").create(Resources(memory=Memory(limit=10, swap=5)))
    assert (tree / "hakobu/one/memory.max").read_text() == ""


@pytest.mark.parametrize("memory", [Memory(limit=10, swap=20), Memory(limit=10, swap=-1), Memory(limit=10, swap=10)])
def test_without_swap_accounting_memory_alone_is_limited(tree: Path, memory: Memory) -> None:
    (tree / "hakobu/one/memory.swap.max").unlink()
    open_tree(_layout(tree)).cgroup("/hakobu/one").create(Resources(memory=memory))
    assert (tree / "hakobu/one/memory.max").read_text() == "10"
    v1 = tree / "v1"
    (v1 / "two").mkdir(parents=True)
    for name in ("memory.limit_in_bytes", "cgroup.procs"):
        (v1 / "two" / name).write_text("")
    open_tree(Layout("v1", {"memory": str(v1)})).cgroup("/two").create(Resources(memory=memory))
    assert (v1 / "two/memory.limit_in_bytes").read_text() == "10"
    assert sorted(path.name for path in (v1 / "two").iterdir()) == ["cgroup.procs", "memory.limit_in_bytes"]
