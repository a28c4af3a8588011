"""/proc by a descriptor that nobody can have replaced, and writes that land where they were meant to.

A racing mount can make `/proc/sys/...` mean another file (CVE-2025-52881), so what a start writes goes through a
private proc mount of its own, or through a verified descriptor of the host's, and every opened file is checked to
be procfs's. Paths are resolved without crossing mounts and without magic links.
"""

import errno
import os
from ctypes import c_int, c_void_p, create_string_buffer
from typing import Final

from hakobu.kernel.libc import check, function
from hakobu.kernel.mount import fsconfig_create, fsconfig_set_string, fsmount, fsopen
from hakobu.kernel.openat2 import RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV, openat2
from hakobu.kernel.process import AT_FDCWD

PROC_SUPER_MAGIC: Final = 0x9FA0
SYSFS_MAGIC: Final = 0x62656572
TMPFS_MAGIC: Final = 0x01021994
CGROUP_SUPER_MAGIC: Final = 0x27E0EB
CGROUP2_SUPER_MAGIC: Final = 0x63677270
OVERLAYFS_SUPER_MAGIC: Final = 0x794C7630
NSFS_MAGIC: Final = 0x6E736673
PROC_ROOT_INO: Final = 1

_fstatfs = function("fstatfs", c_int, c_void_p)
_RESOLVE: Final = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS


def file_system_type(fd: int) -> int:
    """The magic number of the file system a descriptor is on (O_PATH is enough)."""
    buffer = create_string_buffer(256)
    check(_fstatfs(fd, buffer), "fstatfs")
    return int.from_bytes(buffer.raw[:8], "little")


def verify_procfs(fd: int) -> None:
    if file_system_type(fd) != PROC_SUPER_MAGIC:
        raise OSError(errno.EXDEV, "fstatfs: not on procfs")


def open_private(subset_pid: bool = False) -> int:
    """A detached proc mount of the caller's pid namespace; `subset_pid` leaves only the processes (Linux 5.8)."""
    fs_fd = fsopen("proc")
    try:
        if subset_pid:
            fsconfig_set_string(fs_fd, "subset", "pid")
        fsconfig_create(fs_fd)
        proc_fd = fsmount(fs_fd)
    finally:
        os.close(fs_fd)
    return _verified(proc_fd)


def open_existing() -> int:
    """The /proc the caller sees, proved to be a procfs's root; take it before entering anything."""
    proc_fd = openat2(AT_FDCWD, "/proc", os.O_PATH | os.O_DIRECTORY, 0, RESOLVE_NO_MAGICLINKS)
    if os.fstat(proc_fd).st_ino != PROC_ROOT_INO:
        os.close(proc_fd)
        raise OSError(errno.EXDEV, "openat2: not the root of a procfs", "/proc")
    return _verified(proc_fd)


def open_procfs() -> int:
    """A private proc mount; where it is not allowed (a masked /proc in a user namespace), the existing one."""
    try:
        return open_private()
    except OSError:
        return open_existing()


def _verified(fd: int) -> int:
    try:
        verify_procfs(fd)
    except OSError:
        os.close(fd)
        raise
    return fd


def open_file(proc_fd: int, path: str, flags: int = os.O_RDONLY) -> int:
    """A file below a proc mount (`self/oom_score_adj`, `sys/net/ipv4/ip_forward`), proved to be procfs's."""
    return _verified(openat2(proc_fd, path, flags, 0, _RESOLVE))


def read(proc_fd: int, path: str) -> bytes:
    fd = open_file(proc_fd, path)
    try:
        parts: list[bytes] = []
        while part := os.read(fd, 65536):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(fd)


def write(proc_fd: int, path: str, value: str) -> None:
    """One write, as procfs wants it; a short one is an error."""
    data = value.encode()
    fd = open_file(proc_fd, path, os.O_WRONLY)
    try:
        if os.write(fd, data) != len(data):
            raise OSError(errno.EIO, "write: cut short", path)
    except OSError as error:
        raise OSError(error.errno, f"write: {os.strerror(error.errno or errno.EIO)}", path) from error
    finally:
        os.close(fd)


def write_verified(proc_fd: int, path: str, value: str) -> None:
    """Writes and reads back; white space between the words does not count (the kernel puts tabs)."""
    write(proc_fd, path, value)
    there = read(proc_fd, path).decode("utf-8", "replace").split()
    if there != value.split():
        raise OSError(errno.EIO, f"write: {' '.join(there)!r} was read back after {value!r}", path)


def sysctl_path(name: str) -> str:
    """`net.ipv4.ip_forward` or `net/ipv4/ip_forward` below a proc mount.

    Where the first separator is a slash, dots belong to a component (an interface called `eth0.1`), else the other
    way round, as sysctl(8) has it.
    """
    dot, slash = name.find("."), name.find("/")
    if slash < 0 or 0 <= dot < slash:
        name = name.translate(str.maketrans("./", "/."))
    parts = name.split("/")
    if not all(parts) or any(part in (".", "..") for part in parts):
        raise OSError(errno.EINVAL, "sysctl: not a name", name)
    return "sys/" + name


def processes_of_pid_namespace(pid: int) -> list[int]:
    """The pids, as seen here, of all in the pid namespace of process `pid`; that one alone where it is our own."""
    try:
        theirs = os.stat(f"/proc/{pid}/ns/pid").st_ino
    except OSError:
        return []
    if theirs == os.stat("/proc/self/ns/pid").st_ino:
        return [pid]
    found: list[int] = []
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                if os.stat(f"/proc/{name}/ns/pid").st_ino == theirs:
                    found.append(int(name))
            except OSError:
                continue  # ended meanwhile, or not ours to look at
    return found
