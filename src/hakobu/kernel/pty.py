"""Pseudo terminals of a given devpts instance, opened by descriptor.

The slave is opened with TIOCGPTPEER from the master, never by a path: `/dev/pts/N` may be anything in a container.
Constants: asm-generic/ioctls.h (the same on x86_64 and aarch64).
"""

import fcntl
import os
import struct
import termios
from typing import Final

from hakobu.kernel.openat2 import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, openat2

TIOCGPTN: Final = 0x80045430
TIOCSPTLCK: Final = 0x40045431
TIOCGPTPEER: Final = 0x5441

_INT: Final = struct.Struct("i")
_WINSIZE: Final = struct.Struct("HHHH")
_FLAGS: Final = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC


def open_master(ptmx_dirfd: int, name: str = "ptmx") -> int:
    """A new master, unlocked, from the devpts instance whose root (or whose /dev) is `ptmx_dirfd`."""
    # openat2 and not os.open: a sealed child (see `audit`) opens nothing by path.
    master_fd = openat2(ptmx_dirfd, name, _FLAGS, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
    try:
        fcntl.ioctl(master_fd, TIOCSPTLCK, _INT.pack(0))
    except BaseException:
        os.close(master_fd)
        raise
    return master_fd


def open_slave(master_fd: int) -> int:
    return fcntl.ioctl(master_fd, TIOCGPTPEER, _FLAGS)


def open_pair(ptmx_dirfd: int, name: str = "ptmx") -> tuple[int, int]:
    """(master, slave), both close-on-exec, neither the controlling terminal."""
    master_fd = open_master(ptmx_dirfd, name)
    try:
        return master_fd, open_slave(master_fd)
    except BaseException:
        os.close(master_fd)
        raise


def number(master_fd: int) -> int:
    """N of /dev/pts/N in the master's devpts."""
    return _INT.unpack(fcntl.ioctl(master_fd, TIOCGPTN, _INT.pack(0)))[0]


def set_window_size(fd: int, rows: int, columns: int) -> None:
    """Also sends SIGWINCH to the foreground process group. Values above 65535 are cut to it."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, _WINSIZE.pack(min(rows, 0xFFFF), min(columns, 0xFFFF), 0, 0))


def window_size(fd: int) -> tuple[int, int]:
    """(rows, columns)"""
    rows, columns, _, _ = _WINSIZE.unpack(fcntl.ioctl(fd, termios.TIOCGWINSZ, _WINSIZE.pack(0, 0, 0, 0)))
    return rows, columns


def make_controlling(slave_fd: int) -> None:
    """The caller must lead a session (setsid) that has no terminal yet."""
    fcntl.ioctl(slave_fd, termios.TIOCSCTTY, 0)


def set_raw(fd: int) -> list[int | list[bytes | int]]:
    """Raw mode as cfmakeraw(3) has it; gives the former attributes for `restore`."""
    before = termios.tcgetattr(fd)
    iflag, oflag, cflag, lflag, ispeed, ospeed, characters = termios.tcgetattr(fd)
    iflag &= ~(
        termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP
        | termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON
    )  # fmt: skip
    oflag &= ~termios.OPOST
    lflag &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    cflag = cflag & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    characters = list(characters)
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    termios.tcsetattr(fd, termios.TCSADRAIN, [iflag, oflag, cflag, lflag, ispeed, ospeed, characters])
    return before


def restore(fd: int, attributes: list[int | list[bytes | int]]) -> None:
    termios.tcsetattr(fd, termios.TCSADRAIN, attributes)
