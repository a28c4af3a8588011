"""`NetworkingConfig` and the body of network connect: how a container joins its networks."""

import ipaddress
import re

from hakobu.errors import Invalid
from hakobu.spec.container import EndpointSpec
from hakobu.wire import container as wire
from hakobu.wire.version import ApiVersion

SEVERAL_NETWORKS_SINCE = ApiVersion(1, 44)
_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_NOT_NETWORKS = frozenset({"host", "none"})


def endpoint(network: str, given: wire.EndpointSettings | None) -> EndpointSpec:
    given = given or {}
    ipam: wire.EndpointIPAM = given.get("IPAMConfig") or {}
    return EndpointSpec(
        network=network,
        aliases=tuple(given.get("Aliases") or ()),
        ipv4=_address(ipam.get("IPv4Address") or "", 4),
        ipv6=_address(ipam.get("IPv6Address") or "", 6),
        mac=_mac(given.get("MacAddress") or ""),
        link_local=tuple(ipam.get("LinkLocalIPs") or ()),
        links=tuple(given.get("Links") or ()),
        driver_options=dict(given.get("DriverOpts") or {}),
        gateway_priority=given.get("GwPriority") or 0,
    )


def endpoints(body: wire.ContainerCreate, mode: str, version: ApiVersion) -> tuple[EndpointSpec, ...]:
    """The networks a create request names, the network mode's own first when it is among them."""
    given = (body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
    if len(given) > 1 and version < SEVERAL_NETWORKS_SINCE:
        raise Invalid(f"Container cannot be connected to network endpoints: {', '.join(given)}")
    found = {name: endpoint(name, settings) for name, settings in given.items()}
    found = dict(sorted(found.items(), key=lambda item: item[0] != mode))
    mac = _mac(body.get("MacAddress") or "")
    if mac:
        found = _with_mac(found, mode, mac)
    return tuple(found.values())


def _with_mac(found: dict[str, EndpointSpec], mode: str, mac: str) -> dict[str, EndpointSpec]:
    """The container-wide address of older clients goes to the main network."""
    if mode in _NOT_NETWORKS or mode.startswith("container:"):
        raise Invalid("conflicting options: mac-address and the network mode", field="MacAddress")
    main = "bridge" if mode in ("default", "") else mode
    name = main if main in found else mode if mode in found else main
    old = found.get(name)
    if old is not None and old.mac and old.mac != mac:
        raise Invalid(
            "the container-wide MAC address must match the endpoint-specific MAC address for the main network, "
            "or be left empty",
            field="MacAddress",
        )
    spec = EndpointSpec(
        network=name,
        aliases=old.aliases if old else (),
        ipv4=old.ipv4 if old else "",
        ipv6=old.ipv6 if old else "",
        mac=mac,
        link_local=old.link_local if old else (),
        links=old.links if old else (),
        driver_options=old.driver_options if old else {},
        gateway_priority=old.gateway_priority if old else 0,
    )
    return {name: spec, **{key: value for key, value in found.items() if key != name}}


def _address(text: str, family: int) -> str:
    if not text:
        return ""
    try:
        value = ipaddress.ip_address(text)
    except ValueError as error:
        raise Invalid(f"invalid IPv{family} address: {text}", field="IPAMConfig") from error
    if value.version != family:
        raise Invalid(f"invalid IPv{family} address: {text}", field="IPAMConfig")
    return str(value)


def _mac(text: str) -> str:
    if text and _MAC.fullmatch(text) is None:
        raise Invalid(f"invalid MAC address: {text}", field="MacAddress")
    return text.lower()
