"""Whether overlayfs works in a place: asked by the store alone; a start's processes do not carry the question."""

import os

from hakobu.kernel import mount, userns
from hakobu.kernel.overlay import options
from hakobu.kernel.procfs import file_system_type

# linux/magic.h: ext4, xfs, btrfs, tmpfs, f2fs
_TAKE_ONE = frozenset((0xEF53, 0x58465342, 0x9123683E, 0x01021994, 0xF2F52010))


def _file_system(directory: str) -> int:
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return file_system_type(fd)
    finally:
        os.close(fd)


def takes(directory: str) -> bool:
    """Whether an overlay can have its upper directory here: not on NFS, on another overlay, where a policy forbids it.

    Asked by making one that is never attached; what it was made of is removed again. That takes the kernel 20 ms, so
    the host's root, whom no policy refuses it, is not asked about file systems that are known to take one.
    """
    if userns.is_initial() and _file_system(directory) in _TAKE_ONE:
        return True
    import tempfile  # seldom needed, and no daemon's start waits for it

    with tempfile.TemporaryDirectory(prefix="overlay-", dir=directory) as folder:
        for name in ("lower", "upper", "work"):
            os.mkdir(f"{folder}/{name}")
        try:
            fs_fd = mount.fsopen("overlay")
            try:
                for key in ("lower", "upper", "work"):
                    mount.fsconfig_set_string(fs_fd, f"{key}dir", f"{folder}/{key}")
                for key, value in options():
                    if value is None:
                        mount.fsconfig_set_flag(fs_fd, key)
                    else:
                        mount.fsconfig_set_string(fs_fd, key, value)
                mount.fsconfig_create(fs_fd)
            finally:
                os.close(fs_fd)
        except OSError:
            return False
    return True
