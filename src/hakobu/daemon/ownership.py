"""Who may run the daemon, and whose code: files of root's or of who called sudo, not writable by group or others."""

import os
import stat

import hakobu
from hakobu.errors import HakobuError, Kind


class CodeNotTrusted(HakobuError):
    kind = Kind.DENIED

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"{path} {why}: code that others can change must not run as root",
            hint="install Hakobu as root, or mend the owner and mode of that path",
        )
        self.path = path


class NotRoot(HakobuError):
    kind = Kind.DENIED

    def __init__(self) -> None:
        super().__init__("an engine needs root", hint="start it through sudo")


def check_user() -> None:
    """Namespaces, mounts and cgroups are made as root; there is no engine of an ordinary user's."""
    if os.geteuid() != 0:
        raise NotRoot


def check_code() -> None:
    """Looks at the package and the directories above its files; does nothing for an ordinary user."""
    if os.geteuid() != 0:
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
