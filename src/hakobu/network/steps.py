"""What a container's network takes, as steps: pure, from records of network and endpoint.

| step | place | arguments |
|---|---|---|
| `veth.create` | shim | host, peer, mac, bridge, mtu, isolated: the far end in the container's namespace |
| `veth.delete` | shim | host |
| `macvlan.create` | shim | parent, name, mode, mac, mtu: in the container's namespace |
| `ipvlan.create` | shim | parent, name, mode, flag, mtu: in the container's namespace |
| `link.delete` | child | name |
| `rate.limit` | shim, child | name, rate_bytes: of what leaves by the interface, in a second |
| `link.up` | child | name |
| `addr.add` | child | name, address, prefix |
| `route.add` | child | destination ("" for default by a gateway), prefix, gateway, name, metric |
| `sysctl.interface` | child | family, name, key, value |
| `port.reserve` | shim | protocol, host_ip, host_port, host_port_end, container_ip, container_ipv6, container_port |
| `port.publish` | daemon | protocol, host_ip, host_port, container_ip, container_ipv6, container_port, bridge |
| `resolver.join` | daemon | container_id, networks |

`port.reserve` has `keeper` and `container_prefix` besides, where another process binds the host's ports.
A child's steps on an interface need the shim's step that creates it done before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hakobu.network.sublink import DRIVERS as ON_A_PARENT
from hakobu.network.sublink import MTU_OPTION, sublink_of
from hakobu.spec.container import Endpoint, PortBinding
from hakobu.spec.instance import Instance
from hakobu.spec.network import Network
from hakobu.spec.own_label import Rates
from hakobu.spec.step import Json, Place, Step

HOST_BINDING_OPTION = "com.docker.network.bridge.host_binding_ipv4"
ICC_OPTION = "com.docker.network.bridge.enable_icc"
DEFAULT_MTU = 1500
NETLINK = ("sendto",)
NO_RATES = Rates()


def mtu_of(network: Network, default: int = DEFAULT_MTU) -> int:
    given = network.spec.options.get(MTU_OPTION, "")
    return int(given) if given.isascii() and given.isdigit() and int(given) else default


def allows_icc(network: Network) -> bool:
    """Whether containers of the network may speak to each other."""
    return network.spec.options.get(ICC_OPTION, "true").lower() not in ("false", "0")


def leads_by_gateway(network: Network) -> bool:
    """Whether an endpoint there has a gateway: not where nothing leads out, nor where the interface itself does."""
    return not network.spec.internal and not _leads_by_device(network)


def _leads_by_device(network: Network) -> bool:
    on_parent = network.spec.driver in ON_A_PARENT
    return on_parent and not network.spec.internal and sublink_of(network.spec).routes_by_device


def _leads_out(network: Network, endpoint: Endpoint) -> bool:
    return not network.spec.internal and bool(
        endpoint.ipv4_gateway or endpoint.ipv6_gateway or _leads_by_device(network)
    )


def plan_loopback() -> tuple[Step, ...]:
    """For every network namespace of our own, also `none`."""
    return (Step("link.up", Place.CHILD, {"name": "lo"}, NETLINK),)


def plan_endpoint(
    instance: Instance,
    network: Network,
    endpoint: Endpoint,
    *,
    default_route: bool = True,
    rates: Rates = NO_RATES,
) -> tuple[Step, ...]:
    """The interface `endpoint.interface` of a container on `network`.

    `default_route` is for the one endpoint through which the container reaches the rest of the world; an
    internal network never gets one.
    """
    on_parent = network.spec.driver in ON_A_PARENT
    steps = [_on_parent(instance, network, endpoint) if on_parent else _veth(instance, network, endpoint)]
    if not endpoint.ipv6:
        steps.append(_disable_ipv6(endpoint.interface))
    steps += _addresses(endpoint)
    steps += _rates(instance, network, endpoint, rates)
    steps.append(Step("link.up", Place.CHILD, {"name": endpoint.interface}, NETLINK))
    if default_route and not network.spec.internal:
        steps += plan_default_route(network, endpoint)
    return tuple(steps)


def _rates(instance: Instance, network: Network, endpoint: Endpoint, rates: Rates) -> list[Step]:
    """What the host's end of a cable sends is what the container receives; on a parent there is no such end."""
    steps: list[Step] = []
    if rates.incoming and network.spec.driver == "bridge":
        args: dict[str, Json] = {"name": instance.veth(endpoint.endpoint_id), "rate_bytes": rates.incoming}
        steps.append(Step("rate.limit", Place.SHIM, args, NETLINK))
    if rates.outgoing:
        args = {"name": endpoint.interface, "rate_bytes": rates.outgoing}
        steps.append(Step("rate.limit", Place.CHILD, args, NETLINK))
    return steps


def _on_parent(instance: Instance, network: Network, endpoint: Endpoint) -> Step:
    link = sublink_of(network.spec)
    args: dict[str, Json] = {
        "parent": link.parent or instance.bridge(network.id),
        "name": endpoint.interface,
        "mode": link.mode,
        "mtu": mtu_of(network, 0),
    }
    args |= {"flag": link.flag} if link.driver == "ipvlan" else {"mac": endpoint.mac}
    # spelt out, for what is planned is looked up by these names
    return Step("ipvlan.create" if link.driver == "ipvlan" else "macvlan.create", Place.SHIM, args, NETLINK)


def _veth(instance: Instance, network: Network, endpoint: Endpoint) -> Step:
    args = {
        "host": instance.veth(endpoint.endpoint_id),
        "peer": endpoint.interface,
        "mac": endpoint.mac,
        "bridge": network.bridge,
        "mtu": mtu_of(network),
        "isolated": not allows_icc(network),
    }
    return Step("veth.create", Place.SHIM, args, NETLINK * (2 if args["isolated"] else 1))


def _disable_ipv6(interface: str) -> Step:
    """Before the link goes up, so that no link-local address ever appears (CVE-2024-32473)."""
    args = {"family": "ipv6", "name": interface, "key": "disable_ipv6", "value": "1"}
    return Step("sysctl.interface", Place.CHILD, args, ("openat", "write"))


def _addresses(endpoint: Endpoint) -> list[Step]:
    held = [(endpoint.ipv4, endpoint.ipv4_prefix), (endpoint.ipv6, endpoint.ipv6_prefix)]
    held += [(a, 64 if ":" in a else 16) for a in endpoint.spec.link_local]
    return [
        Step("addr.add", Place.CHILD, {"name": endpoint.interface, "address": a, "prefix": p}, NETLINK)
        for a, p in held
        if a
    ]


def plan_default_route(network: Network, endpoint: Endpoint) -> tuple[Step, ...]:
    """The default routes through `endpoint`, replacing the ones there are."""
    if _leads_by_device(network):
        ways = [("0.0.0.0", "")] * bool(endpoint.ipv4) + [("::", "")] * bool(endpoint.ipv6)
    else:
        ways = [("", gateway) for gateway in (endpoint.ipv4_gateway, endpoint.ipv6_gateway) if gateway]
    return tuple(
        Step(
            "route.add",
            Place.CHILD,
            {"destination": to, "prefix": 0, "gateway": gateway, "name": endpoint.interface, "metric": 0},
            NETLINK,
        )
        for to, gateway in ways
    )


def default_route_of(joined: Sequence[tuple[Network, Endpoint]]) -> Endpoint | None:
    """The endpoint that leads out: highest priority, then both families before one, then by network name."""
    found = _way_out(joined)
    return found[1] if found else None


def _way_out(joined: Sequence[tuple[Network, Endpoint]]) -> tuple[Network, Endpoint] | None:
    leading = [(n, e) for n, e in joined if _leads_out(n, e)]
    order = sorted(leading, key=lambda j: (-j[1].spec.gateway_priority, not (j[1].ipv4 and j[1].ipv6), j[0].name))
    return order[0] if order else None


def plan_container(
    instance: Instance,
    joined: Sequence[tuple[Network, Endpoint]],
    ports: Sequence[PortBinding] = (),
    default_host_ip: str = "",
    keeper: str = "",
    rates: Rates = NO_RATES,
) -> tuple[Step, ...]:
    """All of a start's network but names and rules: for a container with a network namespace of its own."""
    out = default_route_of(joined)
    steps = [*plan_loopback()]
    for network, endpoint in joined:
        if network.is_wired:
            steps += plan_endpoint(instance, network, endpoint, default_route=endpoint is out, rates=rates)
    published = publishing_endpoint(joined)
    if published is not None:
        network = next(n for n, e in joined if e is published)
        steps += plan_port_reservations(bound_for(ports, network, default_host_ip), published, keeper)
    return tuple(steps)


def bound_for(ports: Iterable[PortBinding], network: Network, default: str = "") -> tuple[PortBinding, ...]:
    """Ports that name no host address get the network's own, where it has one, or the engine's `default`."""
    chosen = network.spec.options.get(HOST_BINDING_OPTION, "")
    address = default if chosen in ("", "0.0.0.0") else chosen
    return tuple(port if port.host_ip else replace(port, host_ip=address) for port in ports)


def publishing_endpoint(joined: Sequence[tuple[Network, Endpoint]]) -> Endpoint | None:
    """Where published ports lead: the endpoint that leads out, if it is on a bridge. Internal networks publish
    nothing, and on a macvlan or ipvlan a container's ports are all reachable as they are."""
    found = _way_out(joined)
    return found[1] if found and found[0].spec.driver == "bridge" else None


def plan_connect(
    instance: Instance, joined: Sequence[tuple[Network, Endpoint]], new: Endpoint, rates: Rates = NO_RATES
) -> tuple[Step, ...]:
    """For a running container; `joined` includes `new`. The default route moves where `new` is now the way out."""
    network = next(n for n, e in joined if e is new)
    return plan_endpoint(instance, network, new, default_route=default_route_of(joined) is new, rates=rates)


def plan_disconnect(
    instance: Instance,
    network: Network,
    endpoint: Endpoint,
    remaining: Sequence[tuple[Network, Endpoint]] = (),
) -> tuple[Step, ...]:
    """For a running container; the default route moves to what remains."""
    if network.spec.driver in ON_A_PARENT:
        removed = Step("link.delete", Place.CHILD, {"name": endpoint.interface}, NETLINK)
    else:
        removed = Step("veth.delete", Place.SHIM, {"host": instance.veth(endpoint.endpoint_id)}, NETLINK)
    out = _way_out(remaining)
    return (removed, *(plan_default_route(*out) if out else ()))


def next_interface(endpoints: Iterable[Endpoint]) -> str:
    """The lowest free of eth0, eth1, …"""
    used = {e.interface for e in endpoints}
    return next(name for n in range(len(used) + 1) if (name := f"eth{n}") not in used)


def plan_port_reservations(
    ports: Iterable[PortBinding], endpoint: Endpoint | None, keeper: str = ""
) -> tuple[Step, ...]:
    """The sockets by which the shim holds published ports. What arrives there is forwarded to the endpoint.

    `keeper` is the directory of who binds them, where the host's network is not the engine's.
    """
    bound_elsewhere: dict[str, Json] = {}
    if keeper:
        bound_elsewhere = {"keeper": keeper, "container_prefix": endpoint.ipv4_prefix if endpoint else 0}
    return tuple(
        Step(
            "port.reserve",
            Place.SHIM,
            {
                "protocol": port.protocol,
                "host_ip": port.host_ip,
                "host_port": port.host_port,
                "host_port_end": port.host_port_end,
                "container_ip": endpoint.ipv4 if endpoint else "",
                "container_ipv6": endpoint.ipv6 if endpoint else "",
                "container_port": port.container_port,
                **bound_elsewhere,
            },
            ("socket", "bind") if port.protocol == "udp" else ("socket", "bind", "listen"),
        )
        for port in ports
    )


def plan_port_rules(ports: Iterable[PortBinding], network: Network, endpoint: Endpoint) -> tuple[Step, ...]:
    """The kernel's part of publishing, done by the daemon once the shim knows the ports' numbers."""
    return tuple(
        Step(
            "port.publish",
            Place.DAEMON,
            {
                "protocol": port.protocol,
                "host_ip": port.host_ip,
                "host_port": port.host_port,
                "container_ip": endpoint.ipv4,
                "container_ipv6": endpoint.ipv6,
                "container_port": port.container_port,
                "bridge": network.bridge,
            },
            NETLINK,
        )
        for port in ports
    )


def plan_resolver(container_id: str, networks: Sequence[Network]) -> tuple[Step, ...]:
    """Names: for containers on at least one user-defined network."""
    named = [n.id for n in networks if n.is_wired and not n.is_default]
    if not named:
        return ()
    return (Step("resolver.join", Place.DAEMON, {"container_id": container_id, "networks": [*named]}, ("sendmsg",)),)
