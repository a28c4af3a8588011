"""The 8-byte frames in which stdout and stderr of a container without a terminal share a connection.

A frame is its stream's number, three zero bytes, the length as a big-endian 32-bit number, and the bytes.
A `Demultiplexer` is fed whatever arrived and gives the pieces that are there; a frame may come in parts, and
neighbours of one stream come as one piece: a log of short lines is a frame a line, and costs a write a chunk.
"""

from __future__ import annotations

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

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The pieces in `data`, in order."""
        if self._header:
            data = self._header + data
            self._header = b""
        out: list[tuple[int, bytes]] = []
        parts: list[bytes] = []
        stream, left, position, end = self._stream, self._left, 0, len(data)
        while position < end:
            if not left:
                body = position + HEADER_BYTES
                if body > end:
                    self._header = data[position:]
                    break
                if data[position] != stream:
                    _flush(out, stream, parts)
                    parts, stream = [], data[position]
                    if stream > SYSTEM:
                        raise BadFrame(f"unrecognized stream: {stream}")
                left = int.from_bytes(data[position + 4 : body], "big")
                position = body
                continue
            parts.append(data[position : position + left])
            taken = min(left, end - position)
            position += taken
            left -= taken
        _flush(out, stream, parts)
        self._stream, self._left = stream, left
        return out


def _flush(out: list[tuple[int, bytes]], stream: int, parts: list[bytes]) -> None:
    data = b"".join(parts)
    if data:
        out.append((stream, data))


def encode_frame(stream: int, data: bytes) -> bytes:
    """A frame of one stream, as an engine sends it."""
    return bytes((stream, 0, 0, 0)) + len(data).to_bytes(4, "big") + data
