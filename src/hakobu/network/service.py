"""The networks of one instance, for the engine: records in, records out, the kernel changed between.

Synchronous, and used from one thread (it owns the netlink socket and the nftables context, and the address book).
The engine keeps the records; `restore` gets all of them at the daemon's start and makes the host agree. Whatever
was changed on the host beside that is returned or kept in `notices` as sentences for the log.
"""

import secrets
import socket
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from hakobu.errors import HakobuError
from hakobu.kernel import conntrack, rtnetlink
from hakobu.kernel.netlink import Netlink
from hakobu.network import bridge, foreign, sublink, sysctl
from hakobu.network.failure import InterfaceExists, NetworkFailed, UnsupportedDriver
from hakobu.network.files import read_host_resolv_conf
from hakobu.network.firewall import Firewall
from hakobu.network.ipam import Ipam, Subnet, mac_of, mac_of_id, parse_subnet
from hakobu.network.naming import has_names, snapshot
from hakobu.network.parent import Parents
from hakobu.network.record import (
    OPTION,
    NetworkSettings,
    check_endpoint,
    check_ipam,
    check_options,
    default_network,
    gateway_of,
    record,
)
from hakobu.network.resolving import ResolverDoor, ResolverFailed
from hakobu.network.rules import BridgeRules, PortRule
from hakobu.network.steps import allows_icc, leads_by_gateway
from hakobu.spec.container import BoundPort, Container, Endpoint, EndpointSpec
from hakobu.spec.instance import Instance
from hakobu.spec.network import Network, NetworkSpec
from hakobu.spec.plan import ReservedPort


class Networking:
    """Bridges, addresses, firewall and published ports of one instance."""

    def __init__(self, instance: Instance, settings: NetworkSettings | None = None) -> None:
        self._instance = instance
        self._settings = settings or NetworkSettings()
        self._ipam = Ipam(self._settings.default_address_pools, instance.data_root)
        self._firewall = Firewall(instance.nft_table)
        self._resolver = ResolverDoor(f"{instance.exec_root}/resolver")
        self._netlink: Netlink | None = None
        self._bridges: dict[str, BridgeRules] = {}
        self._parents = Parents(instance)
        self._published: dict[str, list[PortRule]] = {}
        self._holding: set[str] = set()
        self._ready = False
        self._warnings: list[str] = []
        self.notices: list[str] = []

    # -- life

    def close(self) -> None:
        """The daemon's end: bridges, rules and the resolver stay, for the containers do."""
        self._firewall.close()
        self._resolver.close()
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def withdraw(self) -> None:
        """At the end of a daemon that leaves no container: nothing of the engine's stays on the host.

        The next daemon makes it anew from its records. The table stays where it keeps interfaces apart that
        forwarding, which was switched on for the bridges, would join."""
        with _kernel("withdraw the bridges"):
            self._parents.withdraw(self._nl)
            for rule in self._bridges.values():
                bridge.remove(self._nl, rule.bridge)
            if not self._settings.firewall or not self._bridges:
                return
            foreign.close_for(self._firewall.nft, self._firewall.table, [r.bridge for r in self._bridges.values()])
            if not self._firewall.keeps_apart():
                self._firewall.remove()
                return
            for rule in self._bridges.values():
                self._firewall.remove_bridge(rule)

    @property
    def _nl(self) -> Netlink:
        if self._netlink is None:
            self._netlink = Netlink()
        return self._netlink

    def take_notices(self) -> list[str]:
        """Sentences for the log since the last call."""
        said, self.notices = self.notices, []
        return said

    def builtin(self, existing: Iterable[Network] = ()) -> tuple[Network, ...]:
        """Records of the networks that are always there (bridge, host, none) and not in `existing`; to be stored."""
        names = {network.name for network in existing}
        drivers = {"bridge": "bridge", "host": "host", "none": "null"}
        return tuple(
            default_network(self._instance, self._settings)
            if name == "bridge"
            else record(NetworkSpec(name=name, driver=driver))
            for name, driver in drivers.items()
            if name not in names
        )

    def ensure_default(self, existing: Iterable[Network] = ()) -> tuple[Network, ...]:
        """The builtin networks that are missing, and the default one where the configuration changed; made and with
        addresses. To be stored: a changed one keeps its id."""
        existing = tuple(existing)
        made = [self._make(n) if n.spec.driver == "bridge" else n for n in self.builtin(existing)]
        return (*made, *(self._reconfigured(n) for n in existing if n.is_default and self._differs(n)))

    def _differs(self, default: Network) -> bool:
        return default.spec != default_network(self._instance, self._settings).spec

    def _reconfigured(self, default: Network) -> Network:
        """Other addresses only where other pools are asked for. What runs keeps its own until it is restarted."""
        wanted = default_network(self._instance, self._settings).spec
        changed = replace(default, spec=wanted)
        if wanted.pools == default.spec.pools and wanted.enable_ipv6 == default.spec.enable_ipv6:
            return changed
        self.notices.append("the default bridge gets the addresses that the configuration asks for")
        return self._make(replace(changed, pools=()))

    # -- networks

    def create(self, spec: NetworkSpec) -> tuple[Network, tuple[str, ...]]:
        """A new network and warnings. Its name was checked by the caller; ids are 64 hex digits."""
        if spec.driver in sublink.DRIVERS:
            made = self._make_on_parent(record(spec))
            warnings = [f"{name}: not an option of the driver {spec.driver}" for name in sublink.unknown_options(spec)]
        elif spec.driver == "bridge":
            check_options(spec)
            made = self._make(record(spec))
            warnings = self._warnings
        else:
            raise UnsupportedDriver(spec.driver)
        self._resolver.start()
        return made, tuple(warnings)

    def _make_on_parent(self, network: Network) -> Network:
        check_ipam(network.spec)
        self._parents.take(network)
        with _kernel(f"create network {network.name}"):
            try:
                pools = self._ipam.request(network.id, network.spec, self._taken())
                self._parents.ensure(self._nl, network.id)
            except BaseException:
                self._ipam.forget(network.id)
                self._parents.release(self._nl, network.id)
                raise
        return replace(network, pools=pools)

    def _make(self, network: Network) -> Network:
        name = network.spec.options.get(OPTION + "name", "") or self._instance.bridge(network.id)
        with _kernel(f"create network {network.name}"):
            default = name == self._instance.default_bridge
            if not default and rtnetlink.find_link(self._nl, name) is not None:
                raise InterfaceExists(name)
            taken = self._taken(but=name)
            pools = self._ipam.request(network.id, network.spec, taken)
            made = replace(network, pools=pools, bridge=name)
            try:
                self._install([made])
            except BaseException:
                self.remove(replace(network, pools=pools, bridge="" if default else name))
                raise
        return made

    def _taken(self, but: str = "") -> list[Subnet]:
        """What the host routes or has addresses in, apart from one interface's own."""
        skip = rtnetlink.find_link(self._nl, but) if but else None
        index = skip.ifindex if skip else -1
        found = [
            parse_subnet(f"{r.destination}/{r.prefix}")
            for family in (socket.AF_INET, socket.AF_INET6)
            for r in rtnetlink.routes(self._nl, family)
            if r.destination and r.ifindex != index and not r.destination.startswith(("fe80:", "ff"))
        ]
        found += [parse_subnet(f"{a.address}/{a.prefix}") for a in rtnetlink.addresses(self._nl) if a.ifindex != index]
        return found

    def _rules_of(self, network: Network) -> BridgeRules:
        options = network.spec.options
        return BridgeRules(
            bridge=network.bridge,
            subnets=tuple(pool.subnet for pool in network.pools),
            internal=network.spec.internal,
            masquerade=options.get(OPTION + "enable_ip_masquerade", "true").lower() != "false",
            icc=allows_icc(network),
        )

    def _install(self, networks: Sequence[Network]) -> None:
        """Bridges, rules, forwarding and other firewalls' hooks, for networks whose addresses are held."""
        self._prepare()
        rules = [self._rules_of(network) for network in networks]
        for network, rule in zip(networks, rules, strict=True):
            # rules first: a daemon that dies between leaves a name in our table, by which the next one finds it
            if self._settings.firewall and network.id not in self._bridges:
                self._firewall.add_bridge(rule)
            self._bridges[network.id] = rule
            bridge.ensure(self._nl, network, route_localnet=not rule.internal and self._settings.firewall)
        self._open_ways_out(networks, rules)

    def _prepare(self) -> None:
        if not self._ready and self._settings.firewall:
            self._firewall.restore(self._bridges.values(), self._all_ports())
        self._ready = True

    def heal(self) -> None:
        """Mends what others did since last time; nearly free when they did nothing. For each start, and whenever the
        caller likes: a dockerd that came later drops, a `flush ruleset` takes our table away, a resolver was killed."""
        if self._resolver.is_lost():
            failed = self._resolver.replace_lost()
            self.notices.append("the resolver of names had ended and is started again")
            self.notices += [f"container {container_id[:12]} has no resolver any more" for container_id in failed]
        if not self._settings.firewall or not self._bridges or not self._firewall.has_changed():
            return
        with _kernel("mend the firewall"):
            if not self._firewall.is_present():
                self._firewall.restore(self._bridges.values(), self._all_ports())
                self.notices.append(f"table inet {self._firewall.table} was gone and is back")
            self._open_foreign([rule.bridge for rule in self._bridges.values()])
            self._firewall.settled()

    def watch(self) -> socket.socket:
        """Readable whenever somebody changed a rule of the host: drain it, then `heal` (on this layer's thread, a
        moment later: changes come in rows). The caller closes it."""
        return self._firewall.watch()

    def _open_foreign(self, bridges: Sequence[str]) -> list[str]:
        """Returns the warnings, which are notices too."""
        done, warnings = foreign.open_for(self._firewall.nft, self._firewall.table, bridges)
        self.notices += done + warnings
        return warnings

    def _open_ways_out(self, networks: Sequence[Network], rules: Sequence[BridgeRules]) -> None:
        leading_out = [n for n in networks if not n.spec.internal]
        if leading_out and self._settings.ip_forward:
            self._enable_forwarding(any(n.spec.enable_ipv6 for n in leading_out))
        if rules and self._settings.firewall:
            self._warnings = self._open_foreign([r.bridge for r in rules])
            self._firewall.settled()

    def _enable_forwarding(self, ipv6: bool) -> None:
        """Interfaces that did not route among each other until now go on so: only containers gain by it."""
        if not sysctl.needs_forwarding(ipv6):
            return
        own = {rule.bridge for rule in self._bridges.values()} | {"lo"}
        names = [link.name for link in rtnetlink.links(self._nl)]
        apart = [name for name in names if name not in own and not name.startswith(("hk", "hakobu"))]
        if apart and self._settings.firewall:
            self._firewall.keep_apart(apart)
            self.notices.append(f"{', '.join(apart)}: no routing among these, as before")
        self.notices += sysctl.enable_forwarding(ipv6)

    def remove(self, network: Network) -> None:
        """Without members, as the caller has made sure."""
        self._ipam.forget(network.id)
        with _kernel(f"remove network {network.name}"):
            self._parents.release(self._nl, network.id)
        if not network.bridge:
            return
        rule = self._bridges.pop(network.id, None) or self._rules_of(network)
        with _kernel(f"remove network {network.name}"):
            bridge.remove(self._nl, network.bridge)
            if self._settings.firewall:
                self._prepare()
                self._firewall.remove_bridge(rule)
                foreign.close_for(self._firewall.nft, self._firewall.table, [network.bridge])

    def restore(
        self,
        networks: Iterable[Network],
        endpoints: Iterable[Endpoint] = (),
        published: Iterable[tuple[str, Endpoint, Sequence[ReservedPort | BoundPort]]] = (),
    ) -> None:
        """At the daemon's start, and whenever the host may differ: all networks, every stored endpoint, and the
        published ports of running containers (container id, endpoint, ports). Idempotent."""
        wired = [n for n in networks if n.is_wired and n.pools and self._adopt(n)]
        bridges = [n for n in wired if n.spec.driver == "bridge"]
        endpoints = tuple(endpoints)
        for endpoint in endpoints:
            self._holding.add(endpoint.endpoint_id)
            for address in (endpoint.ipv4, endpoint.ipv6):
                if address:
                    self._ipam.take(endpoint.network_id, address)
        self._published = {}
        for container_id, endpoint, ports in published:
            self._published.setdefault(container_id, []).extend(self._port_rules(endpoint, ports))
        with _kernel("restore networks"):
            self._remove_orphans()
            self._ready = False
            self._install_each(bridges)
            self._ensure_parents([n for n in wired if n.spec.driver != "bridge"])
            self._reattach(networks=bridges, endpoints=endpoints)

    def _adopt(self, network: Network) -> bool:
        """One bad record costs that network, not the daemon."""
        try:
            self._ipam.adopt(network)
        except HakobuError as e:
            self.notices.append(f"network {network.name} is left out: {e}")
            return False
        if network.spec.driver == "bridge":
            self._bridges[network.id] = self._rules_of(network)
        return True

    def _ensure_parents(self, networks: Sequence[Network]) -> None:
        """What was made for networks goes with a reboot; what is not there yet is looked for again at each start."""
        for network in networks:
            try:
                self._parents.take(network)
                self._parents.ensure(self._nl, network.id)
            except (HakobuError, OSError) as e:
                self.notices.append(f"network {network.name} is not whole: {e}")
        for name in self._parents.remove_orphans(self._nl):
            self.notices.append(f"interface {name} belonged to no network and is removed")

    def _install_each(self, networks: Sequence[Network]) -> None:
        self._prepare()
        for network in networks:
            try:
                self._install([network])
            except OSError as e:
                self.notices.append(f"network {network.name} is not whole: {e.strerror or e}")

    def _remove_orphans(self) -> None:
        """Bridges that a daemon made (their names are in our table) and died before they were recorded."""
        if not self._settings.firewall:
            return
        known = {rule.bridge for rule in self._bridges.values()} | {self._instance.default_bridge}
        for name in sorted(self._firewall.bridges() - known):
            bridge.remove(self._nl, name)
            self.notices.append(f"bridge {name} belonged to no network and is removed")

    def _reattach(self, networks: Sequence[Network], endpoints: Sequence[Endpoint]) -> None:
        """veths that lost their bridge (it was deleted and made anew) return to it."""
        by_id = {n.id: n for n in networks}
        links = {link.name: link for link in rtnetlink.links(self._nl)}
        for endpoint in endpoints:
            network = by_id.get(endpoint.network_id)
            veth = links.get(self._instance.veth(endpoint.endpoint_id))
            if network and veth and network.bridge in links and veth.master != links[network.bridge].ifindex:
                rtnetlink.set_link(self._nl, veth.name, bridge=network.bridge)
                self.notices.append(f"{veth.name} is back on bridge {network.bridge}")

    # -- endpoints

    def join(self, network: Network, spec: EndpointSpec, interface: str = "eth0") -> Endpoint:
        """Allots addresses. `interface` is its name in the container; the caller counts eth0, eth1, …"""
        if not network.is_wired:
            return Endpoint(
                spec=spec,
                network_id=network.id,
                network_name=network.name,
                endpoint_id=secrets.token_hex(32),
                driver=network.spec.driver,
                interface="" if network.spec.driver == "host" else "lo",
            )
        check_endpoint(network, spec)
        with _kernel(f"join network {network.name}"):
            self._parents.ensure(self._nl, network.id)
        self.heal()
        v4 = self._ipam.allocate(network, 4, spec.ipv4) if network.spec.enable_ipv4 else None
        try:
            v6 = self._ipam.allocate(network, 6, spec.ipv6) if network.spec.enable_ipv6 else None
        except BaseException:
            if v4:
                self._ipam.release(network.id, v4.address)
            raise
        endpoint_id = secrets.token_hex(32)
        has_gateway = leads_by_gateway(network)
        own_mac = network.spec.driver != "ipvlan"
        self._holding.add(endpoint_id)
        return Endpoint(
            spec=spec,
            network_id=network.id,
            network_name=network.name,
            endpoint_id=endpoint_id,
            ipv4=v4.address if v4 else "",
            ipv4_prefix=v4.prefix if v4 else 0,
            ipv4_gateway=gateway_of(network, v4.gateway) if v4 and has_gateway else "",
            ipv6=v6.address if v6 else "",
            ipv6_prefix=v6.prefix if v6 else 0,
            ipv6_gateway=v6.gateway if v6 and has_gateway else "",
            mac=(spec.mac.lower() or (mac_of(v4.address) if v4 else mac_of_id(endpoint_id))) if own_mac else "",
            interface=interface,
            driver=network.spec.driver,
        )

    def leave(self, endpoint: Endpoint) -> None:
        """Gives the addresses back, once: afterwards they may be another's. The veth went with the container's
        namespace, or by a `veth.delete` step."""
        if endpoint.endpoint_id not in self._holding:
            return
        self._holding.discard(endpoint.endpoint_id)
        for address in (endpoint.ipv4, endpoint.ipv6):
            if address:
                self._ipam.release(endpoint.network_id, address)

    # -- published ports

    def publish(self, container_id: str, endpoint: Endpoint, ports: Sequence[ReservedPort | BoundPort]) -> None:
        """The kernel's path to ports that the shim holds. What the kernel cannot do, the shim forwards."""
        rules = self._port_rules(endpoint, ports)
        if not rules:
            return
        with _kernel("publish ports"):
            self._prepare()
            known = not self._firewall.has_changed()
            self._firewall.add_ports(rules)
            if known:
                self._firewall.settled()
            _end_udp_flows(rules)
        self._published.setdefault(container_id, []).extend(rules)

    def unpublish(self, container_id: str) -> None:
        rules = self._published.pop(container_id, [])
        if rules:
            with _kernel("withdraw ports"):
                known = not self._firewall.has_changed()
                self._firewall.remove_ports(rules)
                if known:
                    self._firewall.settled()
                _end_udp_flows(rules)

    # -- names

    def publish_names(
        self, networks: Iterable[Network], running: Iterable[Container], aside: Collection[str] = ()
    ) -> None:
        """Call after whatever changes names: a start, an end, a rename, a connect or a disconnect.

        `aside`: the ids of containers whose aliases are not answered.
        """
        networks = tuple(networks)
        if any(has_names(network) for network in networks):
            host = read_host_resolv_conf()
            if self._settings.dns:
                host = replace(host, nameservers=self._settings.dns)
            self._resolver.publish(snapshot(networks, running, host, aside))

    def resolver_join(self, container_id: str, pid: int, networks: Iterable[Network]) -> bool:
        """Gives a container whose namespace exists (init `pid`) its resolver; False where it needs none."""
        if not any(has_names(network) for network in networks):
            return False
        self._resolver.join(container_id, pid)
        return True

    def resolver_leave(self, container_id: str) -> None:
        """On a disconnect from the last named network; a container's end is noticed by the resolver itself."""
        self._resolver.leave(container_id)

    def resolver_restore(self, networks: Iterable[Network], running: Iterable[Container]) -> None:
        """At the daemon's start: finds the resolver, or starts it anew, and joins the containers it lacks."""
        by_id = {n.id: n for n in networks}
        named = [
            c for c in running if any(has_names(by_id[e.network_id]) for e in c.endpoints if e.network_id in by_id)
        ]
        self.publish_names(by_id.values(), running)
        if not named and not any(has_names(n) for n in by_id.values()):
            return
        self._resolver.find()
        self._resolver.start()
        for container in named:
            if container.id in self._resolver.joined():
                self._resolver.recognise(container.id, container.state.pid)
            elif container.state.pid:
                try:
                    self._resolver.join(container.id, container.state.pid)
                except (ResolverFailed, OSError) as e:
                    self.notices.append(f"container {container.name.lstrip('/')} has no resolver: {e}")

    def _all_ports(self) -> list[PortRule]:
        return [rule for rules in self._published.values() for rule in rules]

    def _port_rules(self, endpoint: Endpoint, ports: Sequence[ReservedPort | BoundPort]) -> list[PortRule]:
        rule = self._bridges.get(endpoint.network_id)
        if self._settings.publish_proxy or not self._settings.firewall or rule is None or rule.internal:
            return []
        found: list[PortRule] = []
        for port in ports:
            to = endpoint.ipv6 if ":" in port.host_ip else endpoint.ipv4
            if to:
                host_ip = port.host_ip or "0.0.0.0"
                found.append(PortRule(port.protocol, host_ip, port.host_port, to, port.container_port, rule.bridge))
        return found


def _end_udp_flows(rules: Iterable[PortRule]) -> None:
    conntrack.end_udp_flows(rule.host_port for rule in rules if rule.protocol == "udp")


class _kernel:
    """Translates the kernel's refusals once, with what was being done."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise NetworkFailed(self._what, error) from error
