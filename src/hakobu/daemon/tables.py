"""The engine's records as documents of the database: msgspec's JSON of the very dataclasses."""

import asyncio
from collections.abc import Awaitable

import msgspec

from hakobu.spec.container import Container
from hakobu.spec.network import Network
from hakobu.store.database import Connection, Database
from hakobu.store.snapshots import Snapshots

_container = msgspec.json.Decoder(Container)
_network = msgspec.json.Decoder(Network)


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode("utf-8", "surrogateescape")


class Containers:
    """Implements `records.ContainerTable`."""

    def __init__(self, database: Database, snapshots: Snapshots) -> None:
        self._database, self._snapshots = database, snapshots

    def save(self, container: Container) -> Awaitable[None]:
        text = _text(container)
        future = self._database.submit(lambda c: c.put("containers", container.id, container.name, text))
        return asyncio.wrap_future(future)

    async def erase(self, container_id: str) -> None:
        """The record and the row of its snapshot in one: no power loss leaves one without the other."""

        def job(connection: Connection) -> None:
            self._snapshots.forget(connection, container_id)
            connection.delete("containers", container_id)

        await asyncio.wrap_future(self._database.submit(job))

    def ids(self) -> frozenset[str]:
        """Of all that are kept, those that cannot be read too."""
        return frozenset(d.id for d in self._database.call(lambda c: c.all("containers")))

    def load(self) -> tuple[tuple[Container, ...], tuple[str, ...]]:
        """What can be read, and what cannot: a broken record costs itself alone."""
        documents = self._database.call(lambda c: c.all("containers"))
        found: list[Container] = []
        broken: list[str] = []
        for document in documents:
            try:
                found.append(_container.decode(document.text))
            except msgspec.DecodeError as error:
                broken.append(f"container {document.name} ({document.id[:12]}): {error}")
        return tuple(found), tuple(broken)


class Networks:
    """Implements `netbook.NetworkTable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, network: Network) -> Awaitable[None]:
        text = _text(network)
        future = self._database.submit(lambda c: c.put("networks", network.id, network.name, text))
        return asyncio.wrap_future(future)

    async def erase(self, network_id: str) -> None:
        await asyncio.wrap_future(self._database.submit(lambda c: c.delete("networks", network_id)))

    def load(self) -> tuple[Network, ...]:
        return tuple(_network.decode(d.text) for d in self._database.call(lambda c: c.all("networks")))
