"""`network create`'s subnets with their gateways, ranges and foreign addresses, matched to each other."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    from hakobu.client.codec import Json

    Networks = dict[str, IPv4Network | IPv6Network]


def ipam_config(subnets: list[str], gateways: list[str], ranges: list[str], foreign: dict[str, str]) -> list[Json]:
    """The IPAM configurations; ValueError with docker's words."""
    if not subnets:
        if gateways or ranges or foreign:
            raise ValueError("every ip-range or gateway must have a corresponding subnet")
        return []
    networks: Networks = {subnet: _parsed(subnet) for subnet in subnets}
    names = list(networks)
    for index, name in enumerate(names):
        for other in names[:index]:
            if networks[name].overlaps(networks[other]):
                raise ValueError("multiple overlapping subnet configuration is not supported")
    configs: dict[str, Json] = {subnet: {"Subnet": subnet} for subnet in subnets}
    _place(configs, networks, "IPRange", ranges, "no matching subnet for range {}", "multiple ranges")
    _place(configs, networks, "Gateway", gateways, "no matching subnet for gateway {}", "multiple gateways")
    for name, address in foreign.items():
        subnet = _containing(networks, address)
        if subnet is None:
            raise ValueError(f"no matching subnet for aux-address {address}")
        configs[subnet].setdefault("AuxiliaryAddresses", {})[name] = address
    return list(configs.values())


def _parsed(subnet: str) -> IPv4Network | IPv6Network:
    from ipaddress import ip_network

    try:
        if "/" in subnet:
            return ip_network(subnet, strict=False)
    except ValueError:
        pass
    raise ValueError(f"invalid CIDR address: {subnet}")


def _place(
    configs: dict[str, Json], networks: Networks, field: str, values: list[str], missing: str, many: str
) -> None:
    for value in values:
        subnet = _containing(networks, value)
        if subnet is None:
            raise ValueError(missing.format(value))
        if field in configs[subnet]:
            raise ValueError(
                f"cannot configure {many} ({value}, {configs[subnet][field]}) on the same subnet ({subnet})"
            )
        configs[subnet][field] = value


def _containing(networks: Networks, text: str) -> str | None:
    from ipaddress import ip_interface

    try:
        address = ip_interface(text).ip
    except ValueError:
        raise ValueError(f"invalid IP address: {text}") from None
    return next((subnet for subnet, network in networks.items() if address in network), None)
