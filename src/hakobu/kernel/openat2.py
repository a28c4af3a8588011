"""openat2(2): opening a path under rules about how it may be resolved (Linux 5.6).

The only way into a container's tree. `RESOLVE_IN_ROOT` makes `..` and absolute links stay below the directory;
the kernel answers EAGAIN when a rename raced with a `..`, so the call is repeated a bounded number of times.
"""

import ctypes
import errno
import os
import struct
from ctypes import c_char_p, c_int, c_ulong
from typing import Final

from hakobu.kernel.libc import Path, oserror, syscall

RESOLVE_NO_XDEV: Final = 0x01
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_BENEATH: Final = 0x08
RESOLVE_IN_ROOT: Final = 0x10
RESOLVE_CACHED: Final = 0x20

_openat2 = syscall("openat2", c_int, c_char_p, c_char_p, c_ulong)
_OPEN_HOW: Final = struct.Struct("QQQ")  # struct open_how
_ATTEMPTS: Final = 128


def openat2(dirfd: int, path: Path, flags: int, mode: int = 0, resolve: int = RESOLVE_IN_ROOT) -> int:
    """A new descriptor, always close-on-exec and never a controlling terminal.

    `mode` must be 0 unless O_CREAT or O_TMPFILE is given.
    """
    encoded = os.fsencode(path)
    flags |= os.O_CLOEXEC if flags & os.O_PATH else os.O_CLOEXEC | os.O_NOCTTY  # EINVAL beside O_PATH
    how = _OPEN_HOW.pack(flags, mode, resolve)
    for _ in range(_ATTEMPTS):
        fd = _openat2(dirfd, encoded, how, _OPEN_HOW.size)
        if fd >= 0:
            return fd
        if ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
            break
    raise oserror("openat2", path)
