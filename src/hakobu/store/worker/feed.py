"""The bytes of a job's descriptor, in blocks: a pipe or a file until its end, or the body of a client's upload."""

import os
import select
from collections.abc import Iterator
from typing import Final

from hakobu.errors import HakobuError, Kind
from hakobu.spec.upload import Note, take_note, write_note
from hakobu.store.layers.ahead import Block
from hakobu.store.layers.inflate import CHUNK


class UploadLost(HakobuError):
    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__("the client went away before its upload was whole")


class Feed:
    """Iterates over blocks until the end. `stop`, from any thread, makes it fail instead of waiting for more.

    With the note of an upload, `fd` is the client's socket (non-blocking, as the daemon has it): the blocks are what
    the body's framing leaves of it, and `close` notes for the daemon where reading has stopped.
    """

    def __init__(self, fd: int, note_fd: int = -1) -> None:
        self._fd: Final = fd
        self._note_fd: Final = note_fd
        self.ended = False
        self._stop_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._poll.register(self._stop_fd, select.POLLIN)
        self._note = None if note_fd < 0 else take_note(note_fd)

    def __iter__(self) -> Iterator[Block]:
        if self._note_fd >= 0:
            yield from self._body()
            return
        while block := self._read():
            yield block
        self.ended = True

    def _body(self) -> Iterator[Block]:
        note = self._note
        if note is None:
            raise UploadLost
        framing, raw = note.framing, note.raw
        parts: list[Block] = [note.body] if note.body else []
        size = len(note.body)
        while True:
            self._note = None  # for the time of the cut: whoever fails in it has lost its place
            cut, eaten = framing.cut(raw)
            raw = raw[eaten:]
            self._note = Note(framing, raw=raw)
            parts += cut
            size += sum(map(len, cut))
            if parts and (size >= CHUNK or framing.ended):
                yield parts[0] if len(parts) == 1 else b"".join(parts)
                parts, size = [], 0
            if framing.ended:
                return
            data = self._read()
            if not data:
                self._note = Note(framing, lost=True)
                raise UploadLost
            raw = raw + data if raw else data

    def _read(self) -> bytes:
        waits = self._note_fd < 0  # a socket does not block: mostly there is more already
        while True:
            if waits and any(fd == self._stop_fd for fd, _ in self._poll.poll()):
                raise HakobuError("the job has ended")
            try:
                return os.read(self._fd, CHUNK)
            except BlockingIOError:
                waits = True

    def stop(self) -> None:
        os.eventfd_write(self._stop_fd, 1)

    def close(self) -> None:
        if self._note is not None:
            write_note(self._note_fd, self._note)
        os.close(self._stop_fd)
