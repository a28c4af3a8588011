"""Where the body of an HTTP/1.1 request ends: Content-Length or chunks, without any I/O.

A connection's bytes are cut by the daemon, or, for an upload, by the worker that it is lent to: the place where one
left off is a value that the other goes on from.
"""

import json

from hakobu.errors import HakobuError, Kind

_MAX_CHUNK_LINE = 4096
_MAX_TRAILER_BYTES = 16 << 10


class MalformedBody(HakobuError):
    """Chunks that are none. Where the next request begins is unknown then: the connection has to end."""

    kind = Kind.INVALID


class Framing:
    """Cuts a body out of the bytes of a connection. `feed` eats from the buffer and returns what is body."""

    __slots__ = ("_chunked", "_left", "_state", "_trailer_bytes", "ended")

    def __init__(self, *, chunked: bool, length: int = 0) -> None:
        self._chunked = chunked
        self._left = length
        self._state = "size"
        self._trailer_bytes = 0
        self.ended = not chunked and length == 0

    @classmethod
    def from_note(cls, note: str) -> "Framing":
        """What `to_note` wrote, in the process that goes on with the body."""
        chunked, left, state, trailer_bytes, ended = json.loads(note)
        found = cls(chunked=chunked, length=left)
        found._state, found._trailer_bytes, found.ended = state, trailer_bytes, ended
        return found

    def to_note(self) -> str:
        return json.dumps((self._chunked, self._left, self._state, self._trailer_bytes, self.ended))

    def feed(self, buffer: bytearray) -> bytes:
        """Takes as much of `buffer` as belongs to this body; raises `MalformedBody` for broken chunks."""
        if not self._chunked:
            data = self._take(buffer)
            self.ended = self._left == 0
            return data
        parts: list[bytes] = []
        while buffer and not self.ended and self._step(buffer, parts):
            pass
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def cut(self, data: bytes) -> tuple[list[memoryview], int]:
        """As `feed`, for a block that stands for itself: what is body, uncopied, and how much of the block was eaten.

        Megabytes of an upload pass here: a copy at each step was most of what receiving them cost.
        """
        view, at, parts = memoryview(data), 0, list[memoryview]()
        while at < len(data) and not self.ended:
            if not self._chunked or self._state == "data":
                taken = min(self._left, len(data) - at)
                parts.append(view[at : at + taken])
                at += taken
                self._left -= taken
                if not self._left:
                    self._state, self.ended = "data-end", not self._chunked
                continue
            end = data.find(b"\r\n", at, at + _MAX_CHUNK_LINE)
            if end < 0:
                if len(data) - at >= _MAX_CHUNK_LINE:
                    raise MalformedBody("malformed chunk: line is too long")
                break
            self._on_line(data[at:end])
            at = end + 2
        return parts, at

    def _take(self, buffer: bytearray) -> bytes:
        data = bytes(memoryview(buffer)[: self._left])
        del buffer[: len(data)]
        self._left -= len(data)
        return data

    def _step(self, buffer: bytearray, parts: list[bytes]) -> bool:
        """One move of the chunk decoder; False when it needs more bytes."""
        if self._state == "data":
            parts.append(self._take(buffer))
            if self._left == 0:
                self._state = "data-end"
            return True
        line = _line(buffer)
        if line is None:
            return False
        self._on_line(line)
        return True

    def _on_line(self, line: bytes) -> None:
        if self._state == "size":
            self._left = _chunk_size(line)
            self._state = "data" if self._left else "trailer"
        elif self._state == "data-end":
            if line:
                raise MalformedBody("malformed chunk: data runs over its size")
            self._state = "size"
        else:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > _MAX_TRAILER_BYTES:
                raise MalformedBody("trailers are too long")
            self.ended = not line


def _line(buffer: bytearray) -> bytes | None:
    end = buffer.find(b"\r\n", 0, _MAX_CHUNK_LINE)
    if end < 0:
        if len(buffer) >= _MAX_CHUNK_LINE:
            raise MalformedBody("malformed chunk: line is too long")
        return None
    line = bytes(buffer[:end])
    del buffer[: end + 2]
    return line


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or len(digits) > 15 or not all(c in b"0123456789abcdefABCDEF" for c in digits):
        raise MalformedBody("malformed chunk: size is not a hexadecimal number")
    return int(digits, 16)
