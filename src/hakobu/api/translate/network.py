"""A network's create body into a `NetworkSpec`."""

import ipaddress

from hakobu.api.translate.limit import NotSupported
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.spec.network import NetworkSpec, Pool
from hakobu.wire import network as wire

DRIVERS = frozenset({"bridge", "host", "ipvlan", "macvlan", "null"})


class NoSuchDriver(HakobuError):
    """Docker looks for a plugin of that name and does not find one."""

    kind = Kind.NOT_FOUND

    def __init__(self, driver: str) -> None:
        super().__init__(f"could not find plugin {driver} in v1 plugin registry: plugin not found")
        self.driver = driver


def network_spec(body: wire.NetworkCreate) -> NetworkSpec:
    driver = body.get("Driver") or "bridge"
    if driver not in DRIVERS:
        raise NoSuchDriver(driver)
    if body.get("ConfigOnly") or (body.get("ConfigFrom") or {}).get("Network"):
        raise NotSupported("ConfigOnly", "networks that are only configuration")
    if body.get("Ingress"):
        raise NotSupported("Ingress", "it is of swarm")
    if (body.get("Scope") or "local") != "local":
        raise NotSupported("Scope", "only local networks")
    ipam: wire.Ipam = body.get("IPAM") or {}
    if (ipam.get("Driver") or "default") not in ("default", "null"):
        raise NoSuchDriver(ipam.get("Driver") or "")
    return NetworkSpec(
        name=body.get("Name") or "",
        driver=driver,
        internal=bool(body.get("Internal")),
        attachable=bool(body.get("Attachable")),
        enable_ipv4=body.get("EnableIPv4") is not False,
        enable_ipv6=bool(body.get("EnableIPv6")),
        ipam_driver=ipam.get("Driver") or "default",
        ipam_options=ipam.get("Options"),
        pools=tuple(_pool(given) for given in ipam.get("Config") or ()),
        options=dict(body.get("Options") or {}),
        labels=dict(body.get("Labels") or {}),
    )


def _pool(given: wire.Pool) -> Pool:
    subnet, ip_range, gateway = given.get("Subnet") or "", given.get("IPRange") or "", given.get("Gateway") or ""
    for name, text in (("subnet", subnet), ("ip-range", ip_range)):
        if text:
            _network(name, text)
    if gateway:
        _address(gateway, subnet)
    reserved = given.get("AuxiliaryAddresses") or given.get("AuxAddress") or {}
    for address in reserved.values():
        _address(address, subnet)
    return Pool(subnet=subnet, ip_range=ip_range, gateway=gateway, reserved=dict(reserved))


def _network(name: str, text: str) -> None:
    try:
        ipaddress.ip_interface(text)
    except ValueError as error:
        raise Invalid(f"invalid network config:\ninvalid {name} {text}: invalid CIDR block notation") from error
    if "/" not in text:
        raise Invalid(f"invalid network config:\ninvalid {name} {text}: invalid CIDR block notation")


def _address(text: str, subnet: str) -> None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise Invalid(f"invalid network config:\ninvalid gateway {text}: parent subnet is {subnet}") from error
    if subnet and address not in ipaddress.ip_network(subnet, strict=False):
        raise Invalid(
            f"invalid network config:\ninvalid gateway {text}: parent subnet {subnet} doesn't contain gateway"
        )
