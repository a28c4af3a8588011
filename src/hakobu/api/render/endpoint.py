"""Endpoints and published ports as `NetworkSettings` and `docker ps` show them."""

from typing import Any

from hakobu.spec.container import BoundPort, Container, Endpoint
from hakobu.wire.version import ALIASES_AS_GIVEN, ApiVersion, fit


def endpoint_settings(endpoint: Endpoint, container: Container, version: ApiVersion) -> dict[str, Any]:
    """One entry of `Networks`. Links and aliases are null where there are none, as Docker has them."""
    spec = endpoint.spec
    ipam: dict[str, Any] = {}
    if spec.ipv4:
        ipam["IPv4Address"] = spec.ipv4
    if spec.ipv6:
        ipam["IPv6Address"] = spec.ipv6
    if spec.link_local:
        ipam["LinkLocalIPs"] = list(spec.link_local)
    value: dict[str, Any] = {
        "IPAMConfig": ipam or None,
        "Links": list(spec.links) or None,
        "Aliases": _aliases(endpoint, container, version) or None,
        "MacAddress": endpoint.mac,
        "DriverOpts": dict(spec.driver_options) or None,
        "GwPriority": spec.gateway_priority,
        "NetworkID": endpoint.network_id,
        "EndpointID": endpoint.endpoint_id,
        "Gateway": endpoint.ipv4_gateway,
        "IPAddress": endpoint.ipv4,
        "IPPrefixLen": endpoint.ipv4_prefix,
        "IPv6Gateway": endpoint.ipv6_gateway,
        "GlobalIPv6Address": endpoint.ipv6,
        "GlobalIPv6PrefixLen": endpoint.ipv6_prefix,
        "DNSNames": _dns_names(endpoint, container),
    }
    fit("endpoint", value, version)
    return value


def _aliases(endpoint: Endpoint, container: Container, version: ApiVersion) -> list[str]:
    """Before there were `DNSNames`, the names that every container has stood here."""
    given = endpoint.spec.aliases
    if version >= ALIASES_AS_GIVEN or endpoint.network_name in ("bridge", "host", "none"):
        return list(given)
    return list(dict.fromkeys((*given, container.id[:12], container.hostname)))


def _dns_names(endpoint: Endpoint, container: Container) -> list[str] | None:
    """The names other containers of the network find this one by; the default bridge has none."""
    if endpoint.network_name in ("bridge", "host", "none"):
        return None
    names = [container.name, *endpoint.spec.aliases, container.id[:12], container.spec.hostname]
    return list(dict.fromkeys(name for name in names if name))


def networks(container: Container, version: ApiVersion) -> dict[str, Any]:
    """Joined endpoints; networks that are asked for and not joined yet are there too, without addresses."""
    joined = {e.spec.network for e in container.endpoints} | {e.network_name for e in container.endpoints}
    wanted = [
        Endpoint(spec=spec, network_id="", network_name=spec.network, endpoint_id="", mac=spec.mac)
        for spec in container.spec.endpoints
        if spec.network not in joined
    ]
    return {e.network_name: endpoint_settings(e, container, version) for e in (*container.endpoints, *wanted)}


def network_settings(container: Container, version: ApiVersion, exec_root: str) -> dict[str, Any]:
    """All of `NetworkSettings`; the fields beside `Networks` repeat the default bridge's endpoint."""
    main = next((e for e in container.endpoints if e.network_name == "bridge"), None)
    sandbox = container.sandbox_id
    return {
        "Bridge": "",
        "SandboxID": sandbox,
        "SandboxKey": f"/proc/{container.state.pid}/ns/net" if container.state.pid else "",
        "Ports": port_map(container),
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "EndpointID": main.endpoint_id if main else "",
        "Gateway": main.ipv4_gateway if main else "",
        "GlobalIPv6Address": main.ipv6 if main else "",
        "GlobalIPv6PrefixLen": main.ipv6_prefix if main else 0,
        "IPAddress": main.ipv4 if main else "",
        "IPPrefixLen": main.ipv4_prefix if main else 0,
        "IPv6Gateway": main.ipv6_gateway if main else "",
        "MacAddress": main.mac if main else "",
        "Networks": networks(container, version),
    }


def port_map(container: Container) -> dict[str, Any]:
    """Exposed ports with null, published ones with their real host ports; empty when it does not run."""
    if not container.state.pid:
        return {}
    value: dict[str, Any] = dict.fromkeys(container.exposed_ports)
    for port in container.ports:
        key = f"{port.container_port}/{port.protocol}"
        value[key] = [*(value.get(key) or []), {"HostIp": _host_ip(port), "HostPort": str(port.host_port)}]
    return value


def port_list(container: Container) -> list[dict[str, Any]]:
    """`Ports` of `docker ps`: published ones first by number, then those that are only exposed."""
    if not container.state.pid:
        return []
    published = [
        {"IP": _host_ip(p), "PrivatePort": p.container_port, "PublicPort": p.host_port, "Type": p.protocol}
        for p in container.ports
    ]
    taken = {(p.container_port, p.protocol) for p in container.ports}
    for text in container.exposed_ports:
        number, _, protocol = text.partition("/")
        if (int(number), protocol) not in taken:
            published.append({"PrivatePort": int(number), "Type": protocol})
    return published


def _host_ip(port: BoundPort) -> str:
    return port.host_ip or "0.0.0.0"
