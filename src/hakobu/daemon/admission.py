"""What must hold before a daemon starts: code that nobody else can change, and a root directory that is its own.

Trusted files are root's or those of who called sudo, and not writable by group or others.
"""

import os
import stat

import hakobu
from hakobu.errors import HakobuError, Kind
from hakobu.kernel import userns
from hakobu.kernel.process import CLONE_NEWNS, setns


class CodeNotTrusted(HakobuError):
    kind = Kind.DENIED

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"{path} {why}: code that others can change must not run as root",
            hint="install Hakobu as root, or mend the owner and mode of that path",
        )
        self.path = path


class RootIsNotRootless(HakobuError):
    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__("--rootless is for an ordinary user's engine, and this is root", hint="leave the flag out")


def check_user(rootless: bool, keeper: str) -> None:
    """Root has no use for namespaces of a user's; who is root in them has their keeper, which listens in `keeper`."""
    if rootless and os.geteuid() == 0 and (userns.is_initial() or not os.path.exists(f"{keeper}/s")):
        raise RootIsNotRootless


class InChroot(HakobuError):
    kind = Kind.DENIED

    def __init__(self) -> None:
        super().__init__(
            "the engine was started in a chroot: containers joined later would show the files around it",
            hint="start it in a mount namespace whose root is that directory: systemd-nspawn, or pivot_root",
        )


def check_root_directory() -> None:
    """Joining one's own mount namespace leads to its root, and so leads out of a chroot. Needs a single thread."""
    fdinfo = os.open("/proc/self/fdinfo", os.O_PATH | os.O_CLOEXEC)
    here = os.open(".", os.O_PATH | os.O_CLOEXEC)
    namespace = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        before = _root_mount(fdinfo)
        setns(namespace, CLONE_NEWNS)
        os.fchdir(here)
        if _root_mount(fdinfo) != before:
            raise InChroot
    finally:
        for fd in (namespace, here, fdinfo):
            os.close(fd)


def _root_mount(fdinfo: int) -> bytes:
    """The mount id of this process's root directory, as its `fdinfo` directory has it (proc_pid_fdinfo(5))."""
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        entry = os.open(str(root), os.O_RDONLY | os.O_CLOEXEC, dir_fd=fdinfo)
        try:
            lines = os.read(entry, 4096).splitlines()
        finally:
            os.close(entry)
    finally:
        os.close(root)
    return next(line for line in lines if line.startswith(b"mnt_id:"))


def check_code() -> None:
    """Looks at the package and the directories above its files; does nothing where root is an ordinary user's."""
    if not userns.is_initial():
        return
    trusted = {0}
    if (caller := os.environ.get("SUDO_UID", "")).isdigit():
        trusted.add(int(caller))
    package = os.path.dirname(os.path.abspath(hakobu.__file__))
    for path in (package, os.path.dirname(package), os.path.abspath(__file__)):
        info = os.stat(path)
        if info.st_uid not in trusted:
            raise CodeNotTrusted(path, f"belongs to uid {info.st_uid}")
        if info.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not info.st_mode & stat.S_ISVTX:
            raise CodeNotTrusted(path, "is writable by group or others")
