"""Those who wait for a container to end or to disappear.

A wait is armed by a synchronous call, so that nothing that happens after it returned can be missed.
"""

import asyncio
from collections import defaultdict
from typing import Literal

from hakobu.spec.container import Container, Status

Condition = Literal["not-running", "next-exit", "removed"]
_OVER = frozenset({Status.CREATED, Status.EXITED, Status.DEAD})


class Wait:
    """One armed wait; `result` may be awaited once the headers are out."""

    def __init__(self, future: "asyncio.Future[tuple[int, str]]") -> None:
        self._future = future

    async def result(self) -> tuple[int, str]:
        return await self._future


class Waiters:
    """Futures by container: fired by the monitor at an exit, by the remover at the end."""

    def __init__(self) -> None:
        self._exits: dict[str, set[asyncio.Future[tuple[int, str]]]] = defaultdict(set)
        self._removals: dict[str, set[asyncio.Future[tuple[int, str]]]] = defaultdict(set)

    def arm(self, container: Container, condition: Condition) -> Wait:
        future: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        if condition == "not-running" and container.state.status in _OVER:
            future.set_result((container.state.exit_code, container.state.error))
            return Wait(future)
        table = self._removals if condition == "removed" else self._exits
        waiting = table[container.id]
        waiting.add(future)
        future.add_done_callback(waiting.discard)
        return Wait(future)

    def exited(self, container_id: str, code: int, error: str = "") -> None:
        _fire(self._exits.pop(container_id, set()), (code, error))

    def removed(self, container_id: str, code: int, error: str = "") -> None:
        _fire(self._exits.pop(container_id, set()), (code, error))
        _fire(self._removals.pop(container_id, set()), (code, error))


def _fire(futures: "set[asyncio.Future[tuple[int, str]]]", value: tuple[int, str]) -> None:
    for future in tuple(futures):
        if not future.done():
            future.set_result(value)
