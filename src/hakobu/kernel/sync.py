"""Making what was written durable, a whole file system at once: syncfs(2)."""

from ctypes import c_int

from hakobu.kernel.libc import check, function

_syncfs = function("syncfs", c_int)


def syncfs(fd: int) -> None:
    """Returns when everything written to the file system of `fd` is on its disk; reports write errors since 5.8."""
    check(_syncfs(fd), "syncfs")
