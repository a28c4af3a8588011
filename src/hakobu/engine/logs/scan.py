"""A whole scan of a log: `tail` found across rotated files, then every file from there on, in order."""

import os
from collections.abc import Iterator
from typing import BinaryIO

from hakobu.engine.logs.files import LogFile, blocks, rotated, tail_offset
from hakobu.engine.logs.lines import Past, renderer
from hakobu.engine.services import LogQuery


class Scan:
    """What the log holds now, rendered; afterwards `end` is where in the current file it stopped."""

    def __init__(self, path: str, query: LogQuery, framed: bool) -> None:
        self._path, self._query = path, query
        self._render = renderer(query, framed)
        self.end = 0
        self.inode = 0
        self.past = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._all()
        except Past as past:
            self.past = True
            yield past.before

    def _all(self) -> Iterator[bytes]:
        if self._query.tail == 0:
            self._skip()
            return
        for file, offset in self._starts():
            try:
                opened = file.open()
            except FileNotFoundError:
                continue  # rotated away in this moment
            with opened:
                current = file.path == self._path
                if current:
                    self.inode = _inode(opened)
                for block in blocks(opened, offset):
                    if current and not block.endswith(b"\n"):
                        break  # a line in the middle of its write: the follower reads it whole
                    yield self._render(block)
                    offset += len(block)
                if current:
                    self.end = offset

    def _skip(self) -> None:
        try:
            with LogFile(self._path, compressed=False).open() as file:
                self.inode, self.end = _inode(file), file.seek(0, 2)
        except FileNotFoundError:
            pass

    def _starts(self) -> tuple[tuple[LogFile, int], ...]:
        """Each file with the offset to read from."""
        files = (*rotated(self._path), LogFile(self._path, compressed=False))
        if self._query.tail < 0:
            return tuple((f, 0) for f in files)
        wanted, chosen = self._query.tail, list[tuple[LogFile, int]]()
        for file in reversed(files):
            if wanted <= 0:
                break
            try:
                with file.open() as opened:
                    offset, had = tail_offset(opened, wanted)
            except FileNotFoundError:
                continue
            chosen.append((file, offset))
            wanted -= had
        return tuple(reversed(chosen))


def _inode(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_ino
