"""The cgroup that the machine gave to this user's engine: found, and turned into the root of what the engine sees.

Only v2 delegates, and only a group in which nobody else's processes are is taken for ours: the scope in which
`hakobu` (or a unit) started the daemon. Processes stand in its leaf, because a group whose controllers are on may hold
none; a cgroup namespace makes the group the root of the tree that the engine finds mounted.
"""

import errno
import os
from dataclasses import dataclass

from hakobu.kernel.cgroup import Layout, detect, open_tree

LEAF = "engine"


@dataclass(frozen=True, slots=True)
class Delegation:
    """`directory` is the group, as the host has it mounted at `mount_point`."""

    directory: str
    mount_point: str

    def settle(self) -> None:
        """Moves who is in the group into its leaf: whoever has made a cgroup namespace before keeps its root here."""
        open_tree(Layout("v2", unified=self.directory)).leave_inner_node("/", LEAF)

    def take_in(self, pid: int) -> None:
        """A later daemon's process joins the others. OSError where it comes from a group that is not the user's."""
        with open(f"{self.directory}/{LEAF}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(pid))


def find(own_pids: frozenset[int]) -> Delegation | None:
    """The group of this process, where it is the user's to divide and `own_pids` are the only ones in it."""
    try:
        layout = detect()
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return None
    if layout.version != "v2":
        return None
    directory = layout.unified + own_path()
    writable = all(os.access(f"{directory}/{name}", os.W_OK) for name in ("", "cgroup.procs", "cgroup.subtree_control"))
    if not writable:
        return None
    with open(f"{directory}/cgroup.procs", encoding="ascii") as file:
        there = {int(line) for line in file}
    return Delegation(directory, layout.unified) if there <= own_pids else None


def own_path() -> str:
    """This process's group of the v2 hierarchy, from its root (`0::/…`, cgroups(7)); empty for the root."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        found = next((line.rstrip("\n")[3:] for line in file if line.startswith("0::")), "")
    return found.rstrip("/")
