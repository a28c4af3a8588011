"""What an engine gives back when its work is done: workers that wait, and the heap's free pages.

Only while there is something to give back does anything wake up here: an idle engine sleeps.
"""

import asyncio
from typing import Protocol

from hakobu.engine.background import Background
from hakobu.kernel.libc import release_free_memory
from hakobu.store.pool import WARM_S


class Pool(Protocol):
    def trim(self) -> int: ...


class Tidying:
    """`begin` is called from any thread, whenever a worker's job has ended."""

    def __init__(self, pool: Pool, background: Background) -> None:
        self._pool, self._background = pool, background
        self._loop = asyncio.get_running_loop()
        self._running = self._asked = False

    def begin(self) -> None:
        self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        self._asked = True
        if not self._running:
            self._running = True
            self._background.spawn(self._until_nobody_waits(), "idle workers")

    async def _until_nobody_waits(self) -> None:
        try:
            waiting = 0
            while waiting or self._asked:
                self._asked = False  # whoever asks from here on may have come too late for this round
                await asyncio.sleep(WARM_S)
                waiting = await asyncio.to_thread(self._pool.trim)
        finally:
            self._running = False
        await asyncio.to_thread(release_free_memory)
