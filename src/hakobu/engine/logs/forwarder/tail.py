"""Reading a log from where one stopped, through rotation and compression, and across processes.

The place is the time of the last line that was sent and how many of that time were: it holds in whichever file the
lines are by now, while an offset would not. Nothing here blocks for longer than a read of a local file.
"""

import json
import os
from collections import deque
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from hakobu.engine.logs.files import LogFile, rotated
from hakobu.engine.logs.forwarder.line import Line
from hakobu.engine.logs.lines import parse_time_ns

BATCH = 256
"""Lines at most that are read, and told as sent, at once."""


class _Raw(msgspec.Struct):
    log: str
    stream: str = "stdout"
    time: str = ""


_decoder = msgspec.json.Decoder(_Raw)


@dataclass(slots=True)
class Place:
    """`time_ns` of the last line, and how many lines of that time were passed."""

    time_ns: int = 0
    count: int = 0

    def passes(self, time_ns: int) -> None:
        if time_ns == self.time_ns:
            self.count += 1
        else:
            self.time_ns, self.count = time_ns, 1


class Bookmark:
    """The place in a small file beside the log; whoever holds it is the only one that sends."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def fileno(self) -> int:
        return self._fd

    def load(self) -> Place:
        try:
            told = json.loads(os.pread(self._fd, 4096, 0))
            return Place(int(told["time_ns"]), int(told["count"]))
        except (ValueError, KeyError, TypeError):
            return Place()

    def save(self, place: Place) -> None:
        data = json.dumps({"time_ns": place.time_ns, "count": place.count}).ljust(80).encode()
        os.pwrite(self._fd, data, 0)

    def close(self) -> None:
        os.close(self._fd)


class Tail:
    """`read` gives the lines behind `place`; an empty list is the present end.

    `held` is a descriptor of the log (given away), for the day its folder goes before it was looked at.
    """

    def __init__(self, path: str, place: Place, held: int = -1) -> None:
        self._path, self._held = path, held
        self.place = place
        self._files: deque[BinaryIO] = deque()
        self._skip, self._from_ns = place.count, place.time_ns
        self._rest = b""

    def close(self) -> None:
        self._forget()
        self._let_go()

    def _forget(self) -> None:
        while self._files:
            self._files.popleft().close()

    def _let_go(self) -> None:
        if self._held >= 0:
            os.close(self._held)
            self._held = -1

    def read(self) -> list[Line]:
        """The caller moves `place` with each line that was sent, before it reads again."""
        found: list[Line] = []
        while len(found) < BATCH and (self._files or self._open()):
            raw = self._next()
            if raw is not None:
                if (line := self._parse(raw)) is not None:
                    found.append(line)
            elif len(self._files) > 1:
                self._files.popleft().close()
                self._rest = b""
            elif found or not self._is_rotated() or not self._open():
                break
        return found

    def _open(self) -> bool:
        """All files from the oldest that may hold what comes next to the current one, in order."""
        self._forget()
        self._from_ns, self._skip, self._rest = self.place.time_ns, self.place.count, b""
        before = _inode(self._path)
        for file in _from(self._path, self._from_ns):
            try:
                opened = file.open()
            except FileNotFoundError:
                continue
            if any(os.path.sameopenfile(opened.fileno(), other.fileno()) for other in self._files):
                opened.close()  # a rotation at work has moved it to the next name meanwhile
            else:
                self._files.append(opened)
        if not self._files and self._held >= 0:
            self._files.append(os.fdopen(self._held, "rb"))
            self._held = -1
            return True
        if before == _inode(self._path):
            self._let_go()
            return bool(self._files)
        self._forget()  # rotated in this very moment: the names meant other files
        return self._open()

    def _is_rotated(self) -> bool:
        """Whether the file that was the last is so no more; then it is read from the place once again, as it ended."""
        return _inode(self._path) not in (0, os.fstat(self._files[0].fileno()).st_ino)

    def _next(self) -> bytes | None:
        """One whole line; what a writer is in the middle of is kept until it is whole."""
        part = self._files[0].readline()
        if not part.endswith(b"\n"):
            self._rest += part
            return None
        whole, self._rest = self._rest + part, b""
        return whole

    def _parse(self, raw: bytes) -> Line | None:
        try:
            told = _decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        time_ns = parse_time_ns(told.time)
        if time_ns < self._from_ns:
            return None
        if time_ns == self._from_ns and self._skip > 0:
            self._skip -= 1
            return None
        return Line(told.log.removesuffix("\n"), told.stream, time_ns, partial=not told.log.endswith("\n"))


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return 0


def _from(path: str, time_ns: int) -> list[LogFile]:
    """The files from the newest one that begins before this time, so that nothing of the time is in an older one."""
    files = [*rotated(path), LogFile(path, compressed=False)]
    start = next((i for i in range(len(files) - 1, 0, -1) if _begins_before(files[i], time_ns)), 0)
    return files[start:]


def _begins_before(file: LogFile, time_ns: int) -> bool:
    try:
        with file.open() as opened:
            first = opened.readline()
        return bool(first) and parse_time_ns(_decoder.decode(first).time) < time_ns
    except (FileNotFoundError, EOFError, msgspec.DecodeError):
        return False
