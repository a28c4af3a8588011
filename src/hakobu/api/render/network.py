"""Networks as list and inspect show them."""

from collections.abc import Sequence
from typing import Any

from hakobu.api.time import rfc3339_nano
from hakobu.spec.container import Container, Endpoint
from hakobu.spec.network import Network, Pool
from hakobu.wire.version import ApiVersion, fit


def network(value: Network, version: ApiVersion, members: Sequence[Container] = ()) -> dict[str, Any]:
    spec = value.spec
    shown: dict[str, Any] = {
        "Name": spec.name,
        "Id": value.id,
        "Created": rfc3339_nano(value.created_ns),
        "Scope": "local",
        "Driver": spec.driver,
        "EnableIPv4": spec.enable_ipv4,
        "EnableIPv6": spec.enable_ipv6,
        "IPAM": {
            "Driver": spec.ipam_driver,
            "Options": spec.ipam_options,
            "Config": [_pool(pool) for pool in value.pools],
        },
        "Internal": spec.internal,
        "Attachable": spec.attachable,
        "Ingress": spec.ingress,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {member.id: _member(member, value.id) for member in members if member.state.pid},
        "Options": dict(spec.options),
        "Labels": dict(sorted(spec.labels.items())),
    }
    fit("network", shown, version)
    return shown


def _pool(pool: Pool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "Subnet": pool.subnet,
        "IPRange": pool.ip_range,
        "Gateway": pool.gateway,
        "AuxiliaryAddresses": dict(pool.reserved),
    }
    return {name: held for name, held in shown.items() if held}


def _member(container: Container, network_id: str) -> dict[str, Any]:
    endpoint = next((e for e in container.endpoints if e.network_id == network_id), None)
    return {
        "Name": container.name,
        "EndpointID": endpoint.endpoint_id if endpoint else "",
        "MacAddress": endpoint.mac if endpoint else "",
        "IPv4Address": _cidr(endpoint, 4),
        "IPv6Address": _cidr(endpoint, 6),
    }


def _cidr(endpoint: Endpoint | None, family: int) -> str:
    if endpoint is None:
        return ""
    if family == 4:
        return f"{endpoint.ipv4}/{endpoint.ipv4_prefix}" if endpoint.ipv4 else ""
    return f"{endpoint.ipv6}/{endpoint.ipv6_prefix}" if endpoint.ipv6 else ""
