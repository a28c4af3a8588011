"""The instance's nftables table as text: what its chains say, and the elements that networks and ports add.

The chains are written once and know no network: each rule looks into a set or a map, so that adding a network
or a port adds elements, touches no rule and never meets what others do. Pure.

| chain | hook | what it does |
|---|---|---|
| `raw` | prerouting, before NAT | drops 127.0.0.0/8 from the wire, and what is sent straight to a container |
| `prerouting`, `output` | nat | sends published ports to their containers (`publish`) |
| `postrouting` | nat | masquerades what leaves, and connections that came from loopback |
| `forward` | filter | lets in published and answered connections; keeps bridges apart, internal ones to themselves |

Loopback's published ports exist in `output` alone (a neighbour on the wire cannot reach them); `raw` guards the
same against `route_localnet`. `uplinks` are interfaces that did not route before the engine switched routing on:
they go on not routing among each other. `hairpin` names ports whose container is on the very bridge a packet comes
from: with br_netfilter such a packet would have to leave by the port it came in by, so the shim's socket serves it.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hakobu.kernel import nftelement
from hakobu.kernel.nftelement import NFT_MSG_DELSETELEM, NFT_MSG_NEWSETELEM, Change

SETS: tuple[tuple[str, str, str], ...] = (
    ("bridges", "set", "type ifname"),
    ("internal", "set", "type ifname"),
    ("uplinks", "set", "type ifname"),
    ("icc", "set", "type ifname . ifname"),
    ("hairpin", "set", "type ifname . inet_proto . inet_service"),
    ("own4", "set", "type ifname . ipv4_addr; flags interval"),
    ("own6", "set", "type ifname . ipv6_addr; flags interval"),
    ("masquerade4", "set", "type ipv4_addr; flags interval"),
    ("masquerade6", "set", "type ipv6_addr; flags interval"),
    ("ports4", "map", "type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service"),
    ("ports6", "map", "type inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service"),
    ("anyports4", "map", "type inet_proto . inet_service : ipv4_addr . inet_service"),
    ("anyports6", "map", "type inet_proto . inet_service : ipv6_addr . inet_service"),
)

CHAINS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "publish",
        "",
        (
            "dnat ip to meta l4proto . ip daddr . th dport map @ports4",
            "dnat ip to meta l4proto . th dport map @anyports4",
            "dnat ip6 to meta l4proto . ip6 daddr . th dport map @ports6",
            "dnat ip6 to meta l4proto . th dport map @anyports6",
        ),
    ),
    (
        "raw",
        "type filter hook prerouting priority raw; policy accept;",
        (
            'iifname "lo" accept',
            "ip daddr 127.0.0.0/8 drop",
            "iifname . ip daddr @own4 accept",
            "iifname . ip6 daddr @own6 accept",
            "fib daddr type local accept",
            "ip daddr @masquerade4 drop",
            "ip6 daddr @masquerade6 drop",
        ),
    ),
    (
        "prerouting",
        "type nat hook prerouting priority dstnat; policy accept;",
        (
            "ip daddr 127.0.0.0/8 accept",
            "iifname @internal accept",
            "iifname . meta l4proto . th dport @hairpin accept",
            "fib daddr type local jump publish",
        ),
    ),
    (
        "output",
        "type nat hook output priority -100; policy accept;",
        # a connection from ::1 cannot leave loopback: the shim's own socket serves it
        ("ip6 daddr ::1 accept", "fib daddr type local jump publish"),
    ),
    (
        "postrouting",
        "type nat hook postrouting priority srcnat; policy accept;",
        (
            "oifname @bridges ip saddr 127.0.0.0/8 masquerade",
            "oifname . ip saddr @own4 accept",
            "oifname . ip6 saddr @own6 accept",
            # also from bridge to bridge by a published port: an answer sent straight back would be dropped in raw
            "ip saddr @masquerade4 masquerade",
            "ip6 saddr @masquerade6 masquerade",
        ),
    ),
    (
        "forward",
        "type filter hook forward priority filter; policy accept;",
        (
            "iifname @uplinks oifname @uplinks drop",
            "iifname != @bridges oifname != @bridges accept",
            "ct state established,related accept",
            "iifname . oifname @icc accept",
            "iifname @internal drop",
            "oifname @internal drop",
            "oifname @bridges ct status dnat accept",
            "oifname @bridges drop",
        ),
    ),
)


def quoted(name: str) -> str:
    if '"' in name or "\\" in name or "\n" in name:
        raise ValueError(f"not an interface name: {name!r}")
    return f'"{name}"'


def base(table: str) -> str:
    """The whole table without elements; run again it renews the rules and keeps the elements."""
    lines = [f"add table inet {table}"]
    lines += [f"add {kind} inet {table} {name} {{ {definition}; }}" for name, kind, definition in SETS]
    lines += [f"add chain inet {table} {name}" + (f" {{ {hook} }}" if hook else "") for name, hook, _ in CHAINS]
    lines += [f"flush chain inet {table} {name}" for name, _, _ in CHAINS]
    lines += [f"add rule inet {table} {name} {rule}" for name, _, rules in CHAINS for rule in rules]
    return "\n".join(lines) + "\n"


def flush_elements(table: str, sets: Iterable[str] = ()) -> str:
    names = tuple(sets) or tuple(name for name, _, _ in SETS if name != "uplinks")
    kinds = {name: kind for name, kind, _ in SETS}
    return "".join(f"flush {kinds[name]} inet {table} {name}\n" for name in names)


@dataclass(frozen=True, slots=True)
class BridgeRules:
    """What the firewall knows of one network."""

    bridge: str
    subnets: tuple[str, ...]
    internal: bool = False
    masquerade: bool = True
    icc: bool = True

    def elements(self) -> list[tuple[str, str]]:
        """Pairs of set and element."""
        name = quoted(self.bridge)
        found = [("bridges", name)]
        if self.internal:
            found.append(("internal", name))
        if self.icc:
            found.append(("icc", f"{name} . {name}"))
        for subnet in self.subnets:
            version = ipaddress.ip_network(subnet).version
            found.append((f"own{version}", f"{name} . {subnet}"))
            if self.masquerade and not self.internal:
                found.append((f"masquerade{version}", subnet))
        return found


@dataclass(frozen=True, slots=True)
class PortRule:
    """One published port of the kernel's: `host_ip` an address or the unspecified one of its family."""

    protocol: str
    host_ip: str
    host_port: int
    container_ip: str
    container_port: int
    bridge: str

    @property
    def _map(self) -> tuple[str, str]:
        """The map and the key in it."""
        address = ipaddress.ip_address(self.host_ip)
        if address.is_unspecified:
            return f"anyports{address.version}", f"{self.protocol} . {self.host_port}"
        return f"ports{address.version}", f"{self.protocol} . {address} . {self.host_port}"

    def add(self, table: str) -> str:
        """As text, for a table that is written as a whole."""
        name, key = self._map
        hairpin = f"{quoted(self.bridge)} . {self.protocol} . {self.host_port}"
        return (
            f"add element inet {table} {name} {{ {key} : {self.container_ip} . {self.container_port} }}\n"
            f"add element inet {table} hairpin {{ {hairpin} }}\n"
        )

    @property
    def element(self) -> tuple[str, bytes, bytes]:
        """The same for the kernel: map, key, data."""
        name, protocol = self._map[0], nftelement.protocol(self.protocol)
        host = () if name.startswith("any") else (nftelement.address(self.host_ip),)
        key = nftelement.joined(protocol, *host, nftelement.port(self.host_port))
        return name, key, nftelement.joined(nftelement.address(self.container_ip), nftelement.port(self.container_port))

    @property
    def hairpin(self) -> bytes:
        """A key that two rules of one port share."""
        bridge, protocol = nftelement.interface(self.bridge), nftelement.protocol(self.protocol)
        return nftelement.joined(bridge, protocol, nftelement.port(self.host_port))


def publish(ports: Iterable[PortRule]) -> list[Change]:
    ports = tuple(ports)
    return [*_by_map(NFT_MSG_NEWSETELEM, ports), _hairpins(NFT_MSG_NEWSETELEM, ports)]


def withdraw(ports: Iterable[PortRule]) -> list[Change]:
    """Hairpin elements are added before they are deleted: another rule of the port may have taken them along."""
    ports = tuple(ports)
    hairpins = (_hairpins(kind, ports) for kind in (NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM))
    return [*_by_map(NFT_MSG_DELSETELEM, ports), *hairpins]


def _by_map(kind: int, ports: Iterable[PortRule]) -> list[Change]:
    found: dict[str, dict[bytes, bytes]] = {}
    for name, key, data in (port.element for port in ports):
        found.setdefault(name, {})[key] = data
    return [Change(kind, name, elements) for name, elements in found.items()]


def _hairpins(kind: int, ports: Iterable[PortRule]) -> Change:
    return Change(kind, "hairpin", dict.fromkeys((port.hairpin for port in ports), b""))


def add_elements(table: str, pairs: Sequence[tuple[str, str]]) -> str:
    return "".join(f"add element inet {table} {name} {{ {element} }}\n" for name, element in pairs)


def delete_elements(table: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Adds before it deletes: deleting what is not there would fail the transaction."""
    return "".join(
        f"add element inet {table} {name} {{ {element} }}\ndelete element inet {table} {name} {{ {element} }}\n"
        for name, element in pairs
    )
