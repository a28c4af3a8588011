"""Request bodies: where they end (`Framing`), and how a handler reads one as it arrives (`Body`).

Back-pressure: a `Body` holds at most a few hundred KiB; beyond that it asks the connection to stop reading
the socket until the handler has caught up.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from hakobu.api.http.head import BadRequest, Head

HIGH_WATER_BYTES = 512 << 10
_MAX_CHUNK_LINE = 4096
_MAX_TRAILER_BYTES = 16 << 10


class Framing:
    """Cuts a body out of the bytes of a connection. `feed` eats from the buffer and returns what is body."""

    __slots__ = ("_chunked", "_left", "_state", "_trailer_bytes", "ended")

    def __init__(self, head: Head) -> None:
        self._chunked = head.chunked
        self._left = head.length
        self._state = "size"
        self._trailer_bytes = 0
        self.ended = not head.chunked and head.length == 0

    def feed(self, buffer: bytearray) -> bytes:
        """Takes as much of `buffer` as belongs to this body; raises `BadRequest` for broken chunks."""
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
                    raise BadRequest(HTTPStatus.BAD_REQUEST, "malformed chunk: line is too long")
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
                raise BadRequest(HTTPStatus.BAD_REQUEST, "malformed chunk: data runs over its size")
            self._state = "size"
        else:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > _MAX_TRAILER_BYTES:
                raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "trailers are too long")
            self.ended = not line


def _line(buffer: bytearray) -> bytes | None:
    end = buffer.find(b"\r\n", 0, _MAX_CHUNK_LINE)
    if end < 0:
        if len(buffer) >= _MAX_CHUNK_LINE:
            raise BadRequest(HTTPStatus.BAD_REQUEST, "malformed chunk: line is too long")
        return None
    line = bytes(buffer[:end])
    del buffer[: end + 2]
    return line


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or len(digits) > 15 or not all(c in b"0123456789abcdefABCDEF" for c in digits):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "malformed chunk: size is not a hexadecimal number")
    return int(digits, 16)


class BodyLost(Exception):
    """The client went away before its body was whole."""


class Body:
    """A request body that arrives while its handler runs. One reader at a time."""

    __slots__ = ("_closed", "_error", "_parts", "_pause", "_resume", "_size", "_start", "_wake", "ended")

    def __init__(self, start: Callable[[], None], pause: Callable[[], None], resume: Callable[[], None]) -> None:
        """`start` is called at the first read (it sends 100 Continue where the client waits for that)."""
        self._start: Callable[[], None] | None = start
        self._pause = pause
        self._resume = resume
        self._parts: list[bytes | memoryview] = []
        self._size = 0
        self._wake: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._closed = False
        self.ended = False

    def push(self, *blocks: bytes | memoryview) -> None:
        count = sum(map(len, blocks))
        if self._closed or not count:
            return
        self._parts.extend(blocks)
        self._size += count
        if self._size > HIGH_WATER_BYTES:
            self._pause()
        self._notify()

    def end(self, error: BaseException | None = None) -> None:
        if not self.ended:
            self.ended = True
            self._error = error
            self._notify()

    def close(self) -> None:
        """The handler reads no more: what still comes is thrown away."""
        self._closed = True
        self._parts.clear()
        self._size = 0
        self._resume()

    async def read(self) -> bytes:
        """What has arrived, at least one byte; empty at the end. Raises `BodyLost`."""
        return b"".join(await self.blocks())

    async def blocks(self) -> list[bytes | memoryview]:
        """As `read`, in the pieces in which it came: for those who only pass it on."""
        if self._start is not None:
            self._start()
            self._start = None
        while not self._parts:
            if self.ended:
                if self._error is not None:
                    raise self._error
                return []
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None
        blocks, self._parts = self._parts, []
        self._size = 0
        self._resume()
        return blocks

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
