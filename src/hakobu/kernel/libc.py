"""The one door to the C library: prototypes, the raw `syscall`, and the shape of every error.

Invariant: a function object has its `argtypes` declared once, at import, because a variadic call with a wrong
width fails open (a prctl whose argument is cut to 32 bits returns 0). What a call needs in memory is packed to
`bytes` by the caller and passed as `c_char_p`; that is the cheapest way through ctypes.
Must not: look a library up by name at run time (`find_library` starts programs).
"""

import ctypes
import errno
import os
from collections.abc import Callable
from ctypes import c_int, c_long, c_size_t
from functools import partial
from typing import Any, Final, TypeAlias

Path: TypeAlias = str | bytes
"""A path as the kernel takes it; text is encoded with the file system encoding."""

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC_HOLDING_GIL: Final = ctypes.PyDLL(None, use_errno=True)

# name -> (x86_64, aarch64), from asm/unistd_64.h and asm-generic/unistd.h. From 424 on all architectures agree.
_NUMBERS: Final[dict[str, tuple[int, int]]] = {
    "rt_sigaction": (13, 134),
    "clone": (56, 220),
    "setresuid": (117, 147),
    "setresgid": (119, 149),
    "capget": (125, 90),
    "capset": (126, 91),
    "personality": (135, 92),
    "pivot_root": (155, 41),
    "set_mempolicy": (238, 237),
    "add_key": (248, 217),
    "keyctl": (250, 219),
    "ioprio_set": (251, 30),
    "ioprio_get": (252, 31),
    "setns": (308, 268),
    "kcmp": (312, 272),
    "sched_setattr": (314, 274),
    "renameat2": (316, 276),
    "seccomp": (317, 277),
    "memfd_create": (319, 279),
    "bpf": (321, 280),
    "execveat": (322, 281),
    "pidfd_send_signal": (424, 424),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "pidfd_open": (434, 434),
    "clone3": (435, 435),
    "close_range": (436, 436),
    "openat2": (437, 437),
    "pidfd_getfd": (438, 438),
    "mount_setattr": (442, 442),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "setxattrat": (463, 463),
    "getxattrat": (464, 464),
    "listxattrat": (465, 465),
    "removexattrat": (466, 466),
}

_M_TRIM_THRESHOLD: Final = -1  # malloc.h
_M_MMAP_THRESHOLD: Final = -3

MACHINE: Final = os.uname().machine
_COLUMN: Final = {"x86_64": 0, "aarch64": 1}.get(MACHINE, -1)


def syscall_number(name: str) -> int:
    """The number of a system call here. OSError(ENOSYS) on an architecture this package does not know."""
    if _COLUMN < 0:
        raise OSError(errno.ENOSYS, f"{name}: no table of system calls for {MACHINE}")
    return _NUMBERS[name][_COLUMN]


def function(name: str, *argtypes: Any, restype: Any = c_int) -> Callable[..., int]:
    """A function of the C library with its prototype; errno is kept for `oserror`."""
    found = _LIBC[name]
    found.argtypes = argtypes
    found.restype = restype
    return found


def release_free_memory() -> None:
    """Gives whole free pages of the heap back to the kernel, where the C library has a word for it (glibc)."""
    if _malloc_trim is not None:
        _malloc_trim(0)


def keep_freed_memory(limit_bytes: int) -> None:
    """Blocks up to this size come from memory that was freed before, and that much of it is kept (glibc).

    Else each large block is mapped, faulted in page by page, and unmapped again.
    """
    if _mallopt is not None:
        _mallopt(_M_MMAP_THRESHOLD, limit_bytes)
        _mallopt(_M_TRIM_THRESHOLD, limit_bytes)


def syscall(name: str, *argtypes: Any, hold_gil: bool = False) -> Callable[..., int]:
    """A raw system call with its prototype. `hold_gil` is for calls that return twice."""
    found = (_LIBC_HOLDING_GIL if hold_gil else _LIBC)["syscall"]
    found.argtypes = (c_long, *argtypes)
    found.restype = c_long
    return partial(found, syscall_number(name))


def oserror(name: str, path: Path | None = None, number: int = 0) -> OSError:
    """The error of the call that has just failed: errno, text that begins with the call's name, path."""
    number = number or ctypes.get_errno()
    text = f"{name}: {os.strerror(number)}"
    return OSError(number, text) if path is None else OSError(number, text, path)


def check(result: int, name: str, path: Path | None = None) -> int:
    """`result` where the call succeeded; raises where it is negative."""
    if result < 0:
        raise oserror(name, path)
    return result


try:
    _malloc_trim = function("malloc_trim", c_size_t)
    _mallopt = function("mallopt", c_int, c_int)
except AttributeError:  # musl
    _malloc_trim = _mallopt = None
