"""A tar stream of a local file or tree, made while it is sent."""

from __future__ import annotations

import os
import tarfile

from hakobu.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_READ_BYTES = 1 << 20
_BLOCK = tarfile.BLOCKSIZE


class pack:
    """Iterates the archive of `path`, its first component named `name`; `size` is what went in so far."""

    def __init__(self, path: str, name: str) -> None:
        self._path = path
        self._name = name
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        links: dict[tuple[int, int], str] = {}
        for path, name in self._walk():
            try:
                yield from self._entry(path, name, links)
            except OSError as e:
                raise Failure(f"{e.filename or path}: {(e.strerror or str(e)).lower()}") from None
        yield bytes(2 * _BLOCK)

    def _walk(self) -> Iterator[tuple[str, str]]:
        top = self._path
        yield top, self._name
        plain = top.rstrip("/") or "/"
        if not os.path.isdir(top) or (os.path.islink(plain) and top == plain):
            return
        for folder, folders, files in os.walk(top):
            below = os.path.relpath(folder, top)
            prefix = self._name if below == "." else f"{self._name}/{below}"
            folders.sort()
            for entry in sorted([*folders, *files]):
                yield os.path.join(folder, entry), f"{prefix}/{entry}"

    def _entry(self, path: str, name: str, links: dict[tuple[int, int], str]) -> Iterator[bytes]:
        follow = path == self._path and path.endswith(("/", "/."))
        stat = os.stat(path) if follow else os.lstat(path)
        info = _info(path, name, stat, links)
        if info is None:
            return
        yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        if info.isreg():
            yield from self._content(path, info.size)

    def _content(self, path: str, size: int) -> Iterator[bytes]:
        """Exactly `size` bytes: a file that shrinks meanwhile is filled up, one that grows is cut."""
        left = size
        with open(path, "rb") as file:
            while left and (data := file.read(min(left, _READ_BYTES))):
                left -= len(data)
                yield data
        self.size += size - left
        padding = left + -size % _BLOCK
        while padding:
            piece = min(padding, _READ_BYTES)
            padding -= piece
            yield bytes(piece)


def _info(path: str, name: str, stat: os.stat_result, links: dict[tuple[int, int], str]) -> tarfile.TarInfo | None:
    """The header of one entry; None for sockets, which tar cannot hold."""
    import stat as modes

    info = tarfile.TarInfo(name)
    info.mode = modes.S_IMODE(stat.st_mode)
    info.uid, info.gid, info.mtime = stat.st_uid, stat.st_gid, int(stat.st_mtime)
    key = (stat.st_dev, stat.st_ino)
    if modes.S_ISDIR(stat.st_mode):
        info.type = tarfile.DIRTYPE
        info.name = f"{name}/"
    elif stat.st_nlink > 1 and key in links:
        info.type, info.linkname = tarfile.LNKTYPE, links[key]
    elif modes.S_ISREG(stat.st_mode):
        info.size = stat.st_size
        links[key] = name
    elif modes.S_ISLNK(stat.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif modes.S_ISFIFO(stat.st_mode):
        info.type = tarfile.FIFOTYPE
    elif modes.S_ISCHR(stat.st_mode) or modes.S_ISBLK(stat.st_mode):
        info.type = tarfile.CHRTYPE if modes.S_ISCHR(stat.st_mode) else tarfile.BLKTYPE
        info.devmajor, info.devminor = os.major(stat.st_rdev), os.minor(stat.st_rdev)
    else:
        return None
    return info
