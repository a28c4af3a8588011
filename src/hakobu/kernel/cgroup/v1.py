"""Cgroup v1 and the hybrid layout: one directory a hierarchy, and one in the v2 hierarchy where there is one.

A container has a directory in the hierarchies that count or guard (`_ALWAYS`); in the others only once a limit of
theirs is set, because each costs time at every start. In the hybrid layout the v2 directory serves what v2 does
better without any controller: killing and freezing all at once, and cloning into it.
"""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from hakobu.kernel.cgroup import convert, device, stats_v1
from hakobu.kernel.cgroup.file import (
    clean_path,
    has,
    knows,
    number,
    pairs,
    processes,
    read,
    remove_tree,
    wait_until,
    walk,
    write,
    write_all,
)
from hakobu.kernel.cgroup.interface import MissingController, Stats
from hakobu.kernel.cgroup.layout import Layout
from hakobu.kernel.cgroup.oom import OomWatch, watch_oom_control
from hakobu.spec.resources import Resources, ThrottleDevice

Settings: TypeAlias = Iterator[tuple[str, str]]  # the name of a file of a cgroup, what to write into it

_ALWAYS: Final = frozenset(("memory", "cpu", "cpuacct", "pids", "blkio", "devices", "freezer", "name=systemd"))


class TreeV1:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def cgroup(self, path: str) -> "CgroupV1":
        return CgroupV1(self.layout, clean_path(path))

    def leave_inner_node(self, path: str, leaf: str) -> None:
        """v1 has no rule against processes in inner nodes: nothing to do."""


class CgroupV1:
    def __init__(self, layout: Layout, path: str) -> None:
        self.layout = layout
        self.path = path

    def _directory(self, controller: str) -> str:
        """Where a controller has this cgroup; `MissingController` where it is not mounted."""
        mount = self.layout.controllers.get(controller)
        if mount is None:
            raise MissingController(controller, "its limits", self.path)
        return mount + self.path

    def _unified(self) -> str:
        return self.layout.unified + self.path if self.layout.unified else ""

    def _main(self) -> str:
        """The directory that says what exists and which processes are in it."""
        if unified := self._unified():
            return unified
        for controller in ("freezer", "memory", "pids", *self.layout.controllers):
            if mount := self.layout.controllers.get(controller):
                return mount + self.path
        raise MissingController("freezer", "any hierarchy", self.path)

    def exists(self) -> bool:
        return os.path.isdir(self._main())

    def create(self, resources: Resources) -> None:
        for mount, controllers in self._hierarchies(resources):
            self._make(mount, "cpuset" in controllers)
        if self.layout.unified:
            self._make(self.layout.unified, False)
        self.apply(resources)

    def _hierarchies(self, resources: Resources) -> list[tuple[str, frozenset[str]]]:
        wanted = _ALWAYS | convert.needed_controllers(resources)
        return [(mount, controllers) for mount, controllers in self.layout.hierarchies() if controllers & wanted]

    def places(self, resources: Resources) -> list[str]:
        return [mount + self.path for mount, _ in self._hierarchies(resources)] + [*filter(None, [self._unified()])]

    def joined_by(self, resources: Resources) -> list[str]:
        return [f"{mount}{self.path}/tasks" for mount, _ in self._hierarchies(resources)]

    def _make(self, mount: str, cpuset: bool) -> None:
        _make_directory(mount, mount + self.path, cpuset)

    def _ensure(self, controller: str) -> str:
        """The controller's directory; made, and the cgroup's processes moved in, where it was left out at first."""
        directory = self._directory(controller)
        if not os.path.isdir(directory):
            self._make(self.layout.controllers[controller], controller == "cpuset")
            for pid in self.processes():
                write(directory, "cgroup.procs", str(pid))
        return directory

    def apply(self, resources: Resources) -> None:
        if resources.unified:
            name = next(iter(resources.unified))
            raise MissingController(name.partition(".")[0], f"{name} (a file of cgroup v2)", self.path)
        for controller in sorted(convert.needed_controllers(resources)):
            self._ensure(controller)
        write_all(self.limits(resources))
        if resources.devices:
            device.write_v1(self._directory("devices"), resources.devices)

    def limits(self, resources: Resources) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        needed = convert.needed_controllers(resources)
        for controller, settings in _LIMITS.items():
            if controller in needed:
                directory = self._directory(controller)
                found += [(f"{directory}/{name}", value) for name, value in settings(directory, resources)]
        return found

    def clone_fd(self) -> int:
        unified = self._unified()
        return os.open(unified, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) if unified else -1

    def join_fds(self) -> list[int]:
        """`tasks` and not `cgroup.procs`: a thread that moves itself need not stop the whole machine's forks."""
        fds: list[int] = []
        try:
            for mount, _ in self.layout.hierarchies():
                try:
                    fds.append(os.open(f"{mount}{self.path}/tasks", os.O_WRONLY | os.O_CLOEXEC))
                except FileNotFoundError:
                    continue
        except BaseException:
            for fd in fds:
                os.close(fd)
            raise
        return fds

    def add(self, pid: int) -> None:
        directories = [mount + self.path for mount, _ in self.layout.hierarchies()]
        for directory in [*directories, *filter(None, [self._unified()])]:
            if os.path.isdir(directory):
                write(directory, "cgroup.procs", str(pid))

    def directories(self) -> dict[str, str]:
        return {
            ",".join(sorted(controllers)): mount + self.path
            for mount, controllers in self.layout.hierarchies()
            if os.path.isdir(mount + self.path)
        }

    def processes(self) -> list[int]:
        return processes(self._main())

    def kill(self) -> None:
        unified = self._unified()
        if unified and has(unified, "cgroup.kill"):
            write(unified, "cgroup.kill", "1")
        # Who is in a v1 hierarchy and not in v2's (it was moved, or there is none) is found by its pid. A frozen
        # process takes no signal, but what is frozen cannot fork either: freeze, signal, thaw.
        directory = self._frozen_directory()
        if directory is None or not os.path.isdir(directory) or not processes(directory):
            return
        write(directory, "freezer.state", "FROZEN")
        for pid in processes(directory):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for below in walk(directory):
            write(below, "freezer.state", "THAWED")

    def _frozen_directory(self) -> str | None:
        mount = self.layout.controllers.get("freezer")
        return mount + self.path if mount else None

    def _v2_freezer(self) -> str:
        unified = self._unified()
        return unified if unified and has(unified, "cgroup.freeze") else ""

    def freeze(self) -> None:
        if unified := self._v2_freezer():
            write(unified, "cgroup.freeze", "1")
            wait_until(lambda: "frozen 1" in read(unified, "cgroup.events"), "cgroup.freeze", self.path)
            return
        directory = self._ensure("freezer")

        def frozen() -> bool:
            # The kernel gives up silently (FREEZING) where a process forked meanwhile: say it again.
            write(directory, "freezer.state", "FROZEN")
            return read(directory, "freezer.state").strip() == "FROZEN"

        wait_until(frozen, "freezer.state", self.path)

    def thaw(self) -> None:
        if unified := self._v2_freezer():
            write(unified, "cgroup.freeze", "0")
        else:
            write(self._ensure("freezer"), "freezer.state", "THAWED")

    def is_frozen(self) -> bool:
        if unified := self._v2_freezer():
            return read(unified, "cgroup.freeze").strip() == "1"
        directory = self._frozen_directory()
        return directory is not None and read(directory, "freezer.state").strip() in ("FROZEN", "FREEZING")

    def stats(self) -> Stats:
        return stats_v1.read_stats({name: mount + self.path for name, mount in self.layout.controllers.items()})

    def oom_kills(self) -> int:
        mount = self.layout.controllers.get("memory")
        return pairs(read(mount + self.path, "memory.oom_control")).get("oom_kill", 0) if mount else 0

    def watch_oom(self) -> OomWatch:
        return watch_oom_control(self._directory("memory"), self.oom_kills)

    def delete(self) -> None:
        for mount, _ in self.layout.hierarchies():
            remove_tree(mount + self.path)
        if unified := self._unified():
            remove_tree(unified)


def _make_directory(mount: str, directory: str, cpuset: bool) -> None:
    try:
        os.mkdir(directory, 0o755)
    except FileExistsError:
        return
    except FileNotFoundError:
        parent = os.path.dirname(directory)
        if len(parent) <= len(mount):
            raise
        _make_directory(mount, parent, cpuset)
        os.mkdir(directory, 0o755)
    if cpuset:  # a cpuset without processors and memory takes no process
        for name in ("cpuset.cpus", "cpuset.mems"):
            if not read(directory, name).strip():
                write(directory, name, read(os.path.dirname(directory), name).strip())


def _memory(directory: str, resources: Resources) -> Settings:
    memory = resources.memory
    limits = [
        (name, value)
        for name, value in (
            ("memory.limit_in_bytes", memory.limit),
            ("memory.memsw.limit_in_bytes", memory.swap),
        )
        if value is not None
    ]
    if not knows(directory, "memory.memsw.limit_in_bytes"):  # no swap accounting: memory alone is limited, as by Docker
        del limits[memory.limit is not None :]
    # The kernel wants memory <= memory + swap at every moment, so the order depends on the direction.
    if len(limits) == 2 and _is_raised(read(directory, "memory.memsw.limit_in_bytes"), memory.swap):
        limits.reverse()
    for name, value in limits:
        yield name, str(value)
    if memory.reservation is not None:
        yield "memory.soft_limit_in_bytes", str(memory.reservation)
    if memory.swappiness is not None:
        yield "memory.swappiness", str(memory.swappiness)
    if memory.disable_oom_killer:
        yield "memory.oom_control", "1"


def _is_raised(now: str, wanted: int | None) -> bool:
    return wanted is not None and (wanted < 0 or wanted > number(now))


def _cpu(directory: str, resources: Resources) -> Settings:
    cpu = resources.cpu
    period_and_quota: list[tuple[str, int | None]] = [
        ("cpu.cfs_period_us", cpu.period),
        ("cpu.cfs_quota_us", cpu.quota),
    ]
    # A shorter period may be refused while the old quota stands, and the other way round.
    if cpu.period is not None and cpu.quota is not None and cpu.period < number(read(directory, "cpu.cfs_period_us")):
        period_and_quota.reverse()
    for name, value in (
        ("cpu.shares", cpu.shares or None),
        *period_and_quota,
        ("cpu.cfs_burst_us", cpu.burst),
        ("cpu.rt_period_us", cpu.realtime_period or None),
        ("cpu.rt_runtime_us", cpu.realtime_runtime or None),
        ("cpu.idle", cpu.idle),
    ):
        if value is not None and (name != "cpu.cfs_period_us" or value):
            yield name, str(value)


def _cpuset(_: str, resources: Resources) -> Settings:
    if resources.cpu.cpus:
        yield "cpuset.cpus", resources.cpu.cpus
    if resources.cpu.mems:
        yield "cpuset.mems", resources.cpu.mems


def _block_io(directory: str, resources: Resources) -> Settings:
    block = resources.block_io
    prefix = "blkio" if knows(directory, "blkio.weight") else "blkio.bfq"
    if block.weight:
        yield f"{prefix}.weight", str(block.weight)
    for item in block.weight_device:
        if item.weight:
            yield f"{prefix}.weight_device", f"{item.major}:{item.minor} {item.weight}"
    throttles: tuple[tuple[str, tuple[ThrottleDevice, ...]], ...] = (
        ("read_bps", block.throttle_read_bps_device),
        ("write_bps", block.throttle_write_bps_device),
        ("read_iops", block.throttle_read_iops_device),
        ("write_iops", block.throttle_write_iops_device),
    )
    for name, devices in throttles:
        for item in devices:
            yield f"blkio.throttle.{name}_device", f"{convert.device_number(item)} {item.rate}"


def _pids(_: str, resources: Resources) -> Settings:
    yield "pids.max", convert.pids_max(resources.pids_limit or 0)


def _hugetlb(_: str, resources: Resources) -> Settings:
    for page in resources.hugepage_limits:
        yield f"hugetlb.{page.page_size}.limit_in_bytes", str(page.limit)


def _net_cls(_: str, resources: Resources) -> Settings:
    if resources.network_class_id is not None:
        yield "net_cls.classid", str(resources.network_class_id)


def _net_prio(_: str, resources: Resources) -> Settings:
    for interface, priority in resources.network_priorities.items():
        yield "net_prio.ifpriomap", f"{interface} {priority}"


def _rdma(_: str, resources: Resources) -> Settings:
    for name, limits in resources.rdma.items():
        yield "rdma.max", rdma_line(name, dict(limits))


# What each controller's files are set to, given the cgroup's directory there; in the order in which they are written.
_LIMITS: Final[Mapping[str, Callable[[str, Resources], Settings]]] = {
    "memory": _memory,
    "cpu": _cpu,
    "cpuset": _cpuset,
    "pids": _pids,
    "blkio": _block_io,
    "hugetlb": _hugetlb,
    "net_cls": _net_cls,
    "net_prio": _net_prio,
    "rdma": _rdma,
}


def rdma_line(device_name: str, limits: dict[str, int]) -> str:
    words = {"hcaHandles": "hca_handle", "hcaObjects": "hca_object"}
    return " ".join([device_name, *(f"{words[key]}={value}" for key, value in limits.items())])
