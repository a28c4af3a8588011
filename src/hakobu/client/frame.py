"""The 8-byte frames in which stdout and stderr of a container without a terminal share a connection.

A frame is its stream's number, three zero bytes, the length as a big-endian 32-bit number, and the bytes.
A `Demultiplexer` is fed whatever arrived and gives the pieces that are there; a frame may come in parts.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

STDIN, STDOUT, STDERR, SYSTEM = range(4)
HEADER_BYTES = 8


class BadFrame(ValueError):
    """A frame with a stream's number that does not exist: the stream is not framed, or is damaged."""


class Demultiplexer:
    """Splits a framed stream into `(stream, bytes)`; it never holds more than one incomplete header."""

    __slots__ = ("_header", "_left", "_stream")

    def __init__(self) -> None:
        self._header = b""
        self._stream = STDOUT
        self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The pieces in `data`; one frame may come as several pieces."""
        position = 0
        end = len(data)
        while position < end:
            if not self._left:
                position += self._feed_header(data, position)
                continue
            piece = data[position : position + self._left]
            position += len(piece)
            self._left -= len(piece)
            yield self._stream, piece

    def _feed_header(self, data: bytes, position: int) -> int:
        taken = data[position : position + HEADER_BYTES - len(self._header)]
        self._header += taken
        if len(self._header) == HEADER_BYTES:
            self._stream = self._header[0]
            self._left = int.from_bytes(self._header[4:], "big")
            self._header = b""
            if self._stream > SYSTEM:
                raise BadFrame(f"unrecognized stream: {self._stream}")
        return len(taken)


def encode_frame(stream: int, data: bytes) -> bytes:
    """A frame of one stream, as an engine sends it."""
    return bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big") + data
