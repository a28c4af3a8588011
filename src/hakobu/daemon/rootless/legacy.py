"""What a keeper leaves to the next one, should it be killed: which namespaces these are, and what belongs to them.

A killed keeper takes the network driver along; the containers, their shims and a daemon live on in the namespaces.
The next daemon's keeper finds one of them, by the namespaces' numbers in this boot, and takes over.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from hakobu.daemon.rootless.delegation import Delegation
from hakobu.daemon.rootless.namespaces import TYPES

_FILE = "namespaces.json"


@dataclass(frozen=True, slots=True)
class Legacy:
    """`inodes` in the order of `namespaces.TYPES`."""

    inodes: tuple[int, ...]
    delegation: Delegation | None
    transparent: bool


def write(folder: str, fds: Sequence[int], delegation: Delegation | None, *, transparent: bool) -> None:
    group = [delegation.directory, delegation.mount_point] if delegation is not None else None
    document = {
        "boot": _boot(),
        "inodes": [os.fstat(fd).st_ino for fd in fds],
        "cgroup": group,
        "transparent": transparent,
    }
    with open(f"{folder}/{_FILE}.new", "w", encoding="utf-8") as file:
        json.dump(document, file)
    os.replace(f"{folder}/{_FILE}.new", f"{folder}/{_FILE}")


def read(folder: str) -> Legacy | None:
    """None where there is nothing, or nothing of this boot."""
    try:
        with open(f"{folder}/{_FILE}", encoding="utf-8") as file:
            known = json.loads(file.read(65536))
        if known["boot"] != _boot():
            return None
        group = known["cgroup"]
        return Legacy(
            tuple(int(number) for number in known["inodes"]),
            Delegation(str(group[0]), str(group[1])) if group else None,
            bool(known["transparent"]),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def forget(folder: str) -> None:
    """The last process has left: the kernel may give these numbers to others."""
    with suppress(FileNotFoundError):
        os.unlink(f"{folder}/{_FILE}")


def inhabitant(known: Legacy) -> int | None:
    """A process in all of these namespaces: a shim, or the daemon. Containers have a network of their own."""
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with suppress(OSError):  # another user's, or gone
                if tuple(os.stat(f"/proc/{name}/ns/{kind}").st_ino for kind in TYPES) == known.inodes:
                    return int(name)
    return None


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
