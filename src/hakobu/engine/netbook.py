"""The networks the engine knows, by id, name and unique prefix; written through to the database."""

from collections.abc import Awaitable, Iterator
from typing import Protocol

from hakobu.engine.failures import AmbiguousPrefix
from hakobu.errors import HakobuError, Kind
from hakobu.spec.network import Network


class NoSuchNetwork(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, ref: str) -> None:
        super().__init__(f"network {ref} not found")
        self.ref = ref


class NetworkTable(Protocol):
    def save(self, network: Network) -> Awaitable[None]: ...
    def erase(self, network_id: str) -> Awaitable[None]: ...


class NetBook:
    """Names are unique: a create that repeats one is refused by its caller."""

    def __init__(self, table: NetworkTable, existing: tuple[Network, ...] = ()) -> None:
        self._table = table
        self._by_id = {n.id: n for n in existing}

    def __iter__(self) -> Iterator[Network]:
        return iter(tuple(self._by_id.values()))

    def by_id(self, network_id: str) -> Network | None:
        return self._by_id.get(network_id)

    def named(self, name: str) -> Network | None:
        return next((n for n in self._by_id.values() if n.name == name), None)

    def get(self, ref: str) -> Network:
        """By full id, then name, then unique prefix; `default` is the default bridge."""
        if (found := self._by_id.get(ref)) is not None:
            return found
        if (found := self.named("bridge" if ref == "default" else ref)) is not None:
            return found
        matches = [n for i, n in self._by_id.items() if ref and i.startswith(ref)]
        if len(matches) > 1:
            raise AmbiguousPrefix("network", ref)
        if not matches:
            raise NoSuchNetwork(ref)
        return matches[0]

    async def add(self, network: Network) -> None:
        self._by_id[network.id] = network
        await self._table.save(network)

    async def remove(self, network_id: str) -> None:
        if self._by_id.pop(network_id, None) is not None:
            await self._table.erase(network_id)
