"""Prints what a container uses (--stats: once), and tells when the kernel killed something in it for want of memory."""

import json
import select

from hakobu.kernel.cgroup.interface import MissingController, Stats
from hakobu.runtime_cli.container import Container, find, open_process
from hakobu.runtime_cli.context import Context, Failed, NotRunning
from hakobu.runtime_cli.option import Option, Parsed
from hakobu.spec.step import Json

OPTIONS = (Option(("interval",)), Option(("stats",), "nothing"))
_UNLIMITED = 2**64 - 1
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def run(context: Context, given: Parsed) -> int:
    container = find(context.root, given.operand(0, "container id"))
    interval_s = _duration(given.text("interval", "5s"))
    status = container.status()
    if status == "stopped":
        raise NotRunning(container.id, status)
    if given.flag("stats"):
        _print(container, "stats", stats_to_json(container.cgroup().stats()))
        return 0
    _follow(container, interval_s)
    return 0


def _duration(text: str) -> float:
    number = text.rstrip("msh")
    try:
        seconds = float(number) * _UNITS[text[len(number) :]]
    except (ValueError, KeyError):
        raise Failed(f"invalid interval: {text}") from None
    if seconds <= 0:
        raise Failed("duration interval must be greater than 0")
    return seconds


def _follow(container: Container, interval_s: float) -> None:
    """Until the container ends."""
    group = container.cgroup()
    poll = select.poll()
    pidfd = open_process(container.record)
    poll.register(pidfd, select.POLLIN)
    try:
        watch = group.watch_oom()
        poll.register(watch.fd, select.POLLIN)
    except MissingController:
        watch = None
    while True:
        ready = [fd for fd, _ in poll.poll(interval_s * 1000)]
        if pidfd in ready:
            return
        if watch is not None and watch.fd in ready:
            for _ in range(watch.take()):
                _print(container, "oom", None)
        if not ready:
            _print(container, "stats", stats_to_json(group.stats()))


def _print(container: Container, type: str, data: Json) -> None:
    told: dict[str, Json] = {"type": type, "id": container.id}
    print(json.dumps({**told, "data": data} if data is not None else told), flush=True)


def stats_to_json(stats: Stats) -> dict[str, Json]:
    """runc's document."""
    cpu, memory = stats.cpu, stats.memory
    return {
        "cpu": {
            "usage": {
                "total": cpu.total_ns,
                "percpu": list(cpu.per_cpu_ns),
                "kernel": cpu.system_ns,
                "user": cpu.user_ns,
            },
            "throttling": {
                "periods": cpu.periods,
                "throttledPeriods": cpu.throttled_periods,
                "throttledTime": cpu.throttled_ns,
            },
        },
        "memory": {
            "cache": memory.stat.get("total_cache", memory.stat.get("file", 0)),
            "usage": {
                "limit": _limit(memory.limit),
                "usage": memory.usage,
                "max": max(memory.max_usage, 0),
                "failcnt": memory.fail_count,
            },
            "swap": {"limit": 0, "usage": memory.swap, "failcnt": 0},
            "kernel": {"limit": 0, "failcnt": 0},
            "kernelTCP": {"limit": 0, "failcnt": 0},
            "raw": dict(memory.stat),
        },
        "pids": {"current": stats.pids, "limit": max(stats.pids_limit, 0)},
        "blkio": {
            "ioServiceBytesRecursive": [
                {"major": e.major, "minor": e.minor, "op": e.op.capitalize(), "value": e.value} for e in stats.io_bytes
            ],
            "ioServicedRecursive": [
                {"major": e.major, "minor": e.minor, "op": e.op.capitalize(), "value": e.value}
                for e in stats.io_operations
            ],
        },
        "hugetlb": {},
        "intel_rdt": {},
        "network_interfaces": None,
    }


def _limit(limit: int) -> int:
    return _UNLIMITED if limit < 0 else limit
