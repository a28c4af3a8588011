"""Extended attributes of a directory's entry, links and special files included, without following anything.

By descriptor the standard library's `os.getxattr(fd, …)` does. For an entry that cannot be opened (a symbolic
link, a device) Linux 6.13 has `setxattrat` and its siblings; before that `l*xattr` is called on
`/proc/self/fd/<dirfd>/<name>`, where only the last component is ours and is not followed.
Invariant: `name` is one component; anything else is refused.
"""

import ctypes
import errno
import os
import struct
from ctypes import c_char_p, c_int, c_size_t, c_uint, c_void_p
from typing import Final

from hakobu.kernel.libc import check, oserror, syscall

AT_SYMLINK_NOFOLLOW: Final = 0x100
XATTR_SIZE_MAX: Final = 65536
XATTR_LIST_MAX: Final = 65536

_setxattrat = syscall("setxattrat", c_int, c_char_p, c_uint, c_char_p, c_char_p, c_size_t)
_getxattrat = syscall("getxattrat", c_int, c_char_p, c_uint, c_char_p, c_char_p, c_size_t)
_listxattrat = syscall("listxattrat", c_int, c_char_p, c_uint, c_void_p, c_size_t)
_removexattrat = syscall("removexattrat", c_int, c_char_p, c_uint, c_char_p)
_XATTR_ARGS: Final = struct.Struct("QII")  # struct xattr_args: value, size, flags

_has_at: bool | None = None


def has_xattrat() -> bool:
    """Whether this kernel has the calls: an empty argument struct answers EINVAL, an old kernel ENOSYS."""
    global _has_at
    if _has_at is None:
        _removexattrat(-1, b"x", 0, b"user.x")
        _has_at = ctypes.get_errno() == errno.EBADF
    return _has_at


def pretend_without_xattrat() -> None:
    """For tests: take the way of the kernels before 6.13."""
    global _has_at
    _has_at = False


def _component(name: bytes) -> bytes:
    if not name or b"/" in name or name in (b".", b".."):
        raise OSError(errno.EINVAL, "xattr: not a single path component", name)
    return name


def _old_path(dirfd: int, name: bytes) -> bytes:
    return b"/proc/self/fd/%d/%s" % (dirfd, name)


def set_at(dirfd: int, name: bytes, attribute: str, value: bytes) -> None:
    name = _component(name)
    if not has_xattrat():
        os.setxattr(_old_path(dirfd, name), attribute, value, follow_symlinks=False)
        return
    buffer = ctypes.create_string_buffer(value, len(value)) if value else None
    args = _XATTR_ARGS.pack(ctypes.addressof(buffer) if buffer else 0, len(value), 0)
    if _setxattrat(dirfd, name, AT_SYMLINK_NOFOLLOW, os.fsencode(attribute), args, len(args)) < 0:
        raise oserror("setxattrat", name)


def get_at(dirfd: int, name: bytes, attribute: str) -> bytes:
    name = _component(name)
    if not has_xattrat():
        return os.getxattr(_old_path(dirfd, name), attribute, follow_symlinks=False)
    buffer = ctypes.create_string_buffer(XATTR_SIZE_MAX)
    args = _XATTR_ARGS.pack(ctypes.addressof(buffer), XATTR_SIZE_MAX, 0)
    size = _getxattrat(dirfd, name, AT_SYMLINK_NOFOLLOW, os.fsencode(attribute), args, len(args))
    return buffer.raw[: check(size, "getxattrat", name)]


def list_at(dirfd: int, name: bytes) -> list[str]:
    name = _component(name)
    if not has_xattrat():
        return os.listxattr(_old_path(dirfd, name), follow_symlinks=False)
    buffer = ctypes.create_string_buffer(XATTR_LIST_MAX)
    size = check(_listxattrat(dirfd, name, AT_SYMLINK_NOFOLLOW, buffer, XATTR_LIST_MAX), "listxattrat", name)
    return [os.fsdecode(item) for item in buffer.raw[:size].split(b"\0") if item]


def remove_at(dirfd: int, name: bytes, attribute: str) -> None:
    name = _component(name)
    if not has_xattrat():
        os.removexattr(_old_path(dirfd, name), attribute, follow_symlinks=False)
        return
    if _removexattrat(dirfd, name, AT_SYMLINK_NOFOLLOW, os.fsencode(attribute)) < 0:
        raise oserror("removexattrat", name)
