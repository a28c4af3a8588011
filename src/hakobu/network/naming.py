"""From the engine's records to the snapshot of names: which container answers to what, where. Pure."""

from collections.abc import Collection, Iterable

from hakobu.network.files import FALLBACK, ResolvConf
from hakobu.network.resolver.names import Asker, Member, NamedNetwork, Snapshot
from hakobu.spec.container import Container, Endpoint
from hakobu.spec.network import Network

SHORT_ID = 12


def has_names(network: Network) -> bool:
    """User-defined ones have; the default bridge never had, and images rely on that."""
    return network.is_wired and not network.is_default


def names_of(container: Container, endpoint: Endpoint, *, aliases: bool = True) -> tuple[str, ...]:
    """Its own name first, then its aliases there and its short id."""
    own = container.name.lstrip("/")
    return tuple(dict.fromkeys((own, *(endpoint.spec.aliases if aliases else ()), container.id[:SHORT_ID])))


def snapshot(
    networks: Iterable[Network], running: Iterable[Container], host: ResolvConf, aside: Collection[str] = ()
) -> Snapshot:
    """`running` are the containers whose names hold now, those `aside` (ids) answer to their own names alone; `host`
    is the host's resolv.conf, loopback servers too: the resolver asks from the host's namespace, so they answer it."""
    wired = {n.id: n for n in networks if n.is_wired}
    members: dict[str, list[Member]] = {key: [] for key in wired}
    askers: dict[str, Asker] = {}
    for container in running:
        joined = [e for e in container.endpoints if e.network_id in wired]
        for endpoint in joined:
            if has_names(wired[endpoint.network_id]):
                names = names_of(container, endpoint, aliases=container.id not in aside)
                members[endpoint.network_id].append(Member(names, endpoint.ipv4, endpoint.ipv6))
        if any(has_names(wired[e.network_id]) for e in joined):
            askers[container.id] = Asker(
                networks=tuple(e.network_id for e in joined),
                servers=container.spec.dns or host.nameservers or FALLBACK,
                links=_links(joined),
            )
    named = {
        key: NamedNetwork(network.name, network.spec.internal, tuple(members[key])) for key, network in wired.items()
    }
    return Snapshot(named, askers)


def _links(endpoints: Iterable[Endpoint]) -> dict[str, str]:
    """`container:alias` of user-defined networks: a name of this container's own for another."""
    pairs = (link.partition(":") for endpoint in endpoints for link in endpoint.spec.links)
    return {(alias or name).lstrip("/").lower(): name.lstrip("/") for name, _, alias in pairs}
