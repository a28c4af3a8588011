"""Cgroups on the real hierarchies of this machine, each test in a cgroup of its own."""

import errno
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.child import in_child
from tests.leaks import need, own_cgroup

from hakobu.kernel.cgroup import Cgroup, Layout, detect, open_tree
from hakobu.kernel.cgroup.file import join
from hakobu.kernel.cgroup.interface import MissingController
from hakobu.kernel.cgroup.v2 import TreeV2
from hakobu.kernel.process import clone3, pidfd_send_signal, wait_pidfd
from hakobu.spec.resources import DEFAULT_DEVICE_RULES, Cpu, DeviceRule, Memory, Resources

NAME = own_cgroup(f"hakobu-test-{os.getpid()}")
LAYOUT = detect()


def _layouts() -> list[Layout]:
    found = [LAYOUT]
    if LAYOUT.version == "hybrid":
        found.append(Layout("v1", LAYOUT.controllers))
        found.append(Layout("v2", {}, LAYOUT.unified, LAYOUT.unified_controllers))
    return found


@pytest.fixture(params=_layouts(), ids=lambda layout: layout.version)
def cgroup(request: pytest.FixtureRequest) -> Iterator[Cgroup]:
    made = open_tree(request.param).cgroup(f"/{NAME}/one")
    yield made
    made.kill()
    made.delete()
    open_tree(request.param).cgroup(f"/{NAME}").delete()


class Sleeper:
    """A child that joins the cgroup, forks a grandchild and waits."""

    def __init__(self, cgroup: Cgroup) -> None:
        fds = cgroup.join_fds()
        clone_fd = cgroup.clone_fd()
        read_fd, write_fd = os.pipe()
        self.pid, self.pidfd = clone3(0, cgroup_fd=clone_fd)
        if self.pid == 0:
            try:
                join(fds)
                if os.fork() == 0:
                    os.write(write_fd, b"x")
                while True:
                    signal.pause()
            finally:
                os._exit(1)
        for fd in [*fds, write_fd, *([clone_fd] if clone_fd >= 0 else [])]:
            os.close(fd)
        os.read(read_fd, 1)
        os.close(read_fd)

    def ended(self) -> tuple[int, int] | None:
        try:
            return wait_pidfd(self.pidfd)
        finally:
            os.close(self.pidfd)


def test_processes_start_inside_and_die_together(cgroup: Cgroup) -> None:
    cgroup.create(Resources())
    assert cgroup.exists()
    sleeper = Sleeper(cgroup)
    assert len(cgroup.processes()) == 2
    cgroup.kill()
    assert sleeper.ended() == (0, signal.SIGKILL)
    cgroup.delete()
    assert not cgroup.exists()
    cgroup.delete()
    cgroup.kill()


def test_every_hierarchy_has_the_process(cgroup: Cgroup) -> None:
    cgroup.create(Resources())
    sleeper = Sleeper(cgroup)
    lines = Path(f"/proc/{sleeper.pid}/cgroup").read_text().splitlines()
    there = {line.split(":")[1] for line in lines if line.endswith(f"/{NAME}/one")}
    if any("memory" in name for name in cgroup.directories()):
        assert {"memory", "pids", "devices", "freezer"} <= there
    else:
        assert there == {""}
    cgroup.kill()
    sleeper.ended()


def test_frozen_processes_can_be_thawed_and_killed(cgroup: Cgroup) -> None:
    cgroup.create(Resources())
    sleeper = Sleeper(cgroup)
    cgroup.freeze()
    assert cgroup.is_frozen()
    cgroup.thaw()
    assert not cgroup.is_frozen()
    cgroup.freeze()
    cgroup.kill()
    assert sleeper.ended() == (0, signal.SIGKILL)


def test_a_process_is_moved_from_outside(cgroup: Cgroup) -> None:
    cgroup.create(Resources())
    pid, pidfd = clone3(0)
    if pid == 0:
        while True:
            signal.pause()
    cgroup.add(pid)
    assert cgroup.processes() == [pid]
    with pytest.raises(ProcessLookupError, match=r"cgroup\.procs"):
        cgroup.add(2**22 - 1)
    pidfd_send_signal(pidfd, signal.SIGKILL)
    wait_pidfd(pidfd)
    os.close(pidfd)


def test_what_a_container_made_below_is_removed_as_well(cgroup: Cgroup) -> None:
    cgroup.create(Resources())
    for directory in cgroup.directories().values():
        os.makedirs(f"{directory}/a/b/c")
    cgroup.delete()
    assert not cgroup.exists()


def test_a_cgroup_with_processes_is_busy(cgroup: Cgroup) -> None:
    cgroup.create(Resources())
    sleeper = Sleeper(cgroup)
    with pytest.raises(OSError, match="cgroup: rmdir") as caught:
        cgroup.delete()
    assert caught.value.errno == errno.EBUSY
    cgroup.kill()
    sleeper.ended()


def _open(path: str, flags: int) -> int:
    try:
        os.close(os.open(path, flags))
    except OSError as error:
        return error.errno or -1
    return 0


def test_devices_are_guarded(cgroup: Cgroup, tmp_path: Path) -> None:
    cgroup.create(Resources(devices=DEFAULT_DEVICE_RULES))
    for name, device in (("null", (1, 3)), ("loop", (7, 0)), ("mem", (1, 1)), ("fuse", (10, 229))):
        os.mknod(tmp_path / name, 0o20666, os.makedev(*device))

    def inside() -> list[int]:
        join(fds)
        null, mem = str(tmp_path / "null"), str(tmp_path / "mem")
        before = [_open(null, os.O_RDWR), _open(mem, os.O_RDONLY), _open(str(tmp_path / "fuse"), os.O_RDWR)]
        os.mknod(tmp_path / "made", 0o20666, os.makedev(250, 1))
        cgroup.apply(Resources(devices=(*DEFAULT_DEVICE_RULES, DeviceRule(allow=True, type="c", major=1, access="r"))))
        widened = [_open(mem, os.O_RDONLY), _open(mem, os.O_RDWR)]
        cgroup.apply(Resources(devices=(DeviceRule(allow=True), DeviceRule(allow=False, type="c", major=1, minor=3))))
        denied = [_open(null, os.O_RDONLY), _open(mem, os.O_RDONLY)]
        return [*before, *widened, *denied]

    fds, clone_fd = cgroup.join_fds(), cgroup.clone_fd()
    answers = in_child(inside, 0, clone_fd)
    for fd in [*fds, *([clone_fd] if clone_fd >= 0 else [])]:
        os.close(fd)
    # ENXIO or EACCES by the driver would be another matter: EPERM is the cgroup's.
    assert [answer == errno.EPERM for answer in answers] == [False, True, True, False, True, True, False]


@pytest.fixture
def limited() -> Iterator[Cgroup]:
    need(LAYOUT.has("memory") and LAYOUT.has("pids") and LAYOUT.has("cpu"), "cgroup controllers")
    made = open_tree().cgroup(f"/{NAME}/limited")
    yield made
    made.kill()
    made.delete()
    open_tree().cgroup(f"/{NAME}").delete()


def test_limits_are_set_counted_and_changed(limited: Cgroup) -> None:
    mebi = 1 << 20
    limited.create(
        Resources(
            memory=Memory(limit=64 * mebi, swap=64 * mebi, reservation=32 * mebi),
            cpu=Cpu(shares=512, quota=50000, period=100000, cpus="0", mems="0"),
            pids_limit=7,
        )
    )
    stats = limited.stats()
    assert (stats.memory.limit, stats.pids_limit) == (64 * mebi, 7)
    limited.apply(Resources(memory=Memory(limit=128 * mebi, swap=256 * mebi), pids_limit=-1))
    limited.apply(Resources(memory=Memory(limit=32 * mebi, swap=32 * mebi), cpu=Cpu(quota=1000, period=2000)))
    stats = limited.stats()
    assert (stats.memory.limit, stats.pids_limit) == (32 * mebi, -1)
    sleeper = Sleeper(limited)
    stats = limited.stats()
    assert stats.pids == 2
    assert stats.memory.usage > 0 and stats.cpu.total_ns > 0 and stats.memory.stat
    limited.kill()
    sleeper.ended()


def test_the_limit_of_processes_holds(limited: Cgroup) -> None:
    limited.create(Resources(pids_limit=1))
    fds, clone_fd = limited.join_fds(), limited.clone_fd()

    def inside() -> int:
        join(fds)
        try:
            pid = os.fork()
        except BlockingIOError:
            return errno.EAGAIN
        os._exit(0) if pid == 0 else os.waitpid(pid, 0)
        return 0

    assert in_child(inside, 0, clone_fd) == errno.EAGAIN
    for fd in [*fds, *([clone_fd] if clone_fd >= 0 else [])]:
        os.close(fd)


def test_a_kill_for_want_of_memory_is_told(limited: Cgroup) -> None:
    limited.create(Resources(memory=Memory(limit=16 << 20, swap=16 << 20)))
    watch = limited.watch_oom()
    assert watch.take() == 0
    fds, clone_fd = limited.join_fds(), limited.clone_fd()
    pid, pidfd = clone3(0, cgroup_fd=clone_fd)
    if pid == 0:
        join(fds)
        try:
            hog = bytearray(64 << 20)
            hog[::4096] = b"x" * len(hog[::4096])
        finally:
            os._exit(0)
    assert wait_pidfd(pidfd) == (0, signal.SIGKILL)
    assert select.select([watch.fd], [], [], 5)[0]
    while not (count := watch.take()):
        time.sleep(0.01)
    assert count == 1 == limited.oom_kills() == limited.stats().memory.oom_kills
    assert watch.take() == 0
    watch.close()
    for fd in [*fds, pidfd, *([clone_fd] if clone_fd >= 0 else [])]:
        os.close(fd)


def test_a_bad_limit_names_its_file(limited: Cgroup) -> None:
    limited.create(Resources())
    with pytest.raises(OSError, match=r"cgroup: cpuset\.cpus = '4095'"):
        limited.apply(Resources(cpu=Cpu(cpus="4095")))


def test_a_missing_controller_is_named() -> None:
    asked = {
        "rdma": Resources(rdma={"mlx5_0": {"hcaHandles": 1}}),
        "net_cls": Resources(network_class_id=1),
        "net_prio": Resources(network_priorities={"lo": 1}),
    }
    name = next((name for name in asked if not LAYOUT.has(name)), "")
    if not name:
        pytest.skip("this machine has every controller")
    made = open_tree().cgroup(f"/{NAME}/lacking")
    with pytest.raises(MissingController, match=f"controller {name} is not available") as caught:
        made.create(asked[name])
    assert caught.value.controller == name
    made.delete()
    open_tree().cgroup(f"/{NAME}").delete()


def test_processes_leave_an_inner_node() -> None:
    if not LAYOUT.unified:
        need(False, "cgroup v2")
    tree = TreeV2(Layout("v2", {}, LAYOUT.unified, LAYOUT.unified_controllers))
    inner = tree.cgroup(f"/{NAME}")
    inner.create(Resources())
    sleeper = Sleeper(inner)
    tree.leave_inner_node(f"/{NAME}", "daemon")
    assert Path(f"{LAYOUT.unified}/{NAME}/cgroup.procs").read_text() == ""
    assert len(tree.cgroup(f"/{NAME}/daemon").processes()) == 2
    child = tree.cgroup(f"/{NAME}/container")
    child.create(Resources())
    inner.kill()
    sleeper.ended()
    inner.delete()


@pytest.mark.parametrize("path", ["", "/", "x", "/../x", "/a//b", "/a/./b", "/a\nb", "/a/"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(OSError, match="not a path of a cgroup"):
        open_tree().cgroup(path)
