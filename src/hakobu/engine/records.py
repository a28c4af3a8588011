"""All containers the engine knows: by id, by name, by unique prefix; written through to the database.

Invariant: memory is what the database will hold once its queue is drained; writes of one container are
queued in the order in which they were made. A name belongs to at most one container. Reading never awaits.
"""

import asyncio
import re
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from hakobu.engine.failures import AmbiguousPrefix, BadName, NameInUse, NoSuchContainer
from hakobu.spec.container import Container, State

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z", re.ASCII)
_PREFIX = re.compile(r"[0-9a-f]{1,64}\Z", re.ASCII)


class ContainerTable(Protocol):
    """Where records are kept for good. The call queues the write; the awaitable says when it is durable."""

    def save(self, container: Container) -> Awaitable[None]: ...
    def erase(self, container_id: str) -> Awaitable[None]: ...


def check_name(name: str) -> str:
    """The name without Docker's leading slash, or `BadName`."""
    bare = name.removeprefix("/")
    if not _NAME.match(bare) or len(bare) > 255:
        raise BadName(name)
    return bare


def _seen(done: "asyncio.Future[None]") -> None:
    """A write that failed: the awaited one behind it fails as well and tells."""
    if not done.cancelled():
        done.exception()


class Records:
    """The containers, and one lock for each that orders what changes it."""

    def __init__(self, table: ContainerTable, existing: tuple[Container, ...] = ()) -> None:
        self._table = table
        self._by_id: dict[str, Container] = {c.id: c for c in existing}
        self._by_name: dict[str, str] = {c.name: c.id for c in existing}
        self._locks: dict[str, asyncio.Lock] = {}

    def __iter__(self) -> Iterator[Container]:
        return iter(tuple(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def by_id(self, container_id: str) -> Container | None:
        return self._by_id.get(container_id)

    def get(self, ref: str) -> Container:
        """By full id, then name, then unique prefix of an id, as Docker resolves it."""
        bare = ref.removeprefix("/")
        if (found := self._by_id.get(bare)) is not None:
            return found
        if (owner := self._by_name.get(bare)) is not None:
            return self._by_id[owner]
        if _PREFIX.match(bare):
            matches = [c for i, c in self._by_id.items() if i.startswith(bare)]
            if len(matches) > 1:
                raise AmbiguousPrefix("container", ref)
            if matches:
                return matches[0]
        raise NoSuchContainer(ref)

    def holder_of(self, name: str) -> str | None:
        return self._by_name.get(name)

    def lock(self, container_id: str) -> asyncio.Lock:
        return self._locks.setdefault(container_id, asyncio.Lock())

    def reserve(self, name: str, container_id: str) -> None:
        """Takes the name at once, before anything slow happens under it."""
        if (holder := self._by_name.get(name)) is not None:
            raise NameInUse(name, holder)
        self._by_name[name] = container_id

    def unreserve(self, name: str, container_id: str) -> None:
        if self._by_name.get(name) == container_id:
            del self._by_name[name]

    async def add(self, container: Container) -> None:
        """Keeps a new container whose name was reserved before; returns when it is durable."""
        self._by_id[container.id] = container
        await self._table.save(container)

    async def change(self, container_id: str, **changes: Any) -> Container:
        """Replaces fields of the record; visible at once, returns when it is durable."""
        current = self._by_id.get(container_id)
        if current is None:
            raise NoSuchContainer(container_id)
        changed = replace(current, **changes)
        self._by_id[container_id] = changed
        await self._table.save(changed)
        return changed

    def change_soon(self, container_id: str, **changes: Any) -> Container:
        """As `change`, without waiting for the disk: for what a later, awaited change makes durable with it."""
        current = self._by_id.get(container_id)
        if current is None:
            raise NoSuchContainer(container_id)
        changed = replace(current, **changes)
        self._by_id[container_id] = changed
        asyncio.ensure_future(self._table.save(changed)).add_done_callback(_seen)
        return changed

    async def change_state(self, container_id: str, **changes: Any) -> Container:
        current = self._by_id.get(container_id)
        if current is None:
            raise NoSuchContainer(container_id)
        return await self.change(container_id, state=replace(current.state, **changes))

    def note_state(self, container_id: str, state: State) -> None:
        """Changes the state in memory alone, for what need not survive (health results between saves)."""
        if (current := self._by_id.get(container_id)) is not None:
            self._by_id[container_id] = replace(current, state=state)

    async def rename(self, container_id: str, name: str) -> Container:
        old = self._by_id[container_id].name
        self.reserve(name, container_id)
        changed = await self.change(container_id, name=name)
        self.unreserve(old, container_id)
        return changed

    async def remove(self, container_id: str) -> None:
        container = self._by_id.pop(container_id, None)
        self._locks.pop(container_id, None)
        if container is not None:
            self.unreserve(container.name, container_id)
            await self._table.erase(container_id)
