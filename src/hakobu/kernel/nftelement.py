"""Elements of nftables' sets and maps, straight by netlink: one transaction, one datagram, about 30 us.

libnftables reads every table and set of the namespace before a change, those of others too; what is added and removed
with each start and end does not wait for that. Tables, chains and rules are text for libnftables (`nftables`).
"""

import os
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from hakobu.kernel.netlink import NLM_F_CREATE, Netlink, attribute, nested, text

NFNL_SUBSYS_NFTABLES = 10
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END = 0x10, 0x11
NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM = NFNL_SUBSYS_NFTABLES << 8 | 12, NFNL_SUBSYS_NFTABLES << 8 | 14
NFPROTO_INET = 1
NFTA_LIST_ELEM = 1
NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET, NFTA_SET_ELEM_LIST_ELEMENTS = 1, 2, 3
NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_DATA = 1, 2
NFTA_DATA_VALUE = 1

_ELEMENTS_A_MESSAGE = 500
_GENERATION = struct.Struct(">BBH")
_PROTOCOLS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP, "sctp": socket.IPPROTO_SCTP}


class Change(NamedTuple):
    """NFT_MSG_NEWSETELEM (what is there already is no error) or NFT_MSG_DELSETELEM (what is not there is one).

    `elements` are keys, in a map with their data, as the kernel compares them: see `joined`."""

    kind: int
    set: str
    elements: Mapping[bytes, bytes]


def protocol(name: str) -> bytes:
    return bytes((_PROTOCOLS[name],))


def port(number: int) -> bytes:
    return struct.pack(">H", number)


def address(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def interface(name: str) -> bytes:
    """IFNAMSIZ bytes."""
    return os.fsencode(name).ljust(16, b"\0")


def joined(*fields: bytes) -> bytes:
    """A concatenation (`a . b`): each field begins in a register of four bytes."""
    return b"".join(field + bytes(-len(field) % 4) for field in fields)


def change(nl: Netlink, table: str, changes: Iterable[Change], what: str) -> None:
    """All of them in this order, in a table of family inet, or none: OSError with the first one's errno."""
    frame = _GENERATION.pack(0, 0, NFNL_SUBSYS_NFTABLES)
    parts = [part for each in changes for part in _parts(table, each)]
    nl.batch([(NFNL_MSG_BATCH_BEGIN, 0, frame), *parts, (NFNL_MSG_BATCH_END, 0, frame)], what)


def _parts(table: str, change: Change) -> Iterator[tuple[int, int, bytes]]:
    """One message for many elements, as long as their list fits its attribute."""
    head = _GENERATION.pack(NFPROTO_INET, 0, 0)
    head += text(NFTA_SET_ELEM_LIST_TABLE, table) + text(NFTA_SET_ELEM_LIST_SET, change.set)
    new = change.kind == NFT_MSG_NEWSETELEM
    elements = [_element(key, data if new else b"") for key, data in change.elements.items()]
    for start in range(0, len(elements), _ELEMENTS_A_MESSAGE):
        chunk = elements[start : start + _ELEMENTS_A_MESSAGE]
        yield change.kind, NLM_F_CREATE if new else 0, head + nested(NFTA_SET_ELEM_LIST_ELEMENTS, *chunk)


def _element(key: bytes, data: bytes) -> bytes:
    parts = [nested(NFTA_SET_ELEM_KEY, attribute(NFTA_DATA_VALUE, key))]
    if data:
        parts.append(nested(NFTA_SET_ELEM_DATA, attribute(NFTA_DATA_VALUE, data)))
    return nested(NFTA_LIST_ELEM, *parts)
