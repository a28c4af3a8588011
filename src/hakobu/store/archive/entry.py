"""One entry of a tar archive as a value."""

from dataclasses import dataclass, field
from enum import StrEnum

from hakobu.errors import HakobuError, Kind


class BadArchive(HakobuError):
    """What was given is not an archive, or one that nobody should unpack."""

    kind = Kind.INVALID


class EntryType(StrEnum):
    FILE = "file"
    LINK = "link"
    SYMLINK = "symlink"
    CHARACTER = "character"
    BLOCK = "block"
    DIRECTORY = "directory"
    FIFO = "fifo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`name` and `link` are bytes as the archive has them; `sparse` lists (offset, length) of what holds data.

    `size` is the file's real size; the archive holds `stored` bytes for it.
    """

    name: bytes
    type: EntryType
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    stored: int = 0
    mtime_ns: int = 0
    link: bytes = b""
    major: int = 0
    minor: int = 0
    xattrs: dict[str, bytes] = field(default_factory=dict[str, bytes])
    sparse: tuple[tuple[int, int], ...] | None = None

    @property
    def parts(self) -> tuple[bytes, ...]:
        """The path's components, `.` and empty ones left out; `..` is refused: no archive of an image has one."""
        parts = tuple(p for p in self.name.split(b"/") if p not in (b"", b"."))
        if b".." in parts:
            raise BadArchive(f"the archive has an entry outside of its root: {self.name!r}")
        return parts
