"""Docker's legacy links on the default bridge: which container is meant, under which alias, and what it is told of it.

A link is a line of the linking container's own specification; it goes with that container, or by its own removal.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from hakobu.engine.failures import NoSuchContainer
from hakobu.engine.records import Records
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.spec.container import Container, Status

_NOT_TOLD = frozenset({"HOME", "PATH"})
"""Variables that images set for themselves."""


class NoSuchLink(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, parent: str, alias: str) -> None:
        super().__init__(f"Cannot get parent /{parent} for link /{parent}/{alias}: there is no such link")


@dataclass(frozen=True, slots=True)
class Link:
    """`alias` is what the linking container calls `target`."""

    alias: str
    target: Container

    @property
    def address(self) -> str:
        return self.target.endpoints[0].ipv4 if self.target.endpoints else ""


def known(container: Container, records: Records) -> tuple[Link, ...]:
    """Without those whose container is gone."""
    found: list[Link] = []
    for text in container.spec.links:
        with suppress(NoSuchContainer):
            found.append(_resolve(text, records))
    return tuple(found)


def _resolve(text: str, records: Records) -> Link:
    ref, _, alias = text.partition(":")
    target = records.get(ref)
    return Link(alias.rpartition("/")[2] or target.name, target)


def running(container: Container, records: Records) -> tuple[Link, ...]:
    """As a start needs them: what is linked must have an address."""
    found = tuple(_resolve(text, records) for text in container.spec.links)
    for link in found:
        if link.target.state.status is not Status.RUNNING or not link.address:
            name = f"/{container.name}/{link.alias}"
            raise Invalid(f"Cannot link to a non running container: /{link.target.name} AS {name}", field="Links")
    return found


def environment(container: Container, links: Iterable[Link]) -> tuple[str, ...]:
    """Docker's variables: the name, each exposed port, and the other container's own variables."""
    return tuple(line for link in links for line in _variables(container, link))


def _variables(container: Container, link: Link) -> Iterator[str]:
    prefix = link.alias.upper().replace("-", "_")
    ports = sorted(_ports(link.target))
    if ports:
        protocol, number = min(ports, key=lambda port: (port[0] != "tcp", port[1]))
        yield f"{prefix}_PORT={protocol}://{link.address}:{number}"
    for first, last, protocol in _runs(ports):
        if first != last:
            start = f"{prefix}_PORT_{first}_{protocol.upper()}"
            yield f"{start}_START={protocol}://{link.address}:{first}"
            yield f"{start}_ADDR={link.address}"
            yield f"{start}_PROTO={protocol}"
            yield f"{start}_PORT_START={first}"
            yield f"{start}_END={protocol}://{link.address}:{last}"
            yield f"{start}_PORT_END={last}"
    for protocol, number in ports:
        name = f"{prefix}_PORT_{number}_{protocol.upper()}"
        yield f"{name}={protocol}://{link.address}:{number}"
        yield f"{name}_ADDR={link.address}"
        yield f"{name}_PORT={number}"
        yield f"{name}_PROTO={protocol}"
    yield f"{prefix}_NAME=/{container.name}/{link.alias}"
    for setting in link.target.env:
        name, equals, value = setting.partition("=")
        if equals and name not in _NOT_TOLD:
            yield f"{prefix}_ENV_{name}={value}"


def _ports(target: Container) -> set[tuple[str, int]]:
    exposed = (port.partition("/") for port in target.exposed_ports)
    found = {(protocol or "tcp", int(number)) for number, _, protocol in exposed if number.isdigit()}
    return found | {(b.protocol, b.container_port) for b in target.spec.ports}


def _runs(ports: Iterable[tuple[str, int]]) -> Iterator[tuple[int, int, str]]:
    """Neighbouring numbers of one protocol together: first, last, protocol."""
    first = last = 0
    before = ""
    for protocol, number in ports:
        if protocol == before and number == last + 1:
            last = number
            continue
        if before:
            yield first, last, before
        before, first, last = protocol, number, number
    if before:
        yield first, last, before


def names(records: Records) -> dict[str, tuple[str, ...]]:
    """What containers are called by those that link to them: id to `/parent/alias`."""
    found: dict[str, list[str]] = {}
    for parent in records:
        for link in known(parent, records):
            found.setdefault(link.target.id, []).append(f"/{parent.name}/{link.alias}")
    return {container_id: tuple(sorted(of)) for container_id, of in found.items()}


async def remove(name: str, records: Records) -> Container:
    """`parent/alias`: the link goes, both containers stay."""
    ref, _, alias = name.strip("/").partition("/")
    if not alias:
        raise Invalid("Conflict, cannot remove the default link name of the container", field="link")
    parent = records.get(ref)
    kept = tuple(text for text in parent.spec.links if _alias(text) != alias)
    if kept == parent.spec.links:
        raise NoSuchLink(parent.name, alias)
    return await records.change(parent.id, spec=replace(parent.spec, links=kept))


def _alias(text: str) -> str:
    ref, _, alias = text.partition(":")
    return (alias or ref).rpartition("/")[2]


def rendered(container: Container) -> tuple[str, ...]:
    """As inspect has them: `/target:/parent/alias`."""
    pairs = ((text.partition(":")[0].removeprefix("/"), _alias(text)) for text in container.spec.links)
    return tuple(f"/{target}:/{container.name}/{alias}" for target, alias in pairs)
