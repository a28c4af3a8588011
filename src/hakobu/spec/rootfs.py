"""A container's root file system as a value: the directories an overlay is made of, and its init layer.

Names are relative to `snapshots_dir` and short, so that 125 of them fit into one page of mount options.
"""

from typing import Literal

from hakobu.spec.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class InitEntry:
    """One thing that must exist in every container before its mounts: absolute `path`; `target` of a link."""

    path: str
    kind: Literal["directory", "file", "link"]
    target: str = ""


@dataclass(frozen=True, slots=True)
class Rootfs:
    """An overlay that can be mounted: `lower` from top to bottom, at least one; `upper` and `work` of this container.

    `lower[0]` is the init layer. Where overlayfs is refused `merged` names a copy of all of it, which is the root then.
    """

    snapshots_dir: str
    lower: tuple[str, ...]
    upper: str
    work: str
    merged: str = ""
