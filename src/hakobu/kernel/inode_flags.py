"""Inode flags, as chattr(1) sets them: ioctl_iflags(2).

Constants: linux/fs.h. File systems know different ones and answer EOPNOTSUPP or ENOTTY for the rest.
"""

import fcntl
import os
import struct
from typing import Final

FS_TOPDIR_FL: Final = 0x00020000

_FS_IOC_GETFLAGS: Final = 0x80086601
_FS_IOC_SETFLAGS: Final = 0x40086602
_FLAGS: Final = struct.Struct("l")  # the ioctl's number says long, file systems use its first 32 bits


def add_flags(path: str, flags: int) -> None:
    """Sets `flags` on a file or directory that is the caller's, beside those it has."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        (present,) = _FLAGS.unpack(fcntl.ioctl(fd, _FS_IOC_GETFLAGS, bytes(_FLAGS.size)))
        if present & flags != flags:
            fcntl.ioctl(fd, _FS_IOC_SETFLAGS, _FLAGS.pack(present | flags))
    finally:
        os.close(fd)
