"""What a container's network takes, as steps: pure, from records of network and endpoint.

| step | place | arguments |
|---|---|---|
| `veth.create` | shim | host, peer, mac, bridge, mtu: the pair, its far end in the container's namespace |
| `veth.delete` | shim | host |
| `link.up` | child | name |
| `addr.add` | child | name, address, prefix |
| `route.add` | child | destination ("" for default), prefix, gateway, name, metric |
| `sysctl.interface` | child | family, name, key, value |
| `port.reserve` | shim | protocol, host_ip, host_port, host_port_end, container_ip, container_ipv6, container_port |
| `port.publish` | daemon | protocol, host_ip, host_port, container_ip, container_ipv6, container_port, bridge |
| `resolver.join` | daemon | container_id, networks |

A child's steps on an interface need the shim's `veth.create` for it done before.
"""

from collections.abc import Iterable, Sequence

from hakobu.spec.container import Endpoint, PortBinding
from hakobu.spec.instance import Instance
from hakobu.spec.network import Network
from hakobu.spec.step import Place, Step

MTU_OPTION = "com.docker.network.driver.mtu"
DEFAULT_MTU = 1500
NETLINK = ("sendto",)


def mtu_of(network: Network, default: int = DEFAULT_MTU) -> int:
    given = network.spec.options.get(MTU_OPTION, "")
    return int(given) if given.isascii() and given.isdigit() and int(given) else default


def plan_loopback() -> tuple[Step, ...]:
    """For every network namespace of our own, also `none`."""
    return (Step("link.up", Place.CHILD, {"name": "lo"}, NETLINK),)


def plan_endpoint(
    instance: Instance, network: Network, endpoint: Endpoint, *, default_route: bool = True
) -> tuple[Step, ...]:
    """The interface `endpoint.interface` of a container on the bridge of `network`.

    `default_route` is for the one endpoint through which the container reaches the rest of the world; an
    internal network never gets one.
    """
    steps = [_veth(instance, network, endpoint)]
    if not endpoint.ipv6:
        steps.append(_disable_ipv6(endpoint.interface))
    steps += _addresses(endpoint)
    steps.append(Step("link.up", Place.CHILD, {"name": endpoint.interface}, NETLINK))
    if default_route and not network.spec.internal:
        steps += plan_default_route(endpoint)
    return tuple(steps)


def _veth(instance: Instance, network: Network, endpoint: Endpoint) -> Step:
    args = {
        "host": instance.veth(endpoint.endpoint_id),
        "peer": endpoint.interface,
        "mac": endpoint.mac,
        "bridge": network.bridge,
        "mtu": mtu_of(network),
    }
    return Step("veth.create", Place.SHIM, args, NETLINK)


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


def plan_default_route(endpoint: Endpoint) -> tuple[Step, ...]:
    """The default routes through `endpoint`, replacing the ones there are."""
    return tuple(
        Step(
            "route.add",
            Place.CHILD,
            {"destination": "", "prefix": 0, "gateway": gateway, "name": endpoint.interface, "metric": 0},
            NETLINK,
        )
        for gateway in (endpoint.ipv4_gateway, endpoint.ipv6_gateway)
        if gateway
    )


def plan_disconnect(instance: Instance, endpoint: Endpoint) -> tuple[Step, ...]:
    return (Step("veth.delete", Place.SHIM, {"host": instance.veth(endpoint.endpoint_id)}, NETLINK),)


def plan_port_reservations(ports: Iterable[PortBinding], endpoint: Endpoint | None) -> tuple[Step, ...]:
    """The sockets by which the shim holds published ports. What arrives there is forwarded to the endpoint."""
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
    """Names: for containers on at least one user-defined bridge."""
    named = [n.id for n in networks if n.spec.driver == "bridge" and not n.is_default]
    if not named:
        return ()
    return (Step("resolver.join", Place.DAEMON, {"container_id": container_id, "networks": [*named]}, ("sendmsg",)),)
