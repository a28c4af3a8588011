"""Mounts: the classic calls and the descriptor-based mount API of Linux 5.2 and later.

A mount made by `fsmount` or `open_tree(OPEN_TREE_CLONE)` is detached: it exists only through its descriptor
and disappears with it, until `move_mount` gives it a place. Where a file system context has words of its own
about a failure, they are part of the error's text.
Constants: linux/mount.h, sys/mount.h, linux/fcntl.h.
"""

import ctypes
import os
import struct
from ctypes import c_char_p, c_int, c_uint, c_ulong, c_void_p
from typing import Final

from hakobu.kernel.libc import Path, check, function, oserror, syscall

MS_RDONLY: Final = 1
MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MS_NOEXEC: Final = 8
MS_SYNCHRONOUS: Final = 16
MS_REMOUNT: Final = 32
MS_MANDLOCK: Final = 64
MS_DIRSYNC: Final = 128
MS_NOSYMFOLLOW: Final = 256
MS_NOATIME: Final = 1024
MS_NODIRATIME: Final = 2048
MS_BIND: Final = 4096
MS_MOVE: Final = 8192
MS_REC: Final = 16384
MS_SILENT: Final = 32768
MS_UNBINDABLE: Final = 1 << 17
MS_PRIVATE: Final = 1 << 18
MS_SLAVE: Final = 1 << 19
MS_SHARED: Final = 1 << 20
MS_RELATIME: Final = 1 << 21
MS_STRICTATIME: Final = 1 << 24
MS_LAZYTIME: Final = 1 << 25

MNT_FORCE: Final = 1
MNT_DETACH: Final = 2
MNT_EXPIRE: Final = 4
UMOUNT_NOFOLLOW: Final = 8

AT_FDCWD: Final = -100
AT_SYMLINK_NOFOLLOW: Final = 0x100
AT_NO_AUTOMOUNT: Final = 0x800
AT_EMPTY_PATH: Final = 0x1000
AT_RECURSIVE: Final = 0x8000

OPEN_TREE_CLONE: Final = 1
OPEN_TREE_CLOEXEC: Final = os.O_CLOEXEC

MOVE_MOUNT_F_SYMLINKS: Final = 0x1
MOVE_MOUNT_F_AUTOMOUNTS: Final = 0x2
MOVE_MOUNT_F_EMPTY_PATH: Final = 0x4
MOVE_MOUNT_T_SYMLINKS: Final = 0x10
MOVE_MOUNT_T_AUTOMOUNTS: Final = 0x20
MOVE_MOUNT_T_EMPTY_PATH: Final = 0x40
MOVE_MOUNT_SET_GROUP: Final = 0x100
MOVE_MOUNT_BENEATH: Final = 0x200

FSOPEN_CLOEXEC: Final = 1
FSPICK_CLOEXEC: Final = 1
FSPICK_SYMLINK_NOFOLLOW: Final = 2
FSPICK_NO_AUTOMOUNT: Final = 4
FSPICK_EMPTY_PATH: Final = 8
FSMOUNT_CLOEXEC: Final = 1

FSCONFIG_SET_FLAG: Final = 0
FSCONFIG_SET_STRING: Final = 1
FSCONFIG_SET_BINARY: Final = 2
FSCONFIG_SET_PATH: Final = 3
FSCONFIG_SET_PATH_EMPTY: Final = 4
FSCONFIG_SET_FD: Final = 5
FSCONFIG_CMD_CREATE: Final = 6
FSCONFIG_CMD_RECONFIGURE: Final = 7
FSCONFIG_CMD_CREATE_EXCL: Final = 8

MOUNT_ATTR_RDONLY: Final = 0x1
MOUNT_ATTR_NOSUID: Final = 0x2
MOUNT_ATTR_NODEV: Final = 0x4
MOUNT_ATTR_NOEXEC: Final = 0x8
MOUNT_ATTR__ATIME: Final = 0x70
MOUNT_ATTR_RELATIME: Final = 0x0
MOUNT_ATTR_NOATIME: Final = 0x10
MOUNT_ATTR_STRICTATIME: Final = 0x20
MOUNT_ATTR_NODIRATIME: Final = 0x80
MOUNT_ATTR_IDMAP: Final = 0x100000
MOUNT_ATTR_NOSYMFOLLOW: Final = 0x200000

_mount = function("mount", c_char_p, c_char_p, c_char_p, c_ulong, c_char_p)
_umount2 = function("umount2", c_char_p, c_int)
_pivot_root = syscall("pivot_root", c_char_p, c_char_p)
_open_tree = syscall("open_tree", c_int, c_char_p, c_uint)
_move_mount = syscall("move_mount", c_int, c_char_p, c_int, c_char_p, c_uint)
_fsopen = syscall("fsopen", c_char_p, c_uint)
_fsconfig = syscall("fsconfig", c_int, c_uint, c_char_p, c_char_p, c_int)
_fsmount = syscall("fsmount", c_int, c_uint, c_uint)
_fspick = syscall("fspick", c_int, c_char_p, c_uint)
_mount_setattr = syscall("mount_setattr", c_int, c_char_p, c_uint, c_char_p, c_ulong)

_MOUNT_ATTR: Final = struct.Struct("QQQQ")  # struct mount_attr


def mount(source: Path | None, target: Path, fstype: Path | None, flags: int, data: Path | None = None) -> None:
    """mount(2). The path in an error is the target."""
    result = _mount(
        None if source is None else os.fsencode(source),
        os.fsencode(target),
        None if fstype is None else os.fsencode(fstype),
        flags,
        None if data is None else os.fsencode(data),
    )
    if result < 0:
        raise oserror("mount", target)


def umount2(target: Path, flags: int) -> None:
    if _umount2(os.fsencode(target), flags) < 0:
        raise oserror("umount2", target)


def pivot_root(new_root: Path, put_old: Path) -> None:
    """pivot_root(2). `pivot_root(".", ".")` stacks the old root on the new one; then umount2(".", MNT_DETACH)."""
    if _pivot_root(os.fsencode(new_root), os.fsencode(put_old)) < 0:
        raise oserror("pivot_root", new_root)


def open_tree(dirfd: int, path: Path, flags: int = OPEN_TREE_CLOEXEC) -> int:
    """A descriptor of a mount; with OPEN_TREE_CLONE of a detached copy of it (AT_RECURSIVE: and of those below)."""
    return check(_open_tree(dirfd, os.fsencode(path), flags), "open_tree", path)


def move_mount(from_dirfd: int, from_path: Path, to_dirfd: int, to_path: Path, flags: int = 0) -> None:
    """Gives a detached mount its place, or moves one. An empty path means the descriptor itself (add *_EMPTY_PATH)."""
    if _move_mount(from_dirfd, os.fsencode(from_path), to_dirfd, os.fsencode(to_path), flags) < 0:
        raise oserror("move_mount", to_path)


def attach(mount_fd: int, to_fd: int) -> None:
    """Puts a detached mount on the very file `to_fd` stands for (an O_PATH descriptor is enough)."""
    if _move_mount(mount_fd, b"", to_fd, b"", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0:
        raise oserror("move_mount", f"fd {to_fd}")


def fsopen(fstype: Path, flags: int = FSOPEN_CLOEXEC) -> int:
    """A context for a new file system; close it after `fsmount`."""
    return check(_fsopen(os.fsencode(fstype), flags), "fsopen", fstype)


def fspick(dirfd: int, path: Path, flags: int = FSPICK_CLOEXEC) -> int:
    """A context for reconfiguring the file system mounted at a path."""
    return check(_fspick(dirfd, os.fsencode(path), flags), "fspick", path)


def _context_message(fs_fd: int) -> str:
    """What the file system said about the failure: lines of "e text", read until the kernel has no more."""
    words: list[str] = []
    try:
        while len(words) < 8:
            words.append(os.read(fs_fd, 4096).decode("utf-8", "replace").strip())
    except OSError:  # ENODATA: nothing left
        pass
    return "; ".join(word.partition(" ")[2] for word in words if word.startswith("e "))


def _fsconfig_error(fs_fd: int, what: str) -> OSError:
    error = oserror("fsconfig", what)
    said = _context_message(fs_fd)
    return OSError(error.errno, f"{error.strerror} ({said})", what) if said else error


def fsconfig_set_flag(fs_fd: int, key: str) -> None:
    if _fsconfig(fs_fd, FSCONFIG_SET_FLAG, key.encode(), None, 0) < 0:
        raise _fsconfig_error(fs_fd, key)


def fsconfig_set_string(fs_fd: int, key: str, value: Path) -> None:
    """At most 255 bytes of value: the kernel's limit for a string parameter."""
    if _fsconfig(fs_fd, FSCONFIG_SET_STRING, key.encode(), os.fsencode(value), 0) < 0:
        raise _fsconfig_error(fs_fd, key)


def fsconfig_set_path(fs_fd: int, key: str, dirfd: int, path: Path) -> None:
    if _fsconfig(fs_fd, FSCONFIG_SET_PATH, key.encode(), os.fsencode(path), dirfd) < 0:
        raise _fsconfig_error(fs_fd, key)


def fsconfig_set_fd(fs_fd: int, key: str, fd: int) -> None:
    """Overlayfs takes `lowerdir+`, `upperdir` and `workdir` so since Linux 6.13; see `probe`."""
    if _fsconfig(fs_fd, FSCONFIG_SET_FD, key.encode(), None, fd) < 0:
        raise _fsconfig_error(fs_fd, key)


def fsconfig_set_binary(fs_fd: int, key: str, value: bytes) -> None:
    if _fsconfig(fs_fd, FSCONFIG_SET_BINARY, key.encode(), value, len(value)) < 0:
        raise _fsconfig_error(fs_fd, key)


def fsconfig_create(fs_fd: int) -> None:
    """Makes the superblock (FSCONFIG_CMD_CREATE); most bad parameters are told here."""
    if _fsconfig(fs_fd, FSCONFIG_CMD_CREATE, None, None, 0) < 0:
        raise _fsconfig_error(fs_fd, "create")


def fsconfig_reconfigure(fs_fd: int) -> None:
    if _fsconfig(fs_fd, FSCONFIG_CMD_RECONFIGURE, None, None, 0) < 0:
        raise _fsconfig_error(fs_fd, "reconfigure")


def fsmount(fs_fd: int, attr_flags: int = 0, flags: int = FSMOUNT_CLOEXEC) -> int:
    """A detached mount (a descriptor) of the context's file system, with MOUNT_ATTR_* flags."""
    result = _fsmount(fs_fd, flags, attr_flags)
    if result < 0:
        raise _fsconfig_error(fs_fd, "fsmount")
    return result


def new_mount(fstype: str, options: dict[str, Path | None], attr_flags: int = 0) -> int:
    """fsopen, fsconfig for each option (None: a flag), create, fsmount: a detached mount's descriptor."""
    fs_fd = fsopen(fstype)
    try:
        for key, value in options.items():
            if value is None:
                fsconfig_set_flag(fs_fd, key)
            else:
                fsconfig_set_string(fs_fd, key, value)
        fsconfig_create(fs_fd)
        return fsmount(fs_fd, attr_flags)
    finally:
        os.close(fs_fd)


def mount_setattr(
    dirfd: int,
    path: Path,
    flags: int,
    *,
    attr_set: int = 0,
    attr_clr: int = 0,
    propagation: int = 0,
    userns_fd: int = 0,
) -> None:
    """Changes a mount (AT_RECURSIVE: all below, atomically). Propagation is one MS_ constant; Linux 5.12."""
    attr = _MOUNT_ATTR.pack(attr_set, attr_clr, propagation, userns_fd)
    if _mount_setattr(dirfd, os.fsencode(path), flags, attr, _MOUNT_ATTR.size) < 0:
        raise oserror("mount_setattr", path)


class _StatMount(ctypes.Structure):
    """struct statmount, up to `mnt_opts` and the fields a program of ours reads."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("mnt_opts", ctypes.c_uint32),
        ("mask", ctypes.c_uint64),
        ("sb_dev_major", ctypes.c_uint32),
        ("sb_dev_minor", ctypes.c_uint32),
        ("sb_magic", ctypes.c_uint64),
        ("sb_flags", ctypes.c_uint32),
        ("fs_type", ctypes.c_uint32),
        ("mnt_id", ctypes.c_uint64),
        ("mnt_parent_id", ctypes.c_uint64),
        ("mnt_id_old", ctypes.c_uint32),
        ("mnt_parent_id_old", ctypes.c_uint32),
        ("mnt_attr", ctypes.c_uint64),
        ("mnt_propagation", ctypes.c_uint64),
    )


LSMT_ROOT: Final = 0xFFFFFFFFFFFFFFFF
STATMOUNT_SB_BASIC: Final = 0x1
STATMOUNT_MNT_BASIC: Final = 0x2

_MNT_ID_REQ: Final = struct.Struct("IIQQQ")  # struct mnt_id_req, version 1
_statmount = syscall("statmount", c_char_p, c_void_p, c_ulong, c_uint)
_listmount = syscall("listmount", c_char_p, c_void_p, c_ulong, c_uint)


def listmount(mount_id: int = LSMT_ROOT, limit: int = 512) -> list[int]:
    """The unique ids of the mounts below one, of the caller's namespace; Linux 6.8."""
    found: list[int] = []
    buffer = (ctypes.c_uint64 * limit)()
    last = 0
    while True:
        request = _MNT_ID_REQ.pack(_MNT_ID_REQ.size, 0, mount_id, last, 0)
        count = check(_listmount(request, buffer, limit, 0), "listmount")
        found.extend(buffer[:count])
        if count < limit:
            return found
        last = found[-1]


def statmount_attributes(mount_id: int) -> int:
    """The MOUNT_ATTR_* flags of a mount by its unique id (statx STATX_MNT_ID_UNIQUE, listmount); Linux 6.8."""
    buffer = ctypes.create_string_buffer(4096)
    request = _MNT_ID_REQ.pack(_MNT_ID_REQ.size, 0, mount_id, STATMOUNT_MNT_BASIC, 0)
    check(_statmount(request, buffer, 4096, 0), "statmount")
    return int(_StatMount.from_buffer(buffer).mnt_attr)
