"""The mark in a layer's directory that a name of the layers below is gone.

Overlayfs's own is a character device (0, 0), which also a user may make. An overlay below takes none (EPERM), and can
hold no overlay either: there, where snapshots are copies, the mark is a socket without any permission and of time 0.
No archive brings a socket.
"""

import errno
import os
import stat


def make_whiteout(name: str | bytes, dir_fd: int) -> None:
    try:
        os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=dir_fd)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
        os.mknod(name, stat.S_IFSOCK, dir_fd=dir_fd)
        os.utime(name, ns=(0, 0), dir_fd=dir_fd, follow_symlinks=False)


def is_whiteout(info: os.stat_result) -> bool:
    if stat.S_ISSOCK(info.st_mode):
        return not stat.S_IMODE(info.st_mode) and not info.st_mtime_ns
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0
