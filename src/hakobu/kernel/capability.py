"""Capabilities: names, masks, and the five sets of a process.

A set is a mask (an int, bit n for capability n). What was asked for is intersected with what this process holds
by the caller's choice (`held`), because a machine may lack some of them from boot on. After `apply` the kernel is
read back: a set that differs raises, since a mistake here fails open.
Constants: linux/capability.h, version 3 of the calls.
"""

import errno
import os
import struct
from ctypes import c_char_p, c_int, c_ulong, c_void_p, create_string_buffer
from functools import cache
from typing import Final

from hakobu.kernel.libc import function, oserror, syscall
from hakobu.kernel.process import (
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_CAP_AMBIENT_RAISE,
    PR_CAPBSET_DROP,
    PR_CAPBSET_READ,
    prctl,
)
from hakobu.spec.dataclass import dataclass

_LINUX_CAPABILITY_VERSION_3: Final = 0x20080522

NAMES: Final = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)
_NUMBER: Final = {name: number for number, name in enumerate(NAMES)}
ALL: Final = (1 << len(NAMES)) - 1

_prctl = function("prctl", c_int, c_ulong, c_ulong, c_ulong, c_ulong)
_capget = syscall("capget", c_char_p, c_void_p)
_capset = syscall("capset", c_char_p, c_char_p)
_HEADER: Final = struct.Struct("Ii")
_DATA: Final = struct.Struct("6I")


@dataclass(frozen=True, slots=True)
class CapabilitySets:
    """The five sets as masks. The default is none at all."""

    effective: int = 0
    permitted: int = 0
    inheritable: int = 0
    bounding: int = 0
    ambient: int = 0


def number(name: str) -> int:
    """The number of a capability by its full name; KeyError for a name this kernel interface does not have."""
    return _NUMBER[name]


def mask(names: tuple[str, ...] | list[str] | frozenset[str]) -> int:
    """The set of these full names (`CAP_CHOWN`); KeyError for an unknown one."""
    result = 0
    for name in names:
        result |= 1 << _NUMBER[name]
    return result


def names(capabilities: int) -> tuple[str, ...]:
    """The names in a mask, in the kernel's order; what this table does not know is left out."""
    return tuple(name for bit, name in enumerate(NAMES) if capabilities >> bit & 1)


@cache
def last_cap() -> int:
    """The highest capability this kernel knows."""
    low, high = 0, 63
    while low < high:
        middle = (low + high + 1) // 2
        try:
            prctl(PR_CAPBSET_READ, middle)
            low = middle
        except OSError:
            high = middle - 1
    return low


def capget(pid: int = 0) -> tuple[int, int, int]:
    """(effective, permitted, inheritable) of a process; 0 is the caller."""
    data = create_string_buffer(_DATA.size)
    if _capget(_HEADER.pack(_LINUX_CAPABILITY_VERSION_3, pid), data) < 0:
        raise oserror("capget")
    words = _DATA.unpack(data.raw)
    return words[0] | words[3] << 32, words[1] | words[4] << 32, words[2] | words[5] << 32


def capset(effective: int, permitted: int, inheritable: int) -> None:
    low = 0xFFFFFFFF
    data = _DATA.pack(
        effective & low, permitted & low, inheritable & low, effective >> 32, permitted >> 32, inheritable >> 32
    )
    if _capset(_HEADER.pack(_LINUX_CAPABILITY_VERSION_3, 0), data) < 0:
        raise oserror("capset")


def bounding() -> int:
    """The caller's bounding set, asked bit by bit: /proc may not be there."""
    found = 0
    for bit in range(last_cap() + 1):
        if _prctl(PR_CAPBSET_READ, bit, 0, 0, 0) == 1:
            found |= 1 << bit
    return found


def drop_bounding(keep: int) -> None:
    """Leaves only `keep` in the bounding set; what is not there already cannot be added. Needs CAP_SETPCAP."""
    for bit in range(last_cap() + 1):
        if not keep >> bit & 1 and _prctl(PR_CAPBSET_DROP, bit, 0, 0, 0) < 0:
            raise oserror("prctl")


def clear_ambient() -> None:
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)


def raise_ambient(capabilities: int) -> None:
    """Adds to the ambient set; each must be permitted and inheritable."""
    for bit in range(last_cap() + 1):
        if capabilities >> bit & 1:
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit)


def held() -> int:
    """What this process can give on: permitted and in the bounding set."""
    return capget()[1] & bounding()


def read_status(pid: int | str = "self", proc_fd: int | None = None) -> CapabilitySets:
    """The sets as /proc/<pid>/status tells them (`proc_fd`: a descriptor of a proc mount)."""
    path = f"{pid}/status" if proc_fd is not None else f"/proc/{pid}/status"
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc_fd)
    try:
        text = os.read(fd, 65536)
    finally:
        os.close(fd)
    found = {line[:6]: int(line[7:], 16) for line in text.splitlines() if line.startswith(b"Cap")}
    return CapabilitySets(found[b"CapEff"], found[b"CapPrm"], found[b"CapInh"], found[b"CapBnd"], found[b"CapAmb"])


def verify(wanted: CapabilitySets) -> None:
    """Raises OSError(EPERM) where effective, permitted, inheritable or bounding differ from what was wanted."""
    effective, permitted, inheritable = capget()
    for what, have, want in (
        ("effective", effective, wanted.effective),
        ("permitted", permitted, wanted.permitted),
        ("inheritable", inheritable, wanted.inheritable),
        ("bounding", bounding(), wanted.bounding),
    ):
        if have != want:
            raise OSError(errno.EPERM, f"capset: the {what} set is {have:#x} where {want:#x} was asked for")
