"""A container's part of its networks: addresses at the start, files, rules and names, and letting go at the end.

Implements `ports.Net` on `network/`'s facade, which is synchronous and has one thread of its own.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from hakobu.engine import links
from hakobu.engine.config import NetworkConfig
from hakobu.engine.netbook import NetBook
from hakobu.engine.records import Records
from hakobu.engine.thread import OneThread
from hakobu.errors import HakobuError
from hakobu.network import files, naming
from hakobu.network import ports as published
from hakobu.network.service import Networking
from hakobu.network.steps import next_interface, plan_container, publishing_endpoint
from hakobu.runtime.failure import StepFailed
from hakobu.spec.container import BoundPort, Container, Endpoint, EndpointSpec, Status
from hakobu.spec.instance import Instance
from hakobu.spec.network import Network
from hakobu.spec.own_label import Rates, asked
from hakobu.spec.plan import Created, ReservedPort
from hakobu.spec.step import Step

_Port = TypeVar("_Port", ReservedPort, BoundPort)
Joined = tuple[tuple[Network, Endpoint], ...]


class Endpoints:
    """`directory_of` is a container's directory on the host."""

    def __init__(
        self,
        instance: Instance,
        config: NetworkConfig,
        networking: Networking,
        thread: OneThread,
        book: NetBook,
        records: Records,
        directory_of: Callable[[str], str],
    ) -> None:
        self._instance, self._config = instance, config
        self._networking, self._thread, self._book, self._records = networking, thread, book, records
        self._directory_of = directory_of
        self._aside: set[str] = set()
        # opened, and not yet recorded as running: others that start meanwhile publish their names, too
        self._opening: dict[str, Container] = {}

    async def join(self, container: Container) -> tuple[Endpoint, ...]:
        wanted = [(self._book.get(spec.network_id or spec.network), spec) for spec in container.spec.endpoints]
        return await self._thread.call(self._join, container, wanted)

    def _join(self, container: Container, wanted: Sequence[tuple[Network, EndpointSpec]]) -> tuple[Endpoint, ...]:
        """All of it at once on the network's thread: each way there and back costs a start more than the work."""
        joined: list[Endpoint] = []
        try:
            for network, spec in wanted:
                joined.append(self._networking.join(network, spec, next_interface(joined)))
            self._write_files(replace(container, endpoints=tuple(joined)))
        except BaseException:
            for endpoint in joined:
                self._networking.leave(endpoint)
            raise
        return tuple(joined)

    def foresee(self, container: Container) -> Container:
        """With the endpoints it would have, their addresses told as what they would be chosen from."""
        endpoints: list[Endpoint] = []
        for number, spec in enumerate(container.spec.endpoints):
            network = self._book.get(spec.network_id or spec.network)
            pool = next((p for p in network.pools if ":" not in p.subnet), None)
            endpoints.append(
                Endpoint(
                    spec=spec,
                    network_id=network.id,
                    network_name=network.name,
                    endpoint_id=f"{number:064x}",
                    ipv4=spec.ipv4 or (f"<free in {pool.subnet.partition('/')[0]}>" if pool else ""),
                    ipv4_prefix=int(pool.subnet.partition("/")[2]) if pool else 0,
                    ipv4_gateway=pool.gateway if pool else "",
                    mac=spec.mac or "<from the address>",
                    interface=f"eth{number}",
                )
            )
        return replace(container, endpoints=tuple(endpoints))

    async def write_files(self, container: Container) -> None:
        await asyncio.to_thread(self._write_files, container)

    def plan(self, container: Container) -> tuple[Step, ...]:
        """Pure: what the start does to the container's network."""
        mode = container.spec.network_mode
        if mode == "host" or mode.startswith("container:"):
            return ()
        config, ports, rates = self._config, published.wanted(container), rates_of(container)
        joined = self.joined(container)
        return plan_container(self._instance, joined, ports, config.default_host_ip, config.port_keeper, rates)

    def joined(self, container: Container) -> Joined:
        """Endpoints with the networks they are on; one whose network is gone is left out."""
        pairs = ((self._book.by_id(e.network_id), e) for e in container.endpoints)
        return tuple((n, e) for n, e in pairs if n is not None)

    async def opened(self, container: Container, created: Created) -> None:
        joined = self.joined(container)
        if created.ports and (endpoint := publishing_endpoint(joined)) is not None:
            ports = by_kernel(container, created.ports)
            await self._thread.call(self._networking.publish, container.id, endpoint, ports)
        networks = [n for n, _ in joined]
        if any(naming.has_names(n) for n in networks):
            self._opening[container.id] = container
            await self._publish_names()
            await self._thread.call(self._networking.resolver_join, container.id, created.pid, networks)

    async def explained(self, container: Container, error: HakobuError) -> HakobuError:
        if not isinstance(error, StepFailed) or error.step != "port.reserve":
            return error
        found = await asyncio.to_thread(published.refused, error.message, container, tuple(self._records))
        return found or error

    async def leave(self, container: Container) -> None:
        if container.endpoints or container.ports:
            await self._thread.call(self._leave, container)
        self._aside.discard(container.id)
        self._opening.pop(container.id, None)
        if any(naming.has_names(n) for n, _ in self.joined(container)):
            await self._publish_names(without=container.id)

    def _leave(self, container: Container) -> None:
        self._networking.unpublish(container.id)
        for endpoint in container.endpoints:
            self._networking.leave(endpoint)
        self._networking.resolver_leave(container.id)

    async def reopen(self, container: Container) -> None:
        """After a connect or disconnect while it runs: rules and names anew, and the files its root shows."""
        await self._thread.call(self._networking.unpublish, container.id)
        joined = self.joined(container)
        if container.ports and (endpoint := publishing_endpoint(joined)) is not None:
            ports = by_kernel(container, container.ports)
            await self._thread.call(self._networking.publish, container.id, endpoint, ports)
        networks = [n for n, _ in joined]
        if any(naming.has_names(n) for n in networks):
            await self._publish_names()
            await self._thread.call(self._networking.resolver_join, container.id, container.state.pid, networks)
        await self.write_files(container)

    async def renamed(self, container: Container) -> None:
        if any(naming.has_names(n) for n, _ in self.joined(container)):
            await self._publish_names()

    async def set_aside(self, container: Container, aside: bool) -> None:
        (self._aside.add if aside else self._aside.discard)(container.id)
        await self.renamed(container)

    async def _publish_names(self, without: str = "") -> None:
        """Those of all that run or are about to; `without` is not yet recorded as ended."""
        running = [c for c in self.running() if c.id != without]
        for container in running:
            self._opening.pop(container.id, None)
        holding = (*running, *self._opening.values())
        await self._thread.call(self._networking.publish_names, tuple(self._book), holding, frozenset(self._aside))

    def running(self) -> Sequence[Container]:
        return [c for c in self._records if c.state.status in (Status.RUNNING, Status.PAUSED)]

    # Files

    def _write_files(self, container: Container) -> None:
        directory = self._directory_of(container.id)
        os.makedirs(directory, mode=0o710, exist_ok=True)
        source = self._sharing(container)
        if source is not None:
            for name in ("hosts", "resolv.conf", "hostname"):
                _write(f"{directory}/{name}", _read(f"{self._directory_of(source.id)}/{name}"))
            return
        _write(f"{directory}/hostname", files.hostname(container.hostname))
        _write(f"{directory}/hosts", self._hosts(container))
        _write(f"{directory}/resolv.conf", self._resolv_conf(container))

    def _sharing(self, container: Container) -> Container | None:
        mode = container.spec.network_mode
        return self._records.get(mode.removeprefix("container:")) if mode.startswith("container:") else None

    def _hosts(self, container: Container) -> str:
        spec = container.spec
        gateways = tuple(e.ipv4_gateway for e in container.endpoints if e.ipv4_gateway)[:1]
        if spec.network_mode == "host":
            return files.host_hosts(_read("/etc/hosts"), spec.extra_hosts, gateways or ("127.0.0.1",))
        names = files.own_names(container.hostname, spec.domain_name)
        own = [(a, names) for e in container.endpoints for a in (e.ipv4, e.ipv6) if a]
        return files.hosts(own, spec.extra_hosts, self._links(container), gateways)

    def _links(self, container: Container) -> tuple[tuple[str, str], ...]:
        """Legacy links on the default bridge: address, and the names it answers to."""
        found = links.running(container, self._records)
        return tuple(
            (link.address, " ".join(dict.fromkeys((link.alias, link.target.hostname, link.target.name))))
            for link in found
        )

    def _resolv_conf(self, container: Container) -> str:
        spec, config = container.spec, self._config
        wishes = files.DnsWishes(
            servers=spec.dns or config.dns,
            search=spec.dns_search or config.dns_search,
            options=spec.dns_options or config.dns_options,
        )
        return files.resolv_conf(
            files.read_host_resolv_conf(),
            wishes,
            embedded=any(naming.has_names(n) for n, _ in self.joined(container)),
            host_network=spec.network_mode == "host",
        )


def rates_of(container: Container) -> Rates:
    return asked(container.spec.labels).rates


def by_kernel(container: Container, ports: Sequence[_Port]) -> tuple[_Port, ...]:
    """Without the ports that the container's label leaves to the shim's socket alone."""
    wishes = asked(container.spec.labels)
    return tuple(p for p in ports if not wishes.is_proxied(p.container_port, p.protocol))


def _write(path: str, text: str) -> None:
    """In place: a running container has the very file mounted."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.fchmod(fd, 0o644)
        with open(fd, "wb", buffering=0, closefd=False) as file:
            file.write(text.encode())
    finally:
        os.close(fd)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(1 << 20)
    except FileNotFoundError:
        return ""
