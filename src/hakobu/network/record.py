"""Records of networks before they are made: what a configuration and a request ask for, checked.

Nothing here touches the host. Options of the bridge driver that the engine does not do are refused by name; what is
left out means the default.
"""

import secrets
import time
from dataclasses import dataclass

from hakobu.errors import Invalid
from hakobu.network.failure import UnsupportedOption
from hakobu.spec.container import EndpointSpec
from hakobu.spec.instance import Instance
from hakobu.spec.network import Network, NetworkSpec, Pool

OPTION = "com.docker.network.bridge."
_KNOWN = ("name", "enable_icc", "enable_ip_masquerade", "host_binding_ipv4", "inhibit_ipv4", "default_bridge")
_WAY_OUT = "DefaultGatewayIPv4"
"""Docker's name for the reserved address to which `--default-gateway` sends containers."""
_GATEWAY_MODES = ("gateway_mode_ipv4", "gateway_mode_ipv6")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """What the daemon's configuration says of networks; names as dockerd's keys."""

    default_address_pools: tuple[tuple[str, int], ...] = ()
    bip: str = ""
    bip6: str = ""
    fixed_cidr: str = ""
    fixed_cidr_v6: str = ""
    default_gateway: str = ""
    ipv6: bool = False
    icc: bool = True
    ip_masq: bool = True
    ip_forward: bool = True
    mtu: int = 0
    firewall: bool = True
    publish_proxy: bool = False
    dns: tuple[str, ...] = ()


def record(spec: NetworkSpec) -> Network:
    return Network(id=secrets.token_hex(32), created_ns=time.time_ns(), spec=spec)


def default_network(instance: Instance, s: NetworkSettings) -> Network:
    """The record of the default bridge that a configuration asks for; addresses are chosen later."""
    options = {
        OPTION + "default_bridge": "true",
        OPTION + "enable_icc": str(s.icc).lower(),
        OPTION + "enable_ip_masquerade": str(s.ip_masq).lower(),
        OPTION + "host_binding_ipv4": "0.0.0.0",
        OPTION + "name": instance.default_bridge,
        "com.docker.network.driver.mtu": str(s.mtu or 1500),
    }
    pools: list[Pool] = []
    if s.bip:
        pools.append(Pool(subnet=s.bip, gateway=s.bip.split("/")[0], ip_range=s.fixed_cidr, reserved=_way_out(s)))
    elif s.fixed_cidr or s.default_gateway:
        pools.append(Pool(subnet=s.fixed_cidr, reserved=_way_out(s)))
    if s.bip6 or s.fixed_cidr_v6:
        gateway = s.bip6.split("/")[0] if s.bip6 else ""
        pools.append(Pool(subnet=s.bip6 or s.fixed_cidr_v6, gateway=gateway))
    return record(NetworkSpec(name="bridge", enable_ipv6=s.ipv6, options=options, pools=tuple(pools)))


def _way_out(settings: NetworkSettings) -> dict[str, str]:
    return {_WAY_OUT: settings.default_gateway} if settings.default_gateway else {}


def gateway_of(network: Network, bridge: str) -> str:
    """The bridge itself, unless the network's pool names another way out."""
    return next((p.reserved[_WAY_OUT] for p in network.pools if _WAY_OUT in p.reserved), bridge)


def check_options(spec: NetworkSpec) -> None:
    for key, value in spec.options.items():
        name = key.removeprefix(OPTION)
        is_known = name in _KNOWN or (name in _GATEWAY_MODES and value in ("", "nat"))
        if key.startswith(OPTION) and not is_known:
            raise UnsupportedOption(key, value)
    if spec.ingress:
        raise UnsupportedOption("ingress", "true")
    check_ipam(spec)


def check_ipam(spec: NetworkSpec) -> None:
    if spec.ipam_driver not in ("", "default"):
        raise UnsupportedOption("ipam-driver", spec.ipam_driver)
    if not spec.enable_ipv4 and not spec.enable_ipv6:
        raise Invalid("IPv4 or IPv6 must be enabled", field="EnableIPv4")


def check_endpoint(network: Network, spec: EndpointSpec) -> None:
    if spec.mac and network.spec.driver == "ipvlan":
        raise Invalid("ipvlan interfaces do not support custom mac address assignment", field="MacAddress")
    if not spec.ipv4 and not spec.ipv6:
        return
    if network.is_default:
        raise Invalid("user specified IP address is supported on user defined networks only", field="IPAMConfig")
    if not any(pool.subnet for pool in network.spec.pools):
        raise Invalid(
            "user specified IP address is supported only when connecting to networks with user configured subnets",
            field="IPAMConfig",
        )
