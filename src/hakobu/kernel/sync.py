"""Making what was written durable: syncfs(2) for a whole file system, sync_file_range(2) as a first step of it."""

from ctypes import c_int, c_int64, c_uint
from typing import Final

from hakobu.kernel.libc import check, function

SYNC_FILE_RANGE_WRITE: Final = 2

_syncfs = function("syncfs", c_int)
_sync_file_range = function("sync_file_range", c_int, c_int64, c_int64, c_uint)


def syncfs(fd: int) -> None:
    """Returns when everything written to the file system of `fd` is on its disk; reports write errors since 5.8."""
    check(_syncfs(fd), "syncfs")


def begin_writing(fd: int, offset: int, length: int) -> None:
    """Starts writing a range to the disk and does not wait for it. A sync still has to come."""
    check(_sync_file_range(fd, offset, length, SYNC_FILE_RANGE_WRITE), "sync_file_range")
