"""The body of a request in other hands: a worker reads it from the client's socket, and the daemon sees no byte of it.

    daemon                                       worker
    note: framing, what has arrived already  →
                                                 empties the note, reads the socket
                                             ←   note: framing, what was read too far

Both sides know where the body ends by one and the same code (`framing`). Invariant: an empty note says that the other
side has read and not told where it stopped; the connection is of no use then.
"""

import os
from dataclasses import dataclass

from hakobu.spec.framing import Framing


@dataclass(frozen=True, slots=True)
class Note:
    """`body` has been cut out of the stream already, `raw` has not; both are older than what the socket has."""

    framing: Framing
    body: bytes = b""
    raw: bytes = b""
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Upload:
    """Two descriptors to pass on: the socket's, and that of the note, a file in memory."""

    fd: int
    note_fd: int

    @classmethod
    def of(cls, body: bytes) -> "Upload":
        """One that is all there."""
        ended = Framing(chunked=False)
        note_fd = os.memfd_create("upload", os.MFD_CLOEXEC)
        write_note(note_fd, Note(ended, body))
        return cls(os.dup(note_fd), note_fd)

    @classmethod
    def of_file(cls, fd: int) -> "Upload":
        """One that lies in a file, from its beginning; takes the descriptor over."""
        note_fd = os.memfd_create("upload", os.MFD_CLOEXEC)
        write_note(note_fd, Note(Framing(chunked=False, length=os.lseek(fd, 0, os.SEEK_END))))
        os.lseek(fd, 0, os.SEEK_SET)
        return cls(fd, note_fd)

    @property
    def fds(self) -> tuple[int, int]:
        return self.fd, self.note_fd

    def close(self) -> None:
        os.close(self.fd)
        os.close(self.note_fd)


def write_note(fd: int, note: Note) -> None:
    head = f"{len(note.body)} {int(note.lost)} {note.framing.to_note()}\n".encode()
    os.ftruncate(fd, 0)
    os.pwrite(fd, head + note.body + note.raw, 0)


def take_note(fd: int) -> Note | None:
    """Reads and empties it; None where it was empty."""
    data = os.pread(fd, os.fstat(fd).st_size, 0)
    os.ftruncate(fd, 0)
    if not data:
        return None
    head, _, rest = data.partition(b"\n")
    size, lost, framing = head.split(b" ", 2)
    return Note(Framing.from_note(framing.decode()), rest[: int(size)], rest[int(size) :], lost == b"1")
