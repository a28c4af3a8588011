"""Queueing disciplines by rtnetlink: the one that an interface's sending is limited by.

A token bucket (`tbf`) drops nothing until its queue is full, so TCP finds the rate by itself. Packets that were
joined for speed and are larger than the bucket are cut again by the kernel.
"""

import socket
import struct

from hakobu.kernel.netlink import NLM_F_CREATE, NLM_F_REPLACE, Netlink, attribute, nested, text, u32
from hakobu.kernel.rtnetlink import index_of

RTM_NEWQDISC = 36
TC_H_ROOT = 0xFFFFFFFF
TCA_KIND, TCA_OPTIONS = 1, 2
TCA_TBF_PARMS, TCA_TBF_RATE64, TCA_TBF_BURST = 1, 4, 6
TC_LINKLAYER_ETHERNET = 1
_TCMSG = struct.Struct("=BxxxiIII")
_RATESPEC = struct.Struct("=BBHhHI")
"""`struct tc_ratespec`: cell_log, linklayer, overhead, cell_align, mpu, rate in bytes a second."""

LEAST_BURST_BYTES = 16 << 10
_MOST_32 = 0xFFFFFFFF


def limit_sending(nl: Netlink, name: str, rate_bytes: int) -> None:
    """What leaves by the interface: `rate_bytes` a second, in bursts of a hundredth of it, waiting at most 100 ms.

    OSError(ENOENT) where the kernel has no token bucket (module sch_tbf)."""
    burst = max(rate_bytes // 100, LEAST_BURST_BYTES)
    queue = min(rate_bytes // 10 + burst, _MOST_32)
    rate = _RATESPEC.pack(0, TC_LINKLAYER_ETHERNET, 0, 0, 0, min(rate_bytes, _MOST_32))
    parameters = rate + _RATESPEC.pack(0, 0, 0, 0, 0, 0) + struct.pack("=III", queue, 0, 0)
    options = attribute(TCA_TBF_PARMS, parameters) + u32(TCA_TBF_BURST, min(burst, _MOST_32))
    if rate_bytes > _MOST_32:
        options += attribute(TCA_TBF_RATE64, struct.pack("=Q", rate_bytes))
    body = _TCMSG.pack(socket.AF_UNSPEC, index_of(name), 0, TC_H_ROOT, 0)
    body += text(TCA_KIND, "tbf") + nested(TCA_OPTIONS, options)
    nl.request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, body, f"limit {name} to {rate_bytes} bytes a second")
