"""No cgroup at all: what an engine has to whom the machine delegates none (a user on v1, or without systemd).

A container then runs without a group of its own: no limit can be set, nothing frozen, nothing counted. Each is
refused with the reason; what only looks finds nothing.
"""

import errno
from typing import Final

from hakobu.kernel.cgroup import convert
from hakobu.kernel.cgroup.file import clean_path
from hakobu.kernel.cgroup.interface import MissingController, Stats
from hakobu.kernel.cgroup.layout import Layout
from hakobu.kernel.cgroup.oom import OomWatch
from hakobu.spec.resources import Resources

WHY: Final = "no cgroup of this machine is delegated to this user"


class NotDelegated(MissingController):
    """A limit, or the freezer, where there is no cgroup to set it in."""

    def __init__(self, controller: str, path: str) -> None:
        super().__init__(controller, "this container", path)
        self.strerror = f"cgroup controller {controller} is not available: {WHY} (hakobu doctor says what to do)"
        self.args = (errno.EOPNOTSUPP, self.strerror)


class TreeAbsent:
    def __init__(self) -> None:
        self.layout = Layout("none")

    def cgroup(self, path: str) -> "CgroupAbsent":
        return CgroupAbsent(clean_path(path))

    def leave_inner_node(self, path: str, leaf: str) -> None:
        """Nobody is in it."""


class CgroupAbsent:
    def __init__(self, path: str) -> None:
        self.path = path

    def exists(self) -> bool:
        return False

    def create(self, resources: Resources) -> None:
        self.apply(resources)

    def apply(self, resources: Resources) -> None:
        """Rules for devices need no group here: nodes cannot be made, and what is bound was given by name."""
        wanted = convert.needed_controllers(resources) - {"devices"}
        for name in (*sorted(wanted), *(key.partition(".")[0] for key in resources.unified)):
            raise NotDelegated(name, self.path)

    def limits(self, resources: Resources) -> list[tuple[str, str]]:
        return []

    def places(self, resources: Resources) -> list[str]:
        return []

    def joined_by(self, resources: Resources) -> list[str]:
        return []

    def clone_fd(self) -> int:
        return -1

    def join_fds(self) -> list[int]:
        return []

    def add(self, pid: int) -> None:
        pass

    def directories(self) -> dict[str, str]:
        return {}

    def processes(self) -> list[int]:
        return []

    def kill(self) -> None:
        """A container's init dies with its shim, and with it all of its pid namespace."""

    def freeze(self) -> None:
        raise NotDelegated("freezer", self.path)

    def thaw(self) -> None:
        raise NotDelegated("freezer", self.path)

    def is_frozen(self) -> bool:
        return False

    def stats(self) -> Stats:
        return Stats()

    def oom_kills(self) -> int:
        return 0

    def watch_oom(self) -> OomWatch:
        raise NotDelegated("memory", self.path)

    def delete(self) -> None:
        pass
