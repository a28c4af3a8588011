"""Request bodies: how a handler reads one as it arrives, or has another process read it.

Back-pressure: a `Body` holds at most a few hundred KiB; beyond that it asks the connection to stop reading
the socket until the handler has caught up.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from hakobu.spec.upload import Upload

HIGH_WATER_BYTES = 512 << 10


class BodyLost(Exception):
    """The client went away before its body was whole."""


class Lender(Protocol):
    """A connection that lets another process read the rest of a body from its socket."""

    def lend(self, arrived: bytes) -> Upload:
        """Reads no more itself from here on; `arrived` is what was read of the body and nobody has taken."""
        ...

    def take_back(self, upload: Upload) -> None:
        """Goes on behind what was read meanwhile."""
        ...


class Body:
    """A request body that arrives while its handler runs. One reader at a time."""

    __slots__ = ("_closed", "_error", "_parts", "_pause", "_resume", "_size", "_start", "_wake", "ended", "lender")

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
        self.lender: Lender | None = None

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
        self._begin()
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

    def lend(self) -> Upload:
        """The whole body for another process; `return_` has to follow. Raises `BodyLost`."""
        self._begin()
        arrived, self._parts, self._size = b"".join(self._parts), [], 0
        if self.ended and self._error is not None:
            raise self._error
        if self.ended or self.lender is None:
            return Upload.of(arrived)
        return self.lender.lend(arrived)

    def return_(self, upload: Upload) -> None:
        """What was not read of it is thrown away as it comes. Raises `BodyLost` where the client left too early."""
        if not self.ended and self.lender is not None:
            self.lender.take_back(upload)
        upload.close()
        self._closed = True
        if self.ended and self._error is not None:
            raise self._error

    def _begin(self) -> None:
        if self._start is not None:
            self._start()
            self._start = None

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
