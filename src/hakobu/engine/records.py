"""All containers the engine knows: by id, by name, by unique prefix; written through to the database.

Invariant: memory is what the database will hold once its queue is drained, but for what was only noted; writes of
one container are queued in the order in which they were made. A name belongs to at most one container. Reading
never awaits.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from hakobu.engine.failures import AmbiguousPrefix, BadName, NameInUse, NoSuchContainer
from hakobu.spec.container import Container, State

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z", re.ASCII)
_PREFIX = re.compile(r"[0-9a-f]{1,64}\Z", re.ASCII)


class ContainerTable(Protocol):
    """Where records are kept for good. The call queues the write; the awaitable says when it is durable.

    With a record goes what names its root file system: a container is there with both, or not at all."""

    def save(self, container: Container) -> Awaitable[None]: ...
    def erase(self, container_id: str) -> Awaitable[None]: ...


def check_name(name: str) -> str:
    """The name without Docker's leading slash, or `BadName`."""
    bare = name.removeprefix("/")
    if not _NAME.match(bare) or len(bare) > 255:
        raise BadName(name)
    return bare


def _seen(done: "asyncio.Future[None]") -> None:
    """A write that failed: whoever awaits it, or the one behind it, tells."""
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

    def add(self, container: Container) -> Awaitable[None]:
        """Keeps a new container whose name was reserved before; queued with the call, awaited until it is durable."""
        self._by_id[container.id] = container
        return self._table.save(container)

    async def change(self, container_id: str, **changes: Any) -> Container:
        """Replaces fields of the record; visible at once, returns when it is durable."""
        changed = self.note(container_id, **changes)
        await self._table.save(changed)
        return changed

    def note(self, container_id: str, **changes: Any) -> Container:
        """Changes the record in memory alone: for what a later change makes durable with it, or an end makes void."""
        changed = replace(self._current(container_id), **changes)
        self._by_id[container_id] = changed
        return changed

    def change_soon(self, container_id: str, **changes: Any) -> "tuple[Container, asyncio.Future[None]]":
        """As `change`; whoever goes on meanwhile awaits the future before telling anybody."""
        changed = self.note(container_id, **changes)
        return changed, self._save(changed)

    def change_ahead(self, container_id: str, **changes: Any) -> Callable[[], Awaitable[Container]]:
        """Begins to save what the record will say; the call that is returned makes it visible, and returns when it
        is durable. Without that call memory stays as it is: the next change is queued behind and wins."""
        base = self._current(container_id)
        changed = replace(base, **changes)
        saving = self._save(changed)

        async def settle() -> Container:
            if self._by_id.get(container_id) is not base:
                return await self.change(container_id, **changes)
            self._by_id[container_id] = changed
            await saving
            return changed

        return settle

    def _current(self, container_id: str) -> Container:
        if (current := self._by_id.get(container_id)) is None:
            raise NoSuchContainer(container_id)
        return current

    def _save(self, container: Container) -> "asyncio.Future[None]":
        saving = asyncio.ensure_future(self._table.save(container))
        saving.add_done_callback(_seen)
        return saving

    async def change_state(self, container_id: str, **changes: Any) -> Container:
        return await self.change(container_id, state=replace(self._current(container_id).state, **changes))

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
        """What could not be erased is still there."""
        if (container := self._by_id.get(container_id)) is None:
            return
        await self._table.erase(container_id)
        self._by_id.pop(container_id, None)
        self._locks.pop(container_id, None)
        self.unreserve(container.name, container_id)
