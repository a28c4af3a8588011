"""Networks as a door sees them: create, remove, connect and disconnect, with Docker's refusals."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from hakobu.engine.announce import network_event
from hakobu.engine.endpoints import Endpoints, rates_of
from hakobu.engine.listing import check_filters, has_labels, prunable
from hakobu.engine.netbook import NetBook
from hakobu.engine.records import Records
from hakobu.engine.services import Events, Filters
from hakobu.engine.thread import OneThread
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.network.service import Networking
from hakobu.network.steps import next_interface, plan_connect, plan_disconnect
from hakobu.spec.container import Container, EndpointSpec, Status
from hakobu.spec.instance import Instance
from hakobu.spec.network import Network, NetworkSpec
from hakobu.spec.plan import Runtime

PREDEFINED = frozenset({"bridge", "host", "none"})
_KEYS = frozenset({"dangling", "driver", "id", "label", "name", "scope", "type"})
_HOST = "container cannot be disconnected from host network or connected to host network"
_ALIVE = (Status.RUNNING, Status.PAUSED)


class NetworkRefused(HakobuError):
    """What Docker refuses with 403."""

    kind = Kind.DENIED


class NetworkNameInUse(HakobuError):
    kind = Kind.CONFLICT

    def __init__(self, name: str) -> None:
        super().__init__(f"network with name {name} already exists")


class NetworkService:
    """Implements `services.Networks`."""

    def __init__(
        self,
        instance: Instance,
        book: NetBook,
        records: Records,
        networking: Networking,
        thread: OneThread,
        endpoints: Endpoints,
        runtime: Runtime,
        events: Events,
    ) -> None:
        self._instance, self._book, self._records = instance, book, records
        self._networking, self._thread, self._endpoints = networking, thread, endpoints
        self._runtime, self._events = runtime, events

    async def create(self, spec: NetworkSpec, *, check_duplicate: bool = True) -> tuple[str, str]:
        if not spec.name:
            raise Invalid("network name is required", field="Name")
        if spec.name in PREDEFINED:
            raise NetworkRefused(f"operation is not permitted on predefined {spec.name} network")
        if self._book.named(spec.name) is not None:
            raise NetworkNameInUse(spec.name)
        network, warnings = await self._thread.call(self._networking.create, spec)
        await self._book.add(network)
        network_event(self._events, "create", network.id, network.name, spec.labels, type=spec.driver)
        return network.id, "; ".join(warnings)

    def get(self, ref: str) -> Network:
        return self._book.get(ref)

    async def list(self, filters: Filters | None = None) -> Sequence[Network]:
        chosen = filters or {}
        check_filters(chosen, _KEYS)
        return [n for n in self._book if self._matches(n, chosen)]

    def members(self, network_id: str) -> Sequence[Container]:
        return [
            c
            for c in self._records
            if c.state.status in _ALIVE and any(e.network_id == network_id for e in c.endpoints)
        ]

    async def remove(self, ref: str) -> None:
        network = self._book.get(ref)
        if network.name in PREDEFINED:
            raise NetworkRefused(f"{network.name} is a pre-defined network and cannot be removed")
        if self.members(network.id):
            raise NetworkRefused(
                f"error while removing network: network {network.name} id {network.id} has active endpoints"
            )
        await self._thread.call(self._networking.remove, network)
        await self._book.remove(network.id)
        labels, driver = network.spec.labels, network.spec.driver
        network_event(self._events, "destroy", network.id, network.name, labels, type=driver)

    async def connect(self, ref: str, container: str, endpoint: EndpointSpec) -> None:
        network, target = self._book.get(ref), self._records.get(container)
        async with self._records.lock(target.id):
            target = self._records.get(target.id)
            self._check_connect(network, target)
            spec = replace(endpoint, network=network.name)
            if target.state.status in _ALIVE:
                target = await self._connect_running(network, target, spec)
            specs = (*target.spec.endpoints, spec)
            await self._records.change(target.id, spec=replace(target.spec, endpoints=specs))
        self._tell("connect", network, target)

    def _check_connect(self, network: Network, target: Container) -> None:
        if target.spec.network_mode == "host" or network.spec.driver == "host":
            raise NetworkRefused(_HOST)
        if any(e.network == "none" for e in target.spec.endpoints) or network.spec.driver == "null":
            raise NetworkRefused(
                "container cannot be connected to multiple networks with one of the networks in private (none) mode"
            )
        if target.spec.network_mode.startswith("container:"):
            raise NetworkRefused(
                "container sharing network namespace with another container or host cannot be connected "
                "to any other network"
            )
        if any(e.network == network.name for e in target.spec.endpoints):
            raise NetworkRefused(f"endpoint with name {target.name} already exists in network {network.name}")

    async def _connect_running(self, network: Network, target: Container, spec: EndpointSpec) -> Container:
        interface = next_interface(target.endpoints)
        joined = await self._thread.call(self._networking.join, network, spec, interface)
        changed = replace(target, endpoints=(*target.endpoints, joined))
        try:
            pairs = self._endpoints.joined(changed)
            new = next(e for _, e in pairs if e.endpoint_id == joined.endpoint_id)
            await self._runtime.run_steps(target.id, plan_connect(self._instance, pairs, new, rates_of(target)))
        except BaseException:
            await self._thread.call(self._networking.leave, joined)
            raise
        changed = await self._records.change(target.id, endpoints=changed.endpoints)
        await self._endpoints.reopen(changed)
        return changed

    async def disconnect(self, ref: str, container: str, *, force: bool = False) -> None:
        network, target = self._book.get(ref), self._records.get(container)
        async with self._records.lock(target.id):
            target = self._records.get(target.id)
            if network.spec.driver == "host" and target.spec.network_mode == "host":
                raise NetworkRefused(_HOST)
            if not any(e.network in (network.name, network.id) for e in target.spec.endpoints):
                raise NetworkRefused(f"container {target.id} is not connected to network {network.name}")
            if target.state.status in _ALIVE:
                target = await self._disconnect_running(network, target)
            specs = tuple(e for e in target.spec.endpoints if e.network not in (network.name, network.id))
            await self._records.change(target.id, spec=replace(target.spec, endpoints=specs))
        self._tell("disconnect", network, target)

    def _tell(self, action: str, network: Network, target: Container) -> None:
        driver, labels = network.spec.driver, network.spec.labels
        network_event(self._events, action, network.id, network.name, labels, container=target.id, type=driver)

    async def _disconnect_running(self, network: Network, target: Container) -> Container:
        going = [e for e in target.endpoints if e.network_id == network.id]
        staying = tuple(e for e in target.endpoints if e.network_id != network.id)
        remaining = self._endpoints.joined(replace(target, endpoints=staying))
        for endpoint in going if network.is_wired else ():
            await self._runtime.run_steps(target.id, plan_disconnect(self._instance, network, endpoint, remaining))
            await self._thread.call(self._networking.leave, endpoint)
        changed = await self._records.change(target.id, endpoints=staying)
        await self._endpoints.reopen(changed)
        return changed

    async def prune(
        self, filters: Filters | None = None, *, among: Callable[[Network], bool] | None = None
    ) -> tuple[str, ...]:
        chosen = filters or {}
        check_filters(chosen, frozenset({"label", "label!", "until"}))
        used = {e.network for c in self._records for e in c.spec.endpoints}
        removed: list[str] = []
        for network in tuple(self._book):
            if network.name in PREDEFINED or network.name in used or self.members(network.id):
                continue
            if (among is None or among(network)) and prunable(network.created_ns, network.spec.labels, chosen):
                await self.remove(network.id)
                removed.append(network.name)
        return tuple(removed)

    def _matches(self, network: Network, filters: Filters) -> bool:
        def any_of(key: str, *values: str) -> bool:
            wanted = filters.get(key, ())
            return not wanted or any(w == v for w in wanted for v in values)

        names = filters.get("name", ())
        ids = filters.get("id", ())
        kind = "builtin" if network.name in PREDEFINED else "custom"
        dangling = network.name not in PREDEFINED and not self.members(network.id)
        return (
            (not names or any(n in network.name for n in names))
            and (not ids or any(network.id.startswith(i) for i in ids))
            and any_of("driver", network.spec.driver)
            and any_of("scope", "local")
            and any_of("type", kind)
            and any_of("dangling", str(dangling).lower(), "1" if dangling else "0")
            and has_labels(network.spec.labels, filters.get("label", ()))
        )
