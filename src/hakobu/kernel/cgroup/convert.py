"""OCI's limits as the values of cgroup files: pure, so that every edge is tested without a kernel."""

import math
from typing import Final

from hakobu.spec.resources import Memory, Resources, ThrottleDevice

DEFAULT_PERIOD_US: Final = 100000


def cpu_weight(shares: int) -> int:
    """cpu.weight (1..10000, default 100) for cpu.shares (2..262144, default 1024).

    The curve goes through all three marks, so that a default stays a default; a straight line would make 39 of it.
    """
    if shares == 0:
        return 0
    shares = min(max(shares, 2), 262144)
    log = math.log2(shares)
    return max(1, min(10000, math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))))


def io_weight(weight: int) -> int:
    """io.weight (1..10000) for blkio.weight (10..1000)."""
    return 0 if weight == 0 else 1 + (min(max(weight, 10), 1000) - 10) * 9999 // 990


def limit(value: int) -> str:
    """A v2 limit: -1 is `max`."""
    return "max" if value < 0 else str(value)


def swap_max(memory: Memory) -> str | None:
    """memory.swap.max, which is swap alone, for OCI's memory plus swap; None leaves it.

    ValueError where it is less than the memory, or given without one.
    """
    if memory.swap is None:
        return None
    if memory.swap < 0:
        return "max"
    if memory.limit is None or memory.limit < 0:
        raise ValueError("memory plus swap is limited and memory is not")
    if memory.swap < memory.limit:
        raise ValueError("memory plus swap is less than memory")
    return str(memory.swap - memory.limit)


def cpu_max(quota: int | None, period: int | None) -> str | None:
    """cpu.max of v2: `quota period`."""
    if quota is None and period is None:
        return None
    first = "max" if quota is None or quota <= 0 else str(quota)
    return f"{first} {period or DEFAULT_PERIOD_US}"


def device_number(device: ThrottleDevice) -> str:
    return f"{device.major}:{device.minor}"


def pids_max(value: int) -> str:
    """0 and negative numbers mean no limit to Docker."""
    return "max" if value <= 0 else str(value)


def needed_controllers(resources: Resources) -> frozenset[str]:
    """The controllers whose limits are asked for, by v1's names (`blkio` is v2's `io`)."""
    r = resources
    memory, cpu, block = r.memory, r.cpu, r.block_io
    asked = {
        "memory": any(value is not None for value in (memory.limit, memory.reservation, memory.swap, memory.swappiness))
        or memory.disable_oom_killer,
        "cpu": any(
            value is not None
            for value in (
                cpu.shares,
                cpu.quota,
                cpu.period,
                cpu.burst,
                cpu.idle,
                cpu.realtime_period,
                cpu.realtime_runtime,
            )
        ),
        "cpuset": bool(cpu.cpus or cpu.mems),
        "pids": r.pids_limit is not None,
        "blkio": block != type(block)(),
        "hugetlb": bool(r.hugepage_limits),
        "net_cls": r.network_class_id is not None,
        "net_prio": bool(r.network_priorities),
        "rdma": bool(r.rdma),
        "devices": bool(r.devices),
    }
    return frozenset(name for name, wanted in asked.items() if wanted)
