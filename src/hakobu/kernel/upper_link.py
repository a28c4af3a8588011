"""Interfaces that sit on another one (macvlan, ipvlan, VLAN), and the dummy that may be below, by rtnetlink.

As in `rtnetlink`, one function is one request, in the network namespace in which its `Netlink` was opened; an upper
interface comes into being in the namespace of `pid` with its name there, still down. A kernel that has no such kind
of interface answers EOPNOTSUPP. Modes and flags go in under iproute2's words.
"""

import errno
import os
import struct
from collections.abc import Mapping

from hakobu.kernel.netlink import NLM_F_CREATE, NLM_F_EXCL, Netlink, attribute, nested, text, u32
from hakobu.kernel.rtnetlink import (
    IFLA_ADDRESS,
    IFLA_IFALIAS,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    IFLA_MTU,
    IFLA_NET_NS_PID,
    RTM_GETLINK,
    RTM_NEWLINK,
    alias_of,
    if_info,
    if_name,
    index_of,
    parse_mac,
)

IFLA_LINK = 5
IFLA_MACVLAN_MODE, IFLA_IPVLAN_MODE, IFLA_IPVLAN_FLAGS, IFLA_VLAN_ID = 1, 1, 2, 1

MACVLAN_MODES: Mapping[str, int] = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
IPVLAN_MODES: Mapping[str, int] = {"l2": 0, "l3": 1, "l3s": 2}
IPVLAN_FLAGS: Mapping[str, int] = {"bridge": 0, "private": 1, "vepa": 2}


def _u16(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=H", value))


def _number_of(table: Mapping[str, int], word: str) -> int:
    if word not in table:
        raise OSError(errno.EINVAL, f"not one of {', '.join(table)}: {word}")
    return table[word]


def _create(nl: Netlink, kind: str, name: str, body: bytes, data: bytes = b"") -> None:
    info = nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, kind), nested(IFLA_INFO_DATA, data) if data else b"")
    whole = if_info() + if_name(IFLA_IFNAME, name) + body + info
    nl.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, whole, f"create {kind} {name}")


def _placed(parent: str, pid: int, mtu: int) -> bytes:
    body = u32(IFLA_LINK, index_of(parent))
    if mtu:
        body += u32(IFLA_MTU, mtu)
    return body + (u32(IFLA_NET_NS_PID, pid) if pid else b"")


def create_macvlan(
    nl: Netlink, parent: str, name: str, mode: str, *, pid: int = 0, mac: str = "", mtu: int = 0
) -> None:
    body = _placed(parent, pid, mtu)
    if mac:
        body += attribute(IFLA_ADDRESS, parse_mac(mac))
    _create(nl, "macvlan", name, body, u32(IFLA_MACVLAN_MODE, _number_of(MACVLAN_MODES, mode)))


def create_ipvlan(
    nl: Netlink, parent: str, name: str, mode: str, flag: str = "bridge", *, pid: int = 0, mtu: int = 0
) -> None:
    """All ipvlan interfaces of a parent have its MAC address, and one mode (that of the latest)."""
    data = _u16(IFLA_IPVLAN_MODE, _number_of(IPVLAN_MODES, mode))
    data += _u16(IFLA_IPVLAN_FLAGS, _number_of(IPVLAN_FLAGS, flag))
    _create(nl, "ipvlan", name, _placed(parent, pid, mtu), data)


def create_vlan(nl: Netlink, parent: str, name: str, vlan_id: int) -> None:
    """`parent`'s tagged subinterface, here. `vlan_id` is 1 to 4094 (IEEE 802.1Q)."""
    _create(nl, "vlan", name, _placed(parent, 0, 0), _u16(IFLA_VLAN_ID, vlan_id))


def create_dummy(nl: Netlink, name: str) -> None:
    _create(nl, "dummy", name, b"")


def set_alias(nl: Netlink, name: str, alias: str) -> None:
    """A free text that the interface carries (`ip link show`), at most 255 bytes."""
    body = if_info(index_of(name)) + attribute(IFLA_IFALIAS, os.fsencode(alias))
    nl.request(RTM_NEWLINK, 0, body, f"set alias of {name}")


def aliases(nl: Netlink) -> dict[str, str]:
    """Of every interface that has one: name to alias."""
    found = (alias_of(body) for kind, body in nl.dump(RTM_GETLINK, if_info(), "list links") if kind == RTM_NEWLINK)
    return {name: alias for name, alias in found if alias}
