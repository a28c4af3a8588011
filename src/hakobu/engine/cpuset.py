"""Lists of processors and memory nodes (`0-2,5`), and which of them this host has."""

from hakobu.errors import Invalid

_ONLINE = {"CPUs": "/sys/devices/system/cpu/online", "memory nodes": "/sys/devices/system/node/online"}
_LARGEST = 8192
"""More than any kernel is built for: a range beyond it is not spelled out."""


def parse(text: str) -> frozenset[int]:
    """Raises ValueError for what is not such a list."""
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, dash, last = part.partition("-")
        low, high = int(first), int(last if dash else first)
        if not 0 <= low <= high <= _LARGEST:
            raise ValueError(text)
        found.update(range(low, high + 1))
    return frozenset(found)


def check(cpus: str, mems: str) -> None:
    """Raises, as Docker does, for what this host has not."""
    _check("CPUs", cpus, "CpusetCpus")
    _check("memory nodes", mems, "CpusetMems")


def _check(what: str, wanted: str, field: str) -> None:
    if not wanted:
        return
    try:
        with open(_ONLINE[what], encoding="ascii") as file:
            available = file.read().strip()
    except FileNotFoundError:
        available = "0"  # a kernel without NUMA has one node and no list of them
    try:
        asked = parse(wanted)
    except ValueError:
        raise Invalid(
            f"Invalid value {wanted} for cpuset {field.removeprefix('Cpuset').lower()}", field=field
        ) from None
    if asked - parse(available):
        raise Invalid(f"Requested {what} are not available - requested {wanted}, available: {available}", field=field)
