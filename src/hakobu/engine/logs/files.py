"""The files of one log: the current one and what rotation left, oldest first; where a tail begins."""

import gzip
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class LogFile:
    path: str
    compressed: bool

    def open(self) -> BinaryIO:
        return cast("BinaryIO", gzip.open(self.path) if self.compressed else open(self.path, "rb"))


def rotated(path: str) -> tuple[LogFile, ...]:
    """`path.N`, …, `path.1` (possibly `.gz`), oldest first; without the current file.

    One number may be missing: a rotation that is at work moves each to the next, from the highest down.
    """
    found: list[LogFile] = []
    missing = 0
    for number in range(1, 1000):
        plain, packed = f"{path}.{number}", f"{path}.{number}.gz"
        if os.path.exists(plain):
            found.append(LogFile(plain, compressed=False))
        elif os.path.exists(packed):
            found.append(LogFile(packed, compressed=True))
        elif missing:
            break
        else:
            missing = 1
    return tuple(reversed(found))


def clear(path: str) -> int:
    """Empties the current file, which its writer only appends to, and removes rotated ones; gives the freed bytes."""
    freed = total_bytes(path)
    for file in rotated(path):
        os.unlink(file.path)
    try:
        os.truncate(path, 0)
    except FileNotFoundError:
        pass  # Nothing was printed yet.
    return freed


def total_bytes(path: str) -> int:
    """Bytes a scan of everything has to read, compressed files counted as they lie."""
    sizes = (_size(f.path) for f in (*rotated(path), LogFile(path, compressed=False)))
    return sum(sizes)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def blocks(file: BinaryIO, offset: int = 0) -> Iterator[bytes]:
    """Whole lines in blocks of about `BLOCK` bytes; a last line without a newline is given as it is."""
    file.seek(offset)
    rest = b""
    while data := file.read(BLOCK):
        data = rest + data
        cut = data.rfind(b"\n") + 1
        rest = data[cut:]
        if cut:
            yield data[:cut]
    if rest:
        yield rest


def tail_offset(file: BinaryIO, count: int) -> tuple[int, int]:
    """Where the last `count` lines begin, and how many of them the file had."""
    end = file.seek(0, os.SEEK_END)
    position, seen = end, 0
    while position > 0:
        step = min(BLOCK, position)
        position -= step
        file.seek(position)
        data = file.read(step)
        index = len(data) - 1 if position + step == end and data.endswith(b"\n") else len(data)
        while (index := data.rfind(b"\n", 0, index)) >= 0:
            seen += 1
            if seen == count:
                return position + index + 1, count
    return 0, min(count, seen + (1 if end else 0))
