"""The bridge of a network: made, addressed and set up by netlink; repaired where somebody changed it.

Bridges here never accept router advertisements (CVE-2020-13401) and speak IPv6 only where their network does.
"""

import errno
import hashlib

from hakobu.kernel import rtnetlink
from hakobu.kernel.netlink import Netlink
from hakobu.network import sysctl
from hakobu.network.ipam import parse_subnet
from hakobu.network.steps import DEFAULT_MTU, mtu_of
from hakobu.spec.network import Network, Pool

INHIBIT_IPV4 = "com.docker.network.bridge.inhibit_ipv4"


def mac_of_bridge(network_id: str) -> str:
    """Stable over restarts, so that containers' neighbour tables stay true."""
    return "02:42:" + hashlib.sha256(network_id.encode()).digest()[:4].hex(":")


def addresses_of(network: Network) -> tuple[tuple[str, int], ...]:
    """The gateway addresses the bridge itself has."""
    inhibited = network.spec.options.get(INHIBIT_IPV4, "").lower() == "true"
    pools: list[Pool] = [p for p in network.pools if p.gateway and not (inhibited and ":" not in p.gateway)]
    return tuple((p.gateway.split("/")[0], parse_subnet(p.subnet).prefixlen) for p in pools)


def ensure(nl: Netlink, network: Network, *, route_localnet: bool) -> bool:
    """Makes the bridge as its network says; True when it had to be made. What is right is left alone."""
    name = network.bridge
    link = rtnetlink.find_link(nl, name)
    made = link is None
    if made:
        mtu = mtu_of(network)
        rtnetlink.create_bridge(nl, name, mac_of_bridge(network.id), 0 if mtu == DEFAULT_MTU else mtu)
    sysctl.write(f"ipv6/conf/{name}/accept_ra", "0")
    # the bridge's addresses are its own by construction: without this it would be mute for its first second
    sysctl.write(f"ipv6/conf/{name}/accept_dad", "0")
    sysctl.write(f"ipv6/conf/{name}/disable_ipv6", "0" if network.spec.enable_ipv6 else "1")
    sysctl.write(f"ipv4/conf/{name}/route_localnet", "1" if route_localnet else "0")
    _ensure_addresses(nl, network)
    if link is None or not link.up:
        rtnetlink.set_up(nl, name)
    return made


def _ensure_addresses(nl: Netlink, network: Network) -> None:
    index = rtnetlink.index_of(network.bridge)
    wanted = set(addresses_of(network))
    held = {(a.address, a.prefix) for a in rtnetlink.addresses(nl, index) if not a.address.startswith("fe80:")}
    for address, prefix in sorted(held - wanted):
        rtnetlink.delete_address(nl, network.bridge, address, prefix)
    for address, prefix in sorted(wanted - held):
        rtnetlink.add_address(nl, network.bridge, address, prefix)


def remove(nl: Netlink, name: str) -> None:
    try:
        rtnetlink.delete_link(nl, name)
    except OSError as e:
        if e.errno != errno.ENODEV:
            raise
