"""/proc/<pid>/mountinfo as values (proc(5)). Text keeps undecodable bytes as surrogates."""

import os
import re
from typing import Final

from hakobu.spec.dataclass import dataclass

_OCTAL: Final = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class MountInfo:
    """One mount. `options` are the mount's own, `super_options` the file system's; peer groups are 0 for none."""

    mount_id: int
    parent_id: int
    major: int
    minor: int
    root: str
    mount_point: str
    options: tuple[str, ...]
    shared: int
    master: int
    unbindable: bool
    fstype: str
    source: str
    super_options: tuple[str, ...]

    @property
    def propagation(self) -> str:
        """`shared`, `slave`, `unbindable` or `private`; a shared slave is `shared`."""
        if self.shared:
            return "shared"
        if self.master:
            return "slave"
        return "unbindable" if self.unbindable else "private"


def _text(field: bytes) -> str:
    return os.fsdecode(_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), field))


def _peer_group(fields: list[bytes], name: bytes) -> int:
    return next((int(field[len(name) :]) for field in fields if field.startswith(name)), 0)


def parse_line(line: bytes) -> MountInfo:
    """One line; ValueError where it is none."""
    fields = line.rstrip(b"\n").split(b" ")
    dash = fields.index(b"-", 6)
    major, minor = fields[2].split(b":")
    optional = fields[6:dash]
    return MountInfo(
        mount_id=int(fields[0]),
        parent_id=int(fields[1]),
        major=int(major),
        minor=int(minor),
        root=_text(fields[3]),
        mount_point=_text(fields[4]),
        options=tuple(_text(fields[5]).split(",")),
        shared=_peer_group(optional, b"shared:"),
        master=_peer_group(optional, b"master:"),
        unbindable=b"unbindable" in optional,
        fstype=_text(fields[dash + 1]),
        source=_text(fields[dash + 2]),
        super_options=tuple(_text(fields[dash + 3]).split(",")),
    )


def parse(content: bytes) -> tuple[MountInfo, ...]:
    return tuple(parse_line(line) for line in content.split(b"\n") if line)


def read(path: str = "/proc/self/mountinfo") -> tuple[MountInfo, ...]:
    with open(path, "rb") as file:
        return parse(file.read())


def mount_of(path: str, mounts: tuple[MountInfo, ...]) -> MountInfo | None:
    """The mount an absolute, clean path is on: the last one of the longest matching mount point."""
    best: MountInfo | None = None
    for mount in mounts:
        prefix = mount.mount_point.rstrip("/")
        inside = path == mount.mount_point or path.startswith(prefix + "/")
        if inside and (best is None or len(mount.mount_point) >= len(best.mount_point)):
            best = mount
    return best
