"""Control groups of all three layouts behind one interface.

`layout.detect` says what is mounted, `open_tree` gives the `Tree` for it, a tree gives a `Cgroup` by its path
(`/hakobu/<id>`, relative to the mounts). A cgroup is created with its limits, processes start in it (`clone_fd`)
or join it (`join_fds`, `join`), it is watched, frozen, killed and deleted.

Joining is the expensive part: to move another process (`cgroup.procs`) the kernel waits for an RCU grace period,
about 10 ms a hierarchy. It does not where a process is cloned into a v2 cgroup, nor where a single-threaded process
writes `0` to a v1 `tasks` file itself (30 µs).
"""

import os
from functools import cache

from hakobu.kernel import userns
from hakobu.kernel.cgroup.absent import TreeAbsent
from hakobu.kernel.cgroup.interface import Cgroup, MissingController, Tree
from hakobu.kernel.cgroup.layout import Layout, detect
from hakobu.kernel.cgroup.v1 import TreeV1
from hakobu.kernel.cgroup.v2 import TreeV2


@cache
def _detected() -> Layout:
    return detect()


def open_tree(layout: Layout | None = None) -> Tree:
    """The tree of this host (found once a process) or of a given layout. OSError(ENOENT) where none is mounted.

    Root of a user namespace has one where directories of it are writable: what was delegated to the user.
    """
    found = _detected() if layout is None else layout
    if not userns.is_initial() and not _is_delegated(found):
        return TreeAbsent()
    return TreeV2(found) if found.version == "v2" else TreeV1(found)


def _is_delegated(layout: Layout) -> bool:
    """v1 has no delegation to speak of: it counts where the whole of its hierarchies belongs to this namespace."""
    tops = (layout.unified,) if layout.version == "v2" else tuple(mount for mount, _ in layout.hierarchies())
    return all(os.access(f"{top}/cgroup.procs", os.W_OK) for top in tops)


__all__ = ["Cgroup", "Layout", "MissingController", "Tree", "detect", "open_tree"]
