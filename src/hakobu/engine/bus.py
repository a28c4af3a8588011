"""Events: a bounded backlog and bounded queues of those who listen.

A listener that does not keep up loses its oldest events, never the engine's memory or another's order.
The filters are Docker's: a key of its own list, several values of a key are alternatives, keys are joined.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing

from hakobu.engine.clock import now_ns
from hakobu.engine.services import Filters
from hakobu.errors import Invalid
from hakobu.spec.event import Event

BACKLOG = 1024
QUEUE = 4096
_KEYS = frozenset(
    {"config", "container", "daemon", "event", "image", "label", "network", "node", "plugin", "scope"}
    | {"secret", "service", "type", "volume"}
)


class Bus:
    """Publishing never blocks; each subscription is an asynchronous iterator of its own."""

    def __init__(self) -> None:
        self._backlog: deque[Event] = deque(maxlen=BACKLOG)
        self._queues: set[asyncio.Queue[Event | None]] = set()
        self.published = 0

    @property
    def listeners(self) -> int:
        return len(self._queues)

    def publish(self, event: Event) -> None:
        self.published += 1
        self._backlog.append(event)
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

    async def subscribe(
        self, *, since_ns: int = 0, until_ns: int = 0, filters: Filters | None = None
    ) -> AsyncIterator[Event]:
        chosen = dict(filters or {})
        for key in chosen:
            if key not in _KEYS:
                raise Invalid(f"invalid filter '{key}'", field="filters")
        queue: asyncio.Queue[Event | None] = asyncio.Queue(QUEUE)
        self._queues.add(queue)
        try:
            if since_ns or until_ns:
                for event in tuple(self._backlog):
                    in_time = event.time_ns >= since_ns and (not until_ns or event.time_ns <= until_ns)
                    if in_time and matches(event, chosen):
                        yield event
            async with aclosing(_live(queue, until_ns)) as live:
                async for event in live:
                    if matches(event, chosen):
                        yield event
        finally:
            self._queues.discard(queue)

    def close(self) -> None:
        """Ends every subscription, when the engine leaves."""
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(None)


async def _live(queue: asyncio.Queue[Event | None], until_ns: int) -> AsyncGenerator[Event, None]:
    while True:
        wait_s = (until_ns - now_ns()) / 1e9 if until_ns else None
        if wait_s is not None and wait_s <= 0:
            return
        try:
            event = await asyncio.wait_for(queue.get(), wait_s)
        except TimeoutError:
            return
        if event is None:
            return
        yield event


def matches(event: Event, filters: Filters) -> bool:
    return all(any(_one(event, key, value) for value in values) for key, values in filters.items())


def _one(event: Event, key: str, value: str) -> bool:
    match key:
        case "event":
            return event.action == value or event.action.split(":", 1)[0] == value
        case "type":
            return event.type == value
        case "scope":
            return value == "local"
        case "label":
            return _has_label(event.attributes, value)
        case "image":
            return _is_image(event, value)
        case "container" | "network" | "volume" | "daemon":
            return _is_object(event, key, value)
        case _:
            return False


def _has_label(attributes: Mapping[str, str], wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    return name in attributes and (not equals or attributes[name] == value)


def _is_image(event: Event, value: str) -> bool:
    if event.type == "image":
        names = (event.actor_id, event.attributes.get("name", ""))
    else:
        names = (event.attributes.get("image", ""),)
    return any(n == value or n.split(":", 1)[0] == value for n in names if n)


def _is_object(event: Event, kind: str, value: str) -> bool:
    if event.type == kind:
        return value in (event.actor_id, event.attributes.get("name", "")) or (
            len(value) >= 3 and event.actor_id.startswith(value)
        )
    return event.attributes.get(kind, "") == value
