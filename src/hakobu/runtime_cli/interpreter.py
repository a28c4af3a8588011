"""A read-only mount of the interpreter, made once for each name that the command is installed under.

What enters a container must not be the host's python, or it could be overwritten from inside (CVE-2019-5736). A
memory file costs every call a second start of Python, which is half of what runc takes; a mount is there already
when the command begins, and who reopens /proc/<pid>/exe for writing meets EROFS: the link leads through this mount,
which nobody can change who has not the host's mount namespace. `python3` lies beside a pyvenv.cfg that says where its
library is and a boot.py that says where this package is. It stays until the next boot.
"""

import fcntl
import os
import sys
from typing import Final

from hakobu.kernel import mount
from hakobu.kernel.memory_interpreter import libpython_directory

ROOT: Final = "/run/hakobu-runtime/.interpreter"
_BOOT: Final = """\
import sys
sys.path.append({path!r})
from hakobu.runtime_cli.entry import main
main({original!r})
"""


def stand(name: str, package_path: str, original: str = "") -> list[str]:
    """Makes the mount for the command called by this absolute name, or renews it; the argv that runs from it.

    Empty where that cannot be: no right to mount, or a libpython of its own, which a moved program would not find.
    """
    original = original or os.path.realpath("/proc/self/exe")
    if os.geteuid() or libpython_directory():
        return []
    place = ROOT + os.path.normpath(name)
    try:
        os.makedirs(place, exist_ok=True)
        fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            _write(fd, "pyvenv.cfg", f"home = {sys.base_prefix}/bin\n")
            _write(fd, "boot.py", _BOOT.format(path=package_path, original=original))
            _mount(original, f"{place}/python3")
        finally:
            os.close(fd)
    except OSError:
        return []
    return [f"{place}/python3", "-I", "-S", "-B", f"{place}/boot.py"]


def name_of_boot() -> str:
    """The name that the command was called by, from within boot.py."""
    return os.path.dirname(sys.argv[0]).removeprefix(ROOT)


def _write(directory_fd: int, name: str, text: str) -> None:
    fd = os.open(f"{name}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644, dir_fd=directory_fd)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
    os.rename(f"{name}.new", name, src_dir_fd=directory_fd, dst_dir_fd=directory_fd)


def _mount(original: str, target: str) -> None:
    """In one step, so that it is never there and writable. An older program's goes; what runs from it runs on."""
    os.close(os.open(target, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    if os.path.samefile(original, target):
        return
    try:
        mount.umount2(target, mount.MNT_DETACH)
    except OSError:
        pass  # nothing was there
    tree_fd = mount.open_tree(mount.AT_FDCWD, original, mount.OPEN_TREE_CLONE | mount.OPEN_TREE_CLOEXEC)
    try:
        attributes = mount.MOUNT_ATTR_RDONLY | mount.MOUNT_ATTR_NOSUID | mount.MOUNT_ATTR_NODEV
        mount.mount_setattr(tree_fd, "", mount.AT_EMPTY_PATH, attr_set=attributes)
        mount.move_mount(tree_fd, "", mount.AT_FDCWD, target, mount.MOVE_MOUNT_F_EMPTY_PATH)
    finally:
        os.close(tree_fd)
