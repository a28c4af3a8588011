"""Addresses: which subnets networks have, and which address each endpoint gets. No I/O.

State is rebuilt at every start of the daemon from the stored networks and endpoints (`adopt`, `take`), so there
is nothing on disk that could disagree with them. As Docker does, an endpoint gets the lowest free address of
the range, and the gateway is the range's first. Subnets that the host already routes are given as `taken`.
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from hakobu.errors import Invalid
from hakobu.network.failure import (
    AddressesExhausted,
    AddressInUse,
    AddressOutside,
    PoolOverlaps,
    PoolsExhausted,
)
from hakobu.spec.network import Network, NetworkSpec, Pool

Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

DEFAULT_POOLS: tuple[tuple[str, int], ...] = (
    *((f"172.{n}.0.0/16", 16) for n in range(17, 32)),
    ("192.168.0.0/16", 20),
)
"""Base and size of the subnets cut from it; Docker's own."""

MIN_PREFIX_V4 = 30


@dataclass(slots=True)
class _Held:
    """One pool in use. `low` is where the search for a free address begins: below it all are taken."""

    subnet: Subnet
    range: Subnet
    gateway: str
    used: set[int] = field(default_factory=set[int])
    low: int = 0


@dataclass(frozen=True, slots=True)
class Allocation:
    address: str
    prefix: int
    gateway: str


def mac_of(ipv4: str) -> str:
    """Docker's way: 02:42 and the address, so that an address that moves on keeps its MAC."""
    return "02:42:" + ipaddress.IPv4Address(ipv4).packed.hex(":")


def mac_of_id(endpoint_id: str) -> str:
    """For endpoints without IPv4: local, unicast, from the id."""
    return "02:42:" + hashlib.sha256(endpoint_id.encode()).digest()[:4].hex(":")


def ula_prefix(seed: str) -> Subnet:
    """An RFC 4193 /48 of this engine's own."""
    return ipaddress.IPv6Network((b"\xfd" + hashlib.sha256(seed.encode()).digest()[:5] + bytes(10), 48))


def parse_subnet(text: str) -> Subnet:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as e:
        raise Invalid(f"invalid subnet {text}: {e}", field="Subnet") from e


def parse_address(text: str, what: str) -> Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError as e:
        raise Invalid(f"invalid {what} address: {text}", field=what) from e


def overlaps(a: Subnet, b: Subnet) -> bool:
    return a.version == b.version and a.overlaps(b)  # pyright: ignore[reportArgumentType]


def is_within(address: Address, subnet: Subnet) -> bool:
    return address.version == subnet.version and address in subnet


class Ipam:
    """The address book of one instance."""

    def __init__(self, default_pools: Sequence[tuple[str, int]] = (), ula_seed: str = "hakobu") -> None:
        self._defaults = [(parse_subnet(base), size) for base, size in default_pools or DEFAULT_POOLS]
        if not any(base.version == 6 for base, _ in self._defaults):
            self._defaults.append((ula_prefix(ula_seed), 64))
        self._held: dict[str, list[_Held]] = {}

    # -- pools

    def request(self, network_id: str, spec: NetworkSpec, taken: Iterable[Subnet] = ()) -> tuple[Pool, ...]:
        """Chooses and holds the pools of a new network; what it returns is to be stored as `Network.pools`."""
        pools = [self._checked(pool) for pool in spec.pools if pool.subnet]
        versions = {parse_subnet(pool.subnet).version for pool in pools}
        avoid = list(taken) + [held.subnet for held in self._all()]
        for version, wanted in ((4, spec.enable_ipv4), (6, spec.enable_ipv6)):
            if wanted and version not in versions:
                avoid += [parse_subnet(pool.subnet) for pool in pools]
                pools.append(self._choose(version, avoid, [p for p in spec.pools if not p.subnet]))
        pools = [p for p in pools if spec.enable_ipv6 or parse_subnet(p.subnet).version == 4]
        held = [self._hold(pool) for pool in pools]
        self._held[network_id] = held
        return tuple(replace(p, gateway=h.gateway) for p, h in zip(pools, held, strict=True))

    def adopt(self, network: Network) -> None:
        """Takes over a stored network as it is."""
        self._held[network.id] = [self._hold(pool) for pool in network.pools]

    def forget(self, network_id: str) -> None:
        self._held.pop(network_id, None)

    def _all(self) -> Iterable[_Held]:
        return (held for pools in self._held.values() for held in pools)

    def _checked(self, pool: Pool) -> Pool:
        subnet = parse_subnet(pool.subnet)
        if subnet.version == 4 and subnet.prefixlen > MIN_PREFIX_V4:
            raise Invalid(f"invalid subnet {pool.subnet}: no room for a gateway and an endpoint", field="Subnet")
        if any(overlaps(subnet, held.subnet) for held in self._all()):
            raise PoolOverlaps(str(subnet))
        if pool.ip_range and not _contains(subnet, parse_subnet(pool.ip_range)):
            raise Invalid(f"invalid ip-range {pool.ip_range}: it is not part of subnet {subnet}", field="IPRange")
        for what, address in (("gateway", pool.gateway), *pool.reserved.items()):
            if address and not is_within(parse_address(address, what), subnet):
                raise AddressOutside(address, what)
        return replace(pool, subnet=str(subnet))

    def _choose(self, version: int, avoid: Sequence[Subnet], wishes: Sequence[Pool]) -> Pool:
        wish = wishes[0] if version == 4 and wishes else Pool()
        for base, size in self._defaults:
            if base.version != version:
                continue
            for subnet in base.subnets(new_prefix=max(size, base.prefixlen)):
                if not any(overlaps(subnet, other) for other in avoid):
                    return self._checked(replace(wish, subnet=str(subnet)))
        raise PoolsExhausted

    def _hold(self, pool: Pool) -> _Held:
        subnet = parse_subnet(pool.subnet)
        held = _Held(subnet, parse_subnet(pool.ip_range) if pool.ip_range else subnet, pool.gateway)
        held.used.add(int(subnet.network_address))
        if subnet.version == 4:
            held.used.add(int(subnet.broadcast_address))
        held.low = int(held.range.network_address)
        if pool.gateway:
            held.used.add(int(parse_address(pool.gateway, "gateway")))
        held.used.update(int(parse_address(a, name)) for name, a in pool.reserved.items())
        if not pool.gateway:
            held.gateway = str(self._lowest(held, "", reserve=True))
        return held

    # -- addresses

    def allocate(self, network: Network, version: int, wanted: str = "") -> Allocation | None:
        """One address of that IP version, `wanted` or the lowest free one; None where the network has none."""
        pools = [held for held in self._held.get(network.id, []) if held.subnet.version == version]
        if wanted:
            address = parse_address(wanted, "IP")
            for held in pools:
                if is_within(address, held.subnet):
                    if int(address) in held.used:
                        raise AddressInUse(wanted)
                    held.used.add(int(address))
                    return Allocation(str(address), held.subnet.prefixlen, held.gateway)
            raise AddressOutside(wanted)
        if not pools:
            return None
        for n, held in enumerate(pools):
            try:
                address = self._lowest(held, network.name, reserve=True)
            except AddressesExhausted:
                if n == len(pools) - 1:
                    raise
                continue
            return Allocation(str(address), held.subnet.prefixlen, held.gateway)
        return None

    def take(self, network_id: str, address: str) -> None:
        """Marks a stored endpoint's address as used; no error where it already is."""
        parsed = parse_address(address, "IP")
        for held in self._held.get(network_id, []):
            if is_within(parsed, held.subnet):
                held.used.add(int(parsed))

    def release(self, network_id: str, address: str) -> None:
        parsed = parse_address(address, "IP")
        for held in self._held.get(network_id, []):
            if is_within(parsed, held.subnet):
                held.used.discard(int(parsed))
                held.low = max(min(held.low, int(parsed)), int(held.range.network_address))

    def _lowest(self, held: _Held, network: str, *, reserve: bool) -> Address:
        value, last = held.low, int(held.range.broadcast_address)
        while value in held.used:
            value += 1
        if value > last:
            held.low = min(value, last + 1)
            raise AddressesExhausted(network, str(held.range))
        if reserve:
            held.used.add(value)
            held.low = value
        return ipaddress.IPv4Address(value) if held.subnet.version == 4 else ipaddress.IPv6Address(value)


def _contains(outer: Subnet, inner: Subnet) -> bool:
    return outer.version == inner.version and inner.subnet_of(outer)  # pyright: ignore[reportArgumentType]
