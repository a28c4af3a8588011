"""Putting a compiled filter on this process, and reading back what a process has.

Apart from the compiler, because whoever enters containers needs only this: no library, no hashes, no profiles.
Constants: linux/seccomp.h, linux/filter.h.
"""

import ctypes
import os
import re
import struct
from ctypes import c_char_p, c_uint
from typing import Final

from hakobu.kernel.libc import oserror, syscall
from hakobu.spec.dataclass import dataclass

SECCOMP_SET_MODE_FILTER: Final = 1
SECCOMP_MODE_FILTER: Final = 2
SECCOMP_FILTER_FLAG_NEW_LISTENER: Final = 1 << 3

_INSTRUCTION_BYTES: Final = 8
_FPROG: Final = struct.Struct("HxxxxxxP")  # struct sock_fprog
_seccomp = syscall("seccomp", c_uint, c_uint, c_char_p)


def install(program: bytes, flags: int = 0, *, listener: bool = False) -> int:
    """Puts the filter on this thread for good. Needs CAP_SYS_ADMIN or no_new_privs (else EACCES).

    With `listener` (SECCOMP_FILTER_FLAG_NEW_LISTENER, Linux 5.0) gives the descriptor that hears of SCMP_ACT_NOTIFY.
    """
    if listener:
        flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER
    buffer = ctypes.create_string_buffer(program, len(program))
    count = len(program) // _INSTRUCTION_BYTES
    result = _seccomp(SECCOMP_SET_MODE_FILTER, flags, _FPROG.pack(count, ctypes.addressof(buffer)))
    if result < 0:
        raise oserror("seccomp")
    return int(result)


@dataclass(frozen=True, slots=True)
class SeccompStatus:
    """What /proc/<pid>/status says; `mode` 2 is a filter. `filters` is -1 before Linux 5.9."""

    no_new_privs: bool
    mode: int
    filters: int


_FIELDS: Final = re.compile(rb"^(NoNewPrivs|Seccomp|Seccomp_filters):\s*([0-9]+)$", re.MULTILINE)


def read_status(pid: int | str = "self", proc_fd: int | None = None) -> SeccompStatus:
    """Reads a process's state back, from outside it: a filter may forbid the process itself to look."""
    path = f"{pid}/status" if proc_fd is not None else f"/proc/{pid}/status"
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc_fd)
    try:
        found = dict(_FIELDS.findall(os.read(fd, 65536)))
    finally:
        os.close(fd)
    return SeccompStatus(
        int(found.get(b"NoNewPrivs", 0)) == 1, int(found.get(b"Seccomp", 0)), int(found.get(b"Seccomp_filters", -1))
    )
