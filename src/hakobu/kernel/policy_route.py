"""Routing by a packet's mark: what carries it is delivered here, whoever it is addressed to.

Messages: linux/fib_rules.h, linux/rtnetlink.h. Apart from `rtnetlink`, which every start carries in its memory.
"""

import socket
import struct

from hakobu.kernel.netlink import NLM_F_CREATE, NLM_F_EXCL, Netlink, u32
from hakobu.kernel.rtnetlink import RTA_OIF, RTM_NEWROUTE, index_of

RTM_NEWRULE = 32
FR_ACT_TO_TBL = 1
FRA_FWMARK, FRA_TABLE = 10, 15
RTN_LOCAL, RT_SCOPE_HOST, RTPROT_STATIC = 2, 254, 4
_FIB_RULE_HDR = struct.Struct("=BBBBBBBBI")
_RTMSG = struct.Struct("=BBBBBBBBI")


def deliver_marked(nl: Netlink, mark: int, table: int, family: int = socket.AF_INET) -> None:
    """A rule for the mark and a table of one route: everything is local. `table` is below 256."""
    rule = _FIB_RULE_HDR.pack(family, 0, 0, 0, table, 0, 0, FR_ACT_TO_TBL, 0) + u32(FRA_FWMARK, mark)
    nl.request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule + u32(FRA_TABLE, table), f"add rule for mark {mark}")
    route = _RTMSG.pack(family, 0, 0, 0, table, RTPROT_STATIC, RT_SCOPE_HOST, RTN_LOCAL, 0)
    route += u32(RTA_OIF, index_of("lo"))
    nl.request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route, f"add local route to table {table}")
