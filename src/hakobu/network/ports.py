"""Published ports: what a user asked for as bindings to reserve, and who holds a port that was refused.

Reserving is the shim's (`port.reserve`); this only plans it and explains its failure.
"""

import ipaddress
import re
import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from hakobu.errors import HakobuError, Kind
from hakobu.spec.container import Container, PortBinding

PortProtocol = Literal["tcp", "udp", "sctp"]
_LISTEN = "0A"


_REFUSED = re.compile(r"listen (tcp|udp|sctp)[46] (\[[0-9a-fA-F:.]+\]|[0-9.]+):([0-9]+): bind: address already in use")


_PRIVILEGED = re.compile(r"cannot expose privileged port ([0-9]+), .*")


class PortIsPrivileged(HakobuError):
    """Below the first port that an ordinary user may bind; `reason` says which that is and what can be done."""

    kind = Kind.DENIED

    def __init__(self, where: str, port: int, reason: str) -> None:
        super().__init__(f"driver failed programming external connectivity on endpoint {where}: {reason}")
        self.port = port


class PortInUse(HakobuError):
    """`holder` says who has it, as far as can be known: `container web`, `nginx (pid 812)`."""

    kind = Kind.INTERNAL

    def __init__(self, where: str, host_ip: str, port: int, holder: str = "") -> None:
        shown = f"[{host_ip}]" if ":" in host_ip else host_ip or "0.0.0.0"
        super().__init__(
            f"driver failed programming external connectivity on endpoint {where}: "
            f"Bind for {shown}:{port} failed: port is already allocated",
            hint=f"the port is held by {holder}" if holder else "",
        )
        self.host_ip, self.port, self.holder = host_ip, port, holder


def refused(
    reason: str, container: Container, all_containers: Iterable[Container]
) -> PortInUse | PortIsPrivileged | None:
    """From the words of a failed `port.reserve`; None where they say something else."""
    where = (
        f"{container.name.lstrip('/')} ({container.endpoints[0].endpoint_id if container.endpoints else container.id})"
    )
    if privileged := _PRIVILEGED.search(reason):
        return PortIsPrivileged(where, int(privileged[1]), privileged[0])
    found = _REFUSED.search(reason)
    if found is None:
        return None
    protocol, host_ip, port = found[1], found[2].strip("[]"), int(found[3])
    others = (c for c in all_containers if c.id != container.id)
    return PortInUse(where, host_ip, port, holder(protocol, host_ip, port, others))


def wanted(container: Container) -> tuple[PortBinding, ...]:
    """The bindings of a start: those asked for, and for `publish_all` each exposed port without one."""
    bound = container.spec.ports
    if not container.spec.publish_all:
        return bound
    have = {(p.container_port, p.protocol) for p in bound}
    more = (_exposed(text) for text in (*container.exposed_ports, *container.spec.exposed_ports))
    free = {p: None for expanded in more for p in expanded if p not in have}
    return (*bound, *(PortBinding(container_port=n, protocol=_protocol(proto)) for n, proto in sorted(free)))


def _exposed(text: str) -> Iterator[tuple[int, str]]:
    numbers, _, protocol = text.partition("/")
    first, _, last = numbers.partition("-")
    if first.isdigit() and (last or first).isdigit():
        yield from ((n, protocol or "tcp") for n in range(int(first), int(last or first) + 1))


def _protocol(text: str) -> PortProtocol:
    return "udp" if text == "udp" else "sctp" if text == "sctp" else "tcp"


def holder(protocol: str, host_ip: str, port: int, containers: Iterable[Container] = ()) -> str:
    """Who holds it: one of our containers by its published ports, else a process by the kernel's socket lists."""
    for container in containers:
        for held in container.ports:
            if held.protocol == protocol and held.host_port == port and _meet(held.host_ip, host_ip):
                return f"container {container.name.lstrip('/')}"
    inodes = {inode for address, inode in _sockets(protocol, port) if _meet(address, host_ip)}
    return _process(inodes) if inodes else ""


def _meet(a: str, b: str) -> bool:
    """Whether two addresses to bind exclude each other; the unspecified one meets all."""
    any_a, any_b = not a or ipaddress.ip_address(a).is_unspecified, not b or ipaddress.ip_address(b).is_unspecified
    return any_a or any_b or ipaddress.ip_address(a) == ipaddress.ip_address(b)


def _sockets(protocol: str, port: int) -> Iterator[tuple[str, str]]:
    """Local address and inode of each socket bound to the port (for tcp: listening)."""
    for name in (protocol, protocol + "6"):
        try:
            lines = Path(f"/proc/net/{name}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            address, _, number = words[1].partition(":")
            if int(number, 16) == port and (protocol != "tcp" or words[3] == _LISTEN):
                yield _address(address), words[9]


def _address(text: str) -> str:
    """The kernel prints each 32-bit word in host order."""
    words = [int(text[i : i + 8], 16) for i in range(0, len(text), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    return socket.inet_ntop(socket.AF_INET6 if len(packed) == 16 else socket.AF_INET, packed)


def _process(inodes: set[str]) -> str:
    links = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(fd.readlink()) in links for fd in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue
    return "a process that cannot be seen from here"
