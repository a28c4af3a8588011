"""Which cgroup hierarchies are mounted, from mountinfo.

v2      one unified hierarchy has all controllers
hybrid  v1 hierarchies have the controllers, a v2 hierarchy beside them has few or none
v1      no v2 hierarchy at all
none    there are hierarchies, but none of them is this engine's (never found here: `open_tree` decides)
"""

import errno
import os
from collections.abc import Mapping
from typing import Literal

from hakobu.kernel import mountinfo
from hakobu.spec.dataclass import dataclass, field

_NO_CONTROLLERS = frozenset(("rw", "ro", "xattr", "noprefix", "clone_children", "none", "release_agent"))


@dataclass(frozen=True, slots=True)
class Layout:
    """`controllers` maps each v1 controller, and `name=systemd` and the like, to its mount; `unified` may be empty."""

    version: Literal["v1", "hybrid", "v2", "none"]
    controllers: Mapping[str, str] = field(default_factory=dict[str, str])
    unified: str = ""
    unified_controllers: frozenset[str] = frozenset()

    def has(self, controller: str) -> bool:
        return controller in self.controllers or controller in self.unified_controllers

    def hierarchies(self) -> tuple[tuple[str, frozenset[str]], ...]:
        """(mount, controllers) of each v1 hierarchy; controllers mounted together come together."""
        found: dict[str, set[str]] = {}
        for controller, mount in self.controllers.items():
            found.setdefault(mount, set()).add(controller)
        return tuple((mount, frozenset(names)) for mount, names in found.items())


def _read_controllers(directory: str) -> frozenset[str]:
    try:
        with open(f"{directory}/cgroup.controllers") as file:
            return frozenset(file.read().split())
    except FileNotFoundError:
        return frozenset()


def _v1_names(options: tuple[str, ...]) -> list[str]:
    return [name for name in options if name not in _NO_CONTROLLERS and (name.startswith("name=") or "=" not in name)]


def detect(mounts: tuple[mountinfo.MountInfo, ...] | None = None, prefix: str = "") -> Layout:
    """What is mounted, the first mount of a hierarchy counting. `prefix` is put before mount points (a fake tree)."""
    controllers: dict[str, str] = {}
    unified = ""
    for mount in mountinfo.read() if mounts is None else mounts:
        if mount.fstype == "cgroup2" and not unified:
            unified = prefix + mount.mount_point
        elif mount.fstype == "cgroup":
            for name in _v1_names(mount.super_options):
                controllers.setdefault(name, prefix + mount.mount_point)
    if not controllers and not unified:
        raise OSError(errno.ENOENT, f"cgroup: {os.strerror(errno.ENOENT)}: no hierarchy is mounted", "/sys/fs/cgroup")
    unified_controllers = _read_controllers(unified) if unified else frozenset[str]()
    if not unified:
        return Layout("v1", controllers)
    if any("=" not in name for name in controllers):
        return Layout("hybrid", controllers, unified, unified_controllers)
    return Layout("v2", {}, unified, unified_controllers)
