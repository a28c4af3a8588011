"""The kernel's table of connections, by ctnetlink: finding and ending the ones a changed rule no longer describes.

Only UDP needs it: a flow that goes on keeps its entry alive, and with it the address of a container that is gone
(or no address at all, if it began before the port was published). Acts in the namespace of the socket's opener.
"""

import errno
import socket
import struct
from collections.abc import Iterable

from hakobu.kernel.netlink import Attributes, Netlink, attribute, attributes, nested

NETLINK_NETFILTER = 12
IPCTNL_MSG_CT_NEW, IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE = 1 << 8 | 0, 1 << 8 | 1, 1 << 8 | 2
CTA_TUPLE_ORIG, CTA_ID, CTA_ZONE = 1, 12, 18
CTA_TUPLE_IP, CTA_TUPLE_PROTO = 1, 2
CTA_PROTO_NUM, CTA_PROTO_DST_PORT = 1, 3

_NFGENMSG = 4


def end_udp_flows(ports: Iterable[int]) -> int:
    """Forgets all UDP flows to these destination ports of either family; returns how many there were."""
    wanted = frozenset(ports)
    if not wanted:
        return 0
    ended = 0
    with Netlink(NETLINK_NETFILTER) as nl:
        for family in (socket.AF_INET, socket.AF_INET6):
            for _, body in nl.dump(IPCTNL_MSG_CT_GET, _head(family), "list connections"):
                entry = attributes(body, _NFGENMSG)
                if _udp_port(entry) in wanted:
                    ended += _delete(nl, family, entry)
    return ended


def _head(family: int) -> bytes:
    return struct.pack(">BBH", family, 0, 0)


def _udp_port(entry: Attributes) -> int:
    """The original destination port of a UDP flow; -1 for other protocols."""
    protocol = attributes(attributes(entry.get(CTA_TUPLE_ORIG, b"")).get(CTA_TUPLE_PROTO, b""))
    if protocol.get(CTA_PROTO_NUM) != bytes((socket.IPPROTO_UDP,)):
        return -1
    return struct.unpack(">H", protocol.get(CTA_PROTO_DST_PORT, b"\0\0"))[0]


def _delete(nl: Netlink, family: int, entry: Attributes) -> bool:
    """By its original tuple and its id, so that a flow that just took its place is not meant."""
    body = _head(family) + nested(CTA_TUPLE_ORIG, entry[CTA_TUPLE_ORIG])
    for kind in (CTA_ID, CTA_ZONE):
        if kind in entry:
            body += attribute(kind, entry[kind])
    try:
        nl.request(IPCTNL_MSG_CT_DELETE, 0, body, "end a connection")
    except OSError as e:
        if e.errno == errno.ENOENT:
            return False
        raise
    return True
