"""Resource limits by name: OCI's `RLIMIT_NOFILE` and Docker's `nofile` mean the same number.

Constants: asm-generic/resource.h (the same on x86_64 and aarch64).
"""

import resource
from typing import Final

RLIM_INFINITY: Final = resource.RLIM_INFINITY

RLIMITS: Final = {
    "RLIMIT_CPU": 0,
    "RLIMIT_FSIZE": 1,
    "RLIMIT_DATA": 2,
    "RLIMIT_STACK": 3,
    "RLIMIT_CORE": 4,
    "RLIMIT_RSS": 5,
    "RLIMIT_NPROC": 6,
    "RLIMIT_NOFILE": 7,
    "RLIMIT_MEMLOCK": 8,
    "RLIMIT_AS": 9,
    "RLIMIT_LOCKS": 10,
    "RLIMIT_SIGPENDING": 11,
    "RLIMIT_MSGQUEUE": 12,
    "RLIMIT_NICE": 13,
    "RLIMIT_RTPRIO": 14,
    "RLIMIT_RTTIME": 15,
}


def rlimit_number(name: str) -> int:
    """KeyError for a name the kernel does not have."""
    upper = name.upper()
    return RLIMITS[upper if upper.startswith("RLIMIT_") else f"RLIMIT_{upper}"]


def has_rlimit(name: str) -> bool:
    upper = name.upper()
    return (upper if upper.startswith("RLIMIT_") else f"RLIMIT_{upper}") in RLIMITS


def _limit(value: int) -> int:
    """-1, and OCI's 2^64 - 1, are infinity."""
    return RLIM_INFINITY if value < 0 or value >= 2**64 - 1 else value


def set_rlimit(name: str, soft: int, hard: int, pid: int = 0) -> None:
    """Raising a hard limit needs CAP_SYS_RESOURCE. OSError and no ValueError, as for every call here."""
    limits = (_limit(soft), _limit(hard))
    try:
        resource.prlimit(pid, rlimit_number(name), limits)
    except (ValueError, OverflowError) as error:
        raise OSError(22, f"prlimit: {error}", name) from error


def get_rlimit(name: str, pid: int = 0) -> tuple[int, int]:
    """(soft, hard); -1 is infinity."""
    return resource.prlimit(pid, rlimit_number(name))
