"""Links, addresses and routes by rtnetlink: what a container's network takes, one function a request.

Every function acts in the network namespace in which its `Netlink` was opened. A veth comes into being whole:
its far end in the container's namespace with name and address, its near end on the bridge and up, by one
request. All requests work on Linux 5.15. Addresses go in and out as text, MAC addresses as `02:42:…`.
"""

import errno
import os
import socket
import struct
from typing import NamedTuple

from hakobu.kernel.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Netlink,
    attribute,
    attributes,
    nested,
    text,
    u8,
    u32,
)

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER, IFLA_LINKINFO, IFLA_IFALIAS = 1, 3, 4, 10, 18, 20
IFLA_PROTINFO, IFLA_BRPORT_ISOLATED = 12, 33
IFLA_NET_NS_PID, IFLA_NET_NS_FD, IFLA_INFO_KIND, IFLA_INFO_DATA = 19, 28, 1, 2
VETH_INFO_PEER = 1
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
IFA_F_NODAD = 0x02
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_TABLE = 1, 4, 5, 6, 15
RT_TABLE_MAIN, RTPROT_BOOT = 254, 3
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK = 0, 253
RTN_UNICAST = 1
IFF_UP = 0x1
IFNAMSIZ = 16

_IFINFOMSG = struct.Struct("=BxHiII")
_IFADDRMSG = struct.Struct("=BBBBi")
_RTMSG = struct.Struct("=BBBBBBBBI")


class Link(NamedTuple):
    ifindex: int
    name: str
    kind: str
    up: bool
    mtu: int
    mac: str
    master: int


class Address(NamedTuple):
    ifindex: int
    address: str
    prefix: int


class Route(NamedTuple):
    """`destination` is empty for the default route; `ifindex` 0 where the route has several hops."""

    family: int
    destination: str
    prefix: int
    gateway: str
    ifindex: int
    table: int


def if_info(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    """`struct ifinfomsg`, with which every message about an interface begins."""
    return _IFINFOMSG.pack(socket.AF_UNSPEC, 0, index, flags, change)


def if_name(kind: int, name: str) -> bytes:
    """An attribute that holds an interface's name. OSError(EINVAL) where the kernel would cut it."""
    if not 0 < len(os.fsencode(name)) < IFNAMSIZ:
        raise OSError(errno.EINVAL, "interface names have 1 to 15 bytes", name)
    return text(kind, name)


def parse_mac(mac: str) -> bytes:
    parts = mac.replace("-", ":").split(":")
    if len(parts) != 6 or not all(len(p) == 2 for p in parts):
        raise OSError(errno.EINVAL, f"not a MAC address: {mac}")
    try:
        return bytes.fromhex("".join(parts))
    except ValueError:
        raise OSError(errno.EINVAL, f"not a MAC address: {mac}") from None


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def index_of(name: str) -> int:
    """Of an interface of the calling process's namespace. OSError(ENODEV) when there is none."""
    try:
        return socket.if_nametoindex(name)
    except OSError as e:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), name) from e


def create_bridge(nl: Netlink, name: str, mac: str = "", mtu: int = 0) -> None:
    """A bridge without spanning tree. A MAC of its own keeps it from following its members' (it must not change)."""
    body = [if_info(), if_name(IFLA_IFNAME, name)]
    if mac:
        body.append(attribute(IFLA_ADDRESS, parse_mac(mac)))
    if mtu:
        body.append(u32(IFLA_MTU, mtu))
    body.append(nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "bridge")))
    nl.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, b"".join(body), f"create bridge {name}")


def create_veth(
    nl: Netlink,
    host: str,
    peer: str,
    *,
    pid: int = 0,
    netns_fd: int = -1,
    mac: str = "",
    bridge: str = "",
    mtu: int = 0,
) -> None:
    """A veth pair: `host` here (on `bridge`, up), `peer` in the namespace of `pid` or `netns_fd`, still down."""
    size = u32(IFLA_MTU, mtu) if mtu else b""
    far = [if_info(), if_name(IFLA_IFNAME, peer), size]
    if mac:
        far.append(attribute(IFLA_ADDRESS, parse_mac(mac)))
    if netns_fd >= 0:
        far.append(u32(IFLA_NET_NS_FD, netns_fd))
    elif pid:
        far.append(u32(IFLA_NET_NS_PID, pid))
    near = [if_info(flags=IFF_UP, change=IFF_UP), if_name(IFLA_IFNAME, host), size]
    if bridge:
        near.append(u32(IFLA_MASTER, index_of(bridge)))
    peer_info = nested(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, b"".join(far)))
    near.append(nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, "veth"), peer_info))
    nl.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, b"".join(near), f"create veth {host}")


def isolate_port(nl: Netlink, name: str) -> None:
    """This port of a bridge and other isolated ones cannot reach each other, only the bridge itself (Linux 4.18)."""
    body = _IFINFOMSG.pack(socket.AF_BRIDGE, 0, index_of(name), 0, 0)
    body += nested(IFLA_PROTINFO, u8(IFLA_BRPORT_ISOLATED, 1))
    nl.request(RTM_SETLINK, 0, body, f"isolate bridge port {name}")


def set_up(nl: Netlink, name: str, up: bool = True) -> None:
    flags = IFF_UP if up else 0
    verb = "up" if up else "down"
    nl.request(RTM_NEWLINK, 0, if_info(0, flags, IFF_UP) + if_name(IFLA_IFNAME, name), f"set link {name} {verb}")


def set_link(nl: Netlink, name: str, *, mtu: int = 0, bridge: str = "", mac: str = "") -> None:
    body = [if_info(index_of(name))]
    if mtu:
        body.append(u32(IFLA_MTU, mtu))
    if bridge:
        body.append(u32(IFLA_MASTER, index_of(bridge)))
    if mac:
        body.append(attribute(IFLA_ADDRESS, parse_mac(mac)))
    nl.request(RTM_NEWLINK, 0, b"".join(body), f"change link {name}")


def rename(nl: Netlink, name: str, new: str) -> None:
    nl.request(RTM_NEWLINK, 0, if_info(index_of(name)) + if_name(IFLA_IFNAME, new), f"rename link {name} to {new}")


def give_away(nl: Netlink, name: str, pid: int, new: str) -> None:
    """The interface, as `new`, to the network namespace of a process. Its addresses do not go along."""
    body = if_info(index_of(name)) + if_name(IFLA_IFNAME, new) + u32(IFLA_NET_NS_PID, pid)
    nl.request(RTM_NEWLINK, 0, body, f"move link {name}")


def delete_link(nl: Netlink, name: str) -> None:
    nl.request(RTM_DELLINK, 0, if_info() + if_name(IFLA_IFNAME, name), f"delete link {name}")


def links(nl: Netlink) -> list[Link]:
    found = nl.dump(RTM_GETLINK, if_info(), "list links")
    return [_parse_link(body) for kind, body in found if kind == RTM_NEWLINK]


def alias_of(body: bytes) -> tuple[str, str]:
    """Name and alias of the interface that an RTM_NEWLINK message describes."""
    _check(body, _IFINFOMSG.size)
    found = attributes(body, _IFINFOMSG.size)
    name, alias = found.get(IFLA_IFNAME, b""), found.get(IFLA_IFALIAS, b"")
    return os.fsdecode(name.rstrip(b"\0")), os.fsdecode(alias.rstrip(b"\0"))


def find_link(nl: Netlink, name: str) -> Link | None:
    try:
        found = nl.request(RTM_GETLINK, 0, if_info() + if_name(IFLA_IFNAME, name), f"find link {name}")
    except OSError as e:
        if e.errno == errno.ENODEV:
            return None
        raise
    return _parse_link(found[0][1]) if found else None


def _parse_link(body: bytes) -> Link:
    _check(body, _IFINFOMSG.size)
    _, _, index, flags, _ = _IFINFOMSG.unpack_from(body)
    found = attributes(body, _IFINFOMSG.size)
    info = attributes(found.get(IFLA_LINKINFO, b""))
    return Link(
        ifindex=index,
        name=os.fsdecode(found.get(IFLA_IFNAME, b"").rstrip(b"\0")),
        kind=info.get(IFLA_INFO_KIND, b"").rstrip(b"\0").decode("ascii", "replace"),
        up=bool(flags & IFF_UP),
        mtu=_number(found.get(IFLA_MTU, b"")),
        mac=found.get(IFLA_ADDRESS, b"").hex(":"),
        master=_number(found.get(IFLA_MASTER, b"")),
    )


def _address(name: str, address: str, prefix: int) -> bytes:
    family = _family(address)
    packed = socket.inet_pton(family, address)
    body = _IFADDRMSG.pack(family, prefix, 0, RT_SCOPE_UNIVERSE, index_of(name))
    body += attribute(IFA_LOCAL, packed) + attribute(IFA_ADDRESS, packed)
    if family == socket.AF_INET6:
        # the engine allots addresses once: waiting a second for duplicate detection would only delay a start
        body += u32(IFA_FLAGS, IFA_F_NODAD)
    return body


def add_address(nl: Netlink, name: str, address: str, prefix: int) -> None:
    what = f"add address {address}/{prefix} to {name}"
    nl.request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, _address(name, address, prefix), what)


def delete_address(nl: Netlink, name: str, address: str, prefix: int) -> None:
    nl.request(RTM_DELADDR, 0, _address(name, address, prefix), f"delete address {address}/{prefix} of {name}")


def addresses(nl: Netlink, index: int = 0) -> list[Address]:
    """Of every interface, or of the one with `index`."""
    found: list[Address] = []
    for kind, body in nl.dump(RTM_GETADDR, _IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0), "list addresses"):
        if kind != RTM_NEWADDR:
            continue
        _check(body, _IFADDRMSG.size)
        family, prefix, _, _, owner = _IFADDRMSG.unpack_from(body)
        held = attributes(body, _IFADDRMSG.size)
        packed = held.get(IFA_LOCAL, held.get(IFA_ADDRESS, b""))
        if family in (socket.AF_INET, socket.AF_INET6) and index in (0, owner):
            found.append(Address(owner, socket.inet_ntop(family, packed), prefix))
    return found


def _route(destination: str, prefix: int, gateway: str, name: str, metric: int) -> bytes:
    family = _family(destination or gateway)
    scope = RT_SCOPE_UNIVERSE if gateway or family == socket.AF_INET6 else RT_SCOPE_LINK
    body = _RTMSG.pack(family, prefix, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, scope, RTN_UNICAST, 0)
    if prefix:
        body += attribute(RTA_DST, socket.inet_pton(family, destination))
    if gateway:
        body += attribute(RTA_GATEWAY, socket.inet_pton(family, gateway))
    if name:
        body += u32(RTA_OIF, index_of(name))
    if metric:
        body += u32(RTA_PRIORITY, metric)
    return body


def add_route(
    nl: Netlink,
    destination: str,
    prefix: int,
    *,
    gateway: str = "",
    name: str = "",
    metric: int = 0,
    replace: bool = False,
) -> None:
    """A route of the main table; prefix 0 is the default route, whose family the gateway or destination tells."""
    flags = NLM_F_CREATE | (NLM_F_REPLACE if replace else NLM_F_EXCL)
    what = f"add route {destination or 'default'}/{prefix} by {gateway or name}"
    nl.request(RTM_NEWROUTE, flags, _route(destination, prefix, gateway, name, metric), what)


def delete_route(nl: Netlink, destination: str, prefix: int, *, gateway: str = "", name: str = "") -> None:
    body = _route(destination, prefix, gateway, name, 0)
    nl.request(RTM_DELROUTE, 0, body, f"delete route {destination or 'default'}/{prefix}")


def routes(nl: Netlink, family: int = socket.AF_INET) -> list[Route]:
    """The unicast routes of one family, of all tables."""
    body = _RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
    found = (_parse_route(b) for kind, b in nl.dump(RTM_GETROUTE, body, "list routes") if kind == RTM_NEWROUTE)
    return [r for r in found if r is not None]


def _parse_route(body: bytes) -> Route | None:
    _check(body, _RTMSG.size)
    family, prefix, _src, _tos, table, _protocol, _scope, kind, _flags = _RTMSG.unpack_from(body)
    if family not in (socket.AF_INET, socket.AF_INET6) or kind != RTN_UNICAST:
        return None
    held = attributes(body, _RTMSG.size)
    return Route(
        family=family,
        destination=socket.inet_ntop(family, held[RTA_DST]) if RTA_DST in held else "",
        prefix=prefix,
        gateway=socket.inet_ntop(family, held[RTA_GATEWAY]) if RTA_GATEWAY in held else "",
        ifindex=_number(held.get(RTA_OIF, b"")),
        table=_number(held.get(RTA_TABLE, b"")) or table,
    )


def _number(payload: bytes) -> int:
    return struct.unpack("=I", payload)[0] if len(payload) == 4 else 0


def _check(body: bytes, size: int) -> None:
    if len(body) < size:
        raise OSError(errno.EBADMSG, "short rtnetlink message")
