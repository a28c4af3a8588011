"""What the v1 controllers count, as `Stats`."""

import os
from typing import Final

from hakobu.kernel.cgroup.file import number, pairs, read
from hakobu.kernel.cgroup.interface import CpuStats, IoEntry, MemoryStats, Stats

_TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_UNLIMITED: Final = 1 << 62  # PAGE_COUNTER_MAX in bytes is above this on every page size


def _cpu(accounting: str, cpu: str) -> CpuStats:
    total = number(read(accounting, "cpuacct.usage"))
    ticks = pairs(read(accounting, "cpuacct.stat"))
    user = number(read(accounting, "cpuacct.usage_user"), ticks.get("user", 0) * _TICK_NS)
    system = number(read(accounting, "cpuacct.usage_sys"), ticks.get("system", 0) * _TICK_NS)
    per_cpu = tuple(int(word) for word in read(accounting, "cpuacct.usage_percpu").split())
    throttling = pairs(read(cpu, "cpu.stat"))
    return CpuStats(
        total_ns=total,
        user_ns=user,
        system_ns=system,
        per_cpu_ns=per_cpu,
        periods=throttling.get("nr_periods", 0),
        throttled_periods=throttling.get("nr_throttled", 0),
        throttled_ns=throttling.get("throttled_time", 0),
    )


def _memory(directory: str) -> MemoryStats:
    limit = number(read(directory, "memory.limit_in_bytes"), -1)
    usage = number(read(directory, "memory.usage_in_bytes"))
    with_swap = number(read(directory, "memory.memsw.usage_in_bytes"), usage)
    return MemoryStats(
        usage=usage,
        max_usage=number(read(directory, "memory.max_usage_in_bytes")),
        limit=-1 if limit >= _UNLIMITED else limit,
        fail_count=number(read(directory, "memory.failcnt")),
        swap=max(with_swap - usage, 0),
        oom_kills=pairs(read(directory, "memory.oom_control")).get("oom_kill", 0),
        stat=pairs(read(directory, "memory.stat")),
    )


def _io(text: str) -> tuple[IoEntry, ...]:
    """Lines of `8:0 Read 4096`; the last line is a sum without a device."""
    found: list[IoEntry] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3:
            major, _, minor = words[0].partition(":")
            found.append(IoEntry(int(major), int(minor), words[1].lower(), int(words[2])))
    return tuple(found)


def _io_counters(directory: str, what: str) -> tuple[IoEntry, ...]:
    for name in (f"blkio.throttle.{what}_recursive", f"blkio.bfq.{what}_recursive"):
        if found := _io(read(directory, name)):
            return found
    return ()


def read_stats(directories: dict[str, str]) -> Stats:
    """`directories` are the cgroup's, by controller; one that is not mounted counts nothing."""
    nowhere = "/nonexistent"
    memory, pids, io = (directories.get(name, nowhere) for name in ("memory", "pids", "blkio"))
    return Stats(
        cpu=_cpu(directories.get("cpuacct", nowhere), directories.get("cpu", nowhere)),
        memory=_memory(memory),
        pids=number(read(pids, "pids.current")),
        pids_limit=number(read(pids, "pids.max"), -1),
        io_bytes=_io_counters(io, "io_service_bytes"),
        io_operations=_io_counters(io, "io_serviced"),
    )
