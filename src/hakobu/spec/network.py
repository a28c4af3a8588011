"""What a network is: the specification a user gave and the record the engine keeps of it."""

from dataclasses import dataclass, field

WIRED = frozenset({"bridge", "macvlan", "ipvlan"})
"""Drivers whose containers get an interface, addresses and (but on the default bridge) names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One IPAM pool. `subnet` and `ip_range` in CIDR form, `gateway` and the reserved addresses plain."""

    subnet: str = ""
    ip_range: str = ""
    gateway: str = ""
    reserved: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec:
    """What a create request says. `driver` is bridge, macvlan, ipvlan, host or null (Docker's `none`)."""

    name: str
    driver: str = "bridge"
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    ipam_driver: str = "default"
    ipam_options: dict[str, str] | None = None
    pools: tuple[Pool, ...] = ()
    options: dict[str, str] = field(default_factory=dict[str, str])
    labels: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One network as the engine keeps it; `pools` are the ones it really has, `bridge` its interface."""

    id: str
    created_ns: int
    spec: NetworkSpec
    pools: tuple[Pool, ...] = ()
    bridge: str = ""

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def is_wired(self) -> bool:
        return self.spec.driver in WIRED

    @property
    def is_default(self) -> bool:
        return self.spec.name == "bridge"
