"""Cgroup v2: one directory, controllers enabled from the top of our subtree down to the parent.

Invariant: no process in an inner node of ours (the kernel refuses controllers there), so a container's own parent
is never joined by anybody. Devices have no controller file: their rules are a BPF program on the directory.
"""

import errno
import os
from collections.abc import Iterator
from typing import Final

from hakobu.kernel import userns
from hakobu.kernel.cgroup import convert, device
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
    write,
    write_all,
)
from hakobu.kernel.cgroup.interface import CpuStats, IoEntry, MemoryStats, MissingController, Stats
from hakobu.kernel.cgroup.layout import Layout
from hakobu.kernel.cgroup.oom import OomWatch, watch_events_file
from hakobu.kernel.cgroup.v1 import rdma_line
from hakobu.spec.resources import BlockIO, Cpu, Memory, Resources

_ENABLED: Final = ("cpu", "cpuset", "io", "memory", "pids", "hugetlb", "rdma")
_NOT_ENABLED: Final = frozenset(
    (errno.EINVAL, errno.ENOENT, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY)
)
_V2_NAMES: Final = {"blkio": "io"}
_NOT_IN_V2: Final = ("net_cls", "net_prio")


class TreeV2:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def cgroup(self, path: str) -> "CgroupV2":
        return CgroupV2(self.layout, clean_path(path))

    def leave_inner_node(self, path: str, leaf: str) -> None:
        inner = self.layout.unified if path == "/" else self.layout.unified + clean_path(path)
        target = f"{inner}/{leaf}"
        os.makedirs(target, exist_ok=True)
        for pid in read(inner, "cgroup.procs").split():
            try:
                write(target, "cgroup.procs", pid)
            except ProcessLookupError:
                continue


def _enable(directory: str, wanted: frozenset[str]) -> None:
    """Enables controllers for a directory's children; what its parent does not offer is passed over."""
    there = set(read(directory, "cgroup.controllers").split())
    on = set(read(directory, "cgroup.subtree_control").split())
    for name in sorted(wanted & there - on):
        try:
            write(directory, "cgroup.subtree_control", f"+{name}")
        except OSError as error:
            # Real-time tasks elsewhere keep the cpu controller off (EINVAL), a node above a delegated one is not
            # ours to change (EACCES), or has processes (EBUSY). A limit that needs the controller will say so.
            if error.errno not in _NOT_ENABLED:
                raise


class CgroupV2:
    def __init__(self, layout: Layout, path: str) -> None:
        self.layout = layout
        self.path = path
        self._directory = layout.unified + path

    def exists(self) -> bool:
        return os.path.isdir(self._directory)

    def create(self, resources: Resources) -> None:
        directory = self.layout.unified
        for part in self.path.strip("/").split("/"):
            _enable(directory, frozenset(_ENABLED))
            directory = f"{directory}/{part}"
            try:
                os.mkdir(directory, 0o755)
            except FileExistsError:
                continue
        self.apply(resources)

    def apply(self, resources: Resources) -> None:
        self._require(resources)
        write_all(self.limits(resources))
        if resources.devices and userns.is_initial():  # elsewhere no program is taken, and no node can be made
            device.attach(self._directory, resources.devices)

    def places(self, resources: Resources) -> list[str]:
        return [self._directory]

    def joined_by(self, resources: Resources) -> list[str]:
        return []

    def limits(self, resources: Resources) -> list[tuple[str, str]]:
        found = [*self._memory(resources.memory), *_cpu_limits(resources.cpu), *self._io(resources.block_io)]
        if resources.pids_limit is not None:
            found.append(("pids.max", convert.pids_max(resources.pids_limit)))
        found += [(f"hugetlb.{page.page_size}.max", str(page.limit)) for page in resources.hugepage_limits]
        found += [("rdma.max", rdma_line(name, dict(limits))) for name, limits in resources.rdma.items()]
        found += [(name, line) for name, value in resources.unified.items() for line in value.split("\n")]
        return [(f"{self._directory}/{name}", value) for name, value in found]

    def _write(self, name: str, value: str) -> None:
        write(self._directory, name, value)

    def _require(self, resources: Resources) -> None:
        """Refuses by name what v2 has no word for, before anything is changed."""
        needed = convert.needed_controllers(resources)
        there = set(read(self._directory, "cgroup.controllers").split()) | {"devices"}
        for controller in sorted(needed):
            name = _V2_NAMES.get(controller, controller)
            if name in _NOT_IN_V2 or name not in there:
                raise MissingController(name, "its limits", self.path)
        for given, what in (
            (resources.memory.swappiness is not None, "memory.swappiness"),
            (resources.memory.disable_oom_killer, "memory.oom_control"),
        ):
            if given:
                raise MissingController("memory", f"{what} (not in cgroup v2)", self.path)
        if resources.cpu.realtime_runtime or resources.cpu.realtime_period:
            raise MissingController("cpu", "cpu.rt_runtime_us (not in cgroup v2)", self.path)

    def _memory(self, memory: Memory) -> Iterator[tuple[str, str]]:
        try:
            swap = convert.swap_max(memory)
        except ValueError as error:
            raise OSError(errno.EINVAL, f"cgroup: memory.swap.max: {error}", self.path) from error
        # Without swap accounting memory alone is limited, as Docker does it.
        if swap is not None and knows(self._directory, "memory.swap.max"):
            yield "memory.swap.max", swap
        if memory.limit is not None:
            yield "memory.max", convert.limit(memory.limit)
        if memory.reservation is not None:
            yield "memory.low", convert.limit(memory.reservation)

    def _io(self, block: BlockIO) -> Iterator[tuple[str, str]]:
        bfq = knows(self._directory, "io.bfq.weight")
        name = "io.bfq.weight" if bfq else "io.weight"
        if block.weight:
            yield name, str(block.weight if bfq else convert.io_weight(block.weight))
        for item in block.weight_device:
            if item.weight:
                weight = item.weight if bfq else convert.io_weight(item.weight)
                yield name, f"{item.major}:{item.minor} {weight}"
        for key, devices in (
            ("rbps", block.throttle_read_bps_device),
            ("wbps", block.throttle_write_bps_device),
            ("riops", block.throttle_read_iops_device),
            ("wiops", block.throttle_write_iops_device),
        ):
            for throttle in devices:
                yield "io.max", f"{convert.device_number(throttle)} {key}={throttle.rate or 'max'}"

    def clone_fd(self) -> int:
        return os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def join_fds(self) -> list[int]:
        """None: a process of v2 is cloned into its cgroup."""
        return []

    def add(self, pid: int) -> None:
        self._write("cgroup.procs", str(pid))

    def directories(self) -> dict[str, str]:
        return {"": self._directory}

    def processes(self) -> list[int]:
        return processes(self._directory)

    def kill(self) -> None:
        if self.exists():
            self._write("cgroup.kill", "1")

    def freeze(self) -> None:
        self._write("cgroup.freeze", "1")
        wait_until(lambda: "frozen 1" in read(self._directory, "cgroup.events"), "cgroup.freeze", self.path)

    def thaw(self) -> None:
        self._write("cgroup.freeze", "0")

    def is_frozen(self) -> bool:
        return read(self._directory, "cgroup.freeze").strip() == "1"

    def stats(self) -> Stats:
        directory = self._directory
        io_bytes, io_operations = _io(read(directory, "io.stat"))
        return Stats(
            cpu=_cpu(pairs(read(directory, "cpu.stat"))),
            memory=_memory(directory),
            pids=number(read(directory, "pids.current")),
            pids_limit=number(read(directory, "pids.max"), -1),
            io_bytes=io_bytes,
            io_operations=io_operations,
        )

    def oom_kills(self) -> int:
        return pairs(read(self._directory, "memory.events")).get("oom_kill", 0)

    def watch_oom(self) -> OomWatch:
        if not has(self._directory, "memory.events"):
            raise MissingController("memory", "memory.events", self.path)
        return watch_events_file(f"{self._directory}/memory.events", self.oom_kills)

    def delete(self) -> None:
        remove_tree(self._directory)


def _cpu(stat: dict[str, int]) -> CpuStats:
    return CpuStats(
        total_ns=stat.get("usage_usec", 0) * 1000,
        user_ns=stat.get("user_usec", 0) * 1000,
        system_ns=stat.get("system_usec", 0) * 1000,
        periods=stat.get("nr_periods", 0),
        throttled_periods=stat.get("nr_throttled", 0),
        throttled_ns=stat.get("throttled_usec", 0) * 1000,
    )


def _memory(directory: str) -> MemoryStats:
    events = pairs(read(directory, "memory.events"))
    return MemoryStats(
        usage=number(read(directory, "memory.current")),
        max_usage=number(read(directory, "memory.peak"), -1),
        limit=number(read(directory, "memory.max"), -1),
        fail_count=events.get("max", 0),
        swap=number(read(directory, "memory.swap.current")),
        oom_kills=events.get("oom_kill", 0),
        stat=pairs(read(directory, "memory.stat")),
    )


_IO_KEYS: Final = {"rbytes": (0, "read"), "wbytes": (0, "write"), "rios": (1, "read"), "wios": (1, "write")}


def _io(text: str) -> tuple[tuple[IoEntry, ...], tuple[IoEntry, ...]]:
    """(bytes, operations) of lines `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …`."""
    found: tuple[list[IoEntry], list[IoEntry]] = ([], [])
    for line in text.splitlines():
        device_number, *words = line.split()
        major, _, minor = device_number.partition(":")
        for word in words:
            key, _, value = word.partition("=")
            if key in _IO_KEYS and minor.isdecimal():
                which, op = _IO_KEYS[key]
                found[which].append(IoEntry(int(major), int(minor), op, int(value)))
    return tuple(found[0]), tuple(found[1])


def _cpu_limits(cpu: Cpu) -> Iterator[tuple[str, str]]:
    if cpu.idle is not None:
        yield "cpu.idle", str(cpu.idle)
    if cpu.shares and not cpu.idle:
        yield "cpu.weight", str(convert.cpu_weight(cpu.shares))
    limit = convert.cpu_max(cpu.quota, cpu.period)
    if limit is not None:
        yield "cpu.max", limit
    if cpu.burst is not None:
        yield "cpu.max.burst", str(cpu.burst)
    if cpu.cpus:
        yield "cpuset.cpus", cpu.cpus
    if cpu.mems:
        yield "cpuset.mems", cpu.mems
