"""A tar stream on its way from one container to another: its root gets another name, the rest stays as it is.

Nothing is unpacked here, and no file is held in memory.
"""

from __future__ import annotations

import tarfile
from typing import IO, cast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE_BYTES = 256 * 1024
# Records that say what the header says too, or how the stream held a sparse file.
_STALE = ("path", "linkpath", "size", "uid", "gid", "uname", "gname")


class _Source:
    """The file that `tarfile` reads from: pieces as they come."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int) -> bytes:
        parts = [self._rest]
        have = len(self._rest)
        while have < size and (piece := next(self._pieces, b"")):
            parts.append(piece)
            have += len(piece)
        data = b"".join(parts)
        self._rest = data[size:]
        return data[:size]


def with_root(pieces: Iterator[bytes], name: str, *, keep_ids: bool) -> Iterator[bytes]:
    """The stream with its first member called `name`, and all below it by that name; `.` is its contents alone.

    Without `keep_ids` everything is root's, as what is copied into a container from here.
    """
    root: str | None = None
    with tarfile.open(fileobj=cast("IO[bytes]", _Source(pieces)), mode="r|") as tar:
        for member in tar:
            plain = member.name.strip("/")
            if root is None:
                root = plain
            member.name = _moved(plain, root, name)
            if not keep_ids:
                member.uid = member.gid = 0
                member.uname = member.gname = ""
            if member.islnk():
                member.linkname = _moved(member.linkname.strip("/"), root, name)
            yield from _encoded(tar, member)
    yield tarfile.NUL * (2 * tarfile.BLOCKSIZE)


def _moved(path: str, root: str, name: str) -> str:
    if path == root:
        return name
    below = path[len(root) + 1 :] if root and path.startswith(f"{root}/") else path
    return f"{name}/{below}"


def _encoded(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    headers = {
        key: value
        for key, value in member.pax_headers.items()
        if key not in _STALE and not key.startswith("GNU.sparse")
    }
    content = tar.extractfile(member) if member.isreg() else None
    member.pax_headers = headers
    yield member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    if content is None:
        return
    while piece := content.read(_PIECE_BYTES):
        yield piece
    if rest := member.size % tarfile.BLOCKSIZE:
        yield tarfile.NUL * (tarfile.BLOCKSIZE - rest)
