"""Garbage collection and what is on its way in, kept apart.

Blobs and layers exist before the image that will name them is recorded; a collection in that moment would take them.
Any number of arrivals go on side by side, a collection only while there is none: it is skipped then, and `owed` tells
that it is to be made up for. The arrivals wait for a collection that has begun.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager


class Arrivals:
    """Thread-safe. A pull, load, import, commit or a new container's snapshot is an arrival."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0
        self._collecting = False
        self.owed = False

    def _enter(self) -> None:
        with self._changed:
            while self._collecting:
                self._changed.wait()
            self._count += 1

    def enter_now(self) -> bool:
        """One more arrival, until `leave`; False, and none, while a collection goes on."""
        with self._changed:
            if not self._collecting:
                self._count += 1
            return not self._collecting

    def leave(self, *, failed: bool = False) -> None:
        self.owed = self.owed or failed
        self._leave()

    def _leave(self) -> None:
        with self._changed:
            self._count -= 1

    @contextmanager
    def arriving(self) -> Generator[None, None, None]:
        """For a thread; may wait for a collection to end."""
        self._enter()
        try:
            yield
        except BaseException:
            self.owed = True
            raise
        finally:
            self._leave()

    @asynccontextmanager
    async def arriving_async(self) -> AsyncGenerator[None, None]:
        """For the event loop, which does not wait itself."""
        await self.enter()
        try:
            yield
        except BaseException:
            self.owed = True
            raise
        finally:
            self._leave()

    async def _enter_later(self) -> None:
        entering = asyncio.ensure_future(asyncio.to_thread(self._enter))
        try:
            await asyncio.shield(entering)
        except asyncio.CancelledError:
            entering.add_done_callback(lambda _: self._leave())
            raise

    async def enter(self) -> None:
        """As `arriving_async`, for an arrival whose end (`leave`) is told by somebody else."""
        if not self.enter_now():
            await self._enter_later()

    @contextmanager
    def collecting(self) -> Generator[bool, None, None]:
        """True where a collection may go on; False where something is arriving."""
        with self._changed:
            may = not self._count and not self._collecting
            self.owed = not may
            self._collecting = self._collecting or may
        try:
            yield may
        finally:
            if may:
                with self._changed:
                    self._collecting = False
                    self._changed.notify_all()
