"""Statistics of running containers: one sample, and a stream of pairs as `docker stats` wants them."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable

from hakobu.engine.services import Stats

_COUNTERS = "rx_bytes rx_packets rx_errors rx_dropped _ _ _ _ tx_bytes tx_packets tx_errors tx_dropped".split()


async def stream(
    sample: Callable[[], Stats | None], *, stream: bool, one_shot: bool
) -> AsyncIterator[tuple[Stats | None, Stats]]:
    """Without `stream` one pair: with two samples a second apart, unless `one_shot`."""
    before: Stats | None = None
    while (now := await asyncio.to_thread(sample)) is not None:
        if before is None and not one_shot:
            if stream:
                yield None, now
        else:
            yield before, now
            if not stream:
                return
        before = now
        await asyncio.sleep(1.0)


def network_counters(pid: int) -> dict[str, dict[str, int]]:
    """Interface to counters, as /proc/PID/net/dev of the container's init says; loopback left out."""
    counters: dict[str, dict[str, int]] = {}
    try:
        with open(f"/proc/{pid}/net/dev", encoding="ascii") as table:
            lines = table.readlines()[2:]
    except OSError:
        return counters
    for line in lines:
        name, _, rest = line.partition(":")
        if (interface := name.strip()) == "lo":
            continue
        values = (int(v) for v in rest.split())
        counters[interface] = {k: v for k, v in zip(_COUNTERS, values, strict=False) if k != "_"}
    return counters


def host_cpu_ns() -> int:
    """CPU time of the whole host, as the first line of /proc/stat says (the first seven columns)."""
    with open("/proc/stat", encoding="ascii") as table:
        columns = table.readline().split()[1:8]
    return sum(int(c) for c in columns) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def host_memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def host_cpus() -> int:
    return len(os.sched_getaffinity(0))
