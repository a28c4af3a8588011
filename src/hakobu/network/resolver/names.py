"""Who is called what: the snapshot of names that the daemon writes and the resolver reads. Pure but for the file.

A name is looked up in the networks of the container that asks, in their order; `<name>.<network>` in that network
alone. Names are compared without case, as DNS does.
"""

import ipaddress
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION = 1


@dataclass(frozen=True, slots=True)
class Member:
    """A running container on a network: `names` are its name, aliases and short id; the first is its own."""

    names: tuple[str, ...]
    ipv4: str = ""
    ipv6: str = ""


@dataclass(frozen=True, slots=True)
class NamedNetwork:
    name: str
    internal: bool = False
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Asker:
    """A container that asks: its networks' ids in order, the servers for other names, its `--link` aliases."""

    networks: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Found:
    """Addresses of a name that exists; both may be empty."""

    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()


class Snapshot:
    """All names at one moment, indexed."""

    def __init__(self, networks: Mapping[str, NamedNetwork], askers: Mapping[str, Asker]) -> None:
        self.networks, self.askers = dict(networks), dict(askers)
        self._index = {key: _index(network) for key, network in networks.items()}
        self._by_name = {network.name.lower(): key for key, network in networks.items()}

    def lookup(self, container_id: str, name: str) -> Found | None:
        """None where no network of the container knows the name."""
        asker = self.askers.get(container_id, Asker())
        wanted = name.lower().rstrip(".")
        wanted = asker.links.get(wanted, wanted).lower()
        for key in asker.networks:
            found = self._index.get(key, {}).get(wanted)
            if found is not None:
                return found
        for key in asker.networks:
            network = self.networks.get(key)
            suffix = f".{network.name.lower()}" if network else ""
            if suffix and wanted.endswith(suffix):
                found = self._index[key].get(wanted.removesuffix(suffix))
                if found is not None:
                    return found
        return None

    def reverse(self, container_id: str, address: str) -> str | None:
        """The name of an address on one of the container's networks, as `<name>.<network>`."""
        for key in self.askers.get(container_id, Asker()).networks:
            network = self.networks.get(key)
            for member in network.members if network else ():
                if address in (member.ipv4, member.ipv6) and member.names and network:
                    return f"{member.names[0]}.{network.name}"
        return None

    def servers(self, container_id: str) -> tuple[str, ...]:
        """Where other names are asked; none for a container that only has internal networks."""
        asker = self.askers.get(container_id, Asker())
        leads_out = any(key not in self.networks or not self.networks[key].internal for key in asker.networks)
        return asker.servers if leads_out else ()


def _index(network: NamedNetwork) -> dict[str, Found]:
    v4: dict[str, list[str]] = {}
    v6: dict[str, list[str]] = {}
    for member in network.members:
        for name in dict.fromkeys(n.lower() for n in member.names):
            v4.setdefault(name, []).extend([member.ipv4] if member.ipv4 else [])
            v6.setdefault(name, []).extend([member.ipv6] if member.ipv6 else [])
    return {name: Found(tuple(v4[name]), tuple(v6[name])) for name in v4}


def encode(snapshot: Snapshot) -> bytes:
    networks = {
        key: {
            "name": n.name,
            "internal": n.internal,
            "members": [[list(m.names), m.ipv4, m.ipv6] for m in n.members],
        }
        for key, n in snapshot.networks.items()
    }
    askers = {
        key: {"networks": list(a.networks), "servers": list(a.servers), "links": dict(a.links)}
        for key, a in snapshot.askers.items()
    }
    return json.dumps({"version": VERSION, "networks": networks, "containers": askers}).encode()


def decode(data: bytes) -> Snapshot:
    """ValueError for what this version cannot read."""
    document: dict[str, Any] = json.loads(data)
    if document.get("version") != VERSION:
        raise ValueError(f"names of version {document.get('version')}")
    networks = {
        key: NamedNetwork(n["name"], n["internal"], tuple(Member(tuple(m[0]), m[1], m[2]) for m in n["members"]))
        for key, n in document["networks"].items()
    }
    askers = {
        key: Asker(tuple(a["networks"]), tuple(a["servers"]), a["links"]) for key, a in document["containers"].items()
    }
    return Snapshot(networks, askers)


def write(path: str, snapshot: Snapshot) -> None:
    """Whole or not at all; it need not outlive a power failure, for the containers do not either."""
    temporary = f"{path}.{secrets.token_hex(4)}"
    with open(temporary, "xb", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
        file.write(encode(snapshot))
    os.rename(temporary, path)


class SnapshotFile:
    """The newest readable snapshot; the file is looked at (one stat) for each question."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: tuple[int, int, int] = (0, 0, 0)
        self._snapshot = Snapshot({}, {})

    def current(self) -> Snapshot:
        try:
            status = os.stat(self._path)
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen != self._seen:
                with open(self._path, "rb") as file:
                    self._snapshot = decode(file.read())
                self._seen = seen
        except (OSError, ValueError, KeyError, IndexError, TypeError):
            pass  # an unreadable one leaves the last good one in force
        return self._snapshot


def reverse_address(name: str) -> str:
    """The address a PTR question is about; empty where it is none."""
    labels = name.lower().rstrip(".").split(".")
    try:
        if labels[-2:] == ["in-addr", "arpa"] and len(labels) == 6:
            return str(ipaddress.IPv4Address(".".join(reversed(labels[:4]))))
        if labels[-2:] == ["ip6", "arpa"] and len(labels) == 34:
            return str(ipaddress.IPv6Address(bytes.fromhex("".join(reversed(labels[:32])))))
    except ValueError:
        return ""
    return ""
