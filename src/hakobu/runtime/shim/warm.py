"""Walking every path once before the heap is frozen, so that a shim's first line or exec writes no new page.

What is made here is thrown away; nothing but memory is touched, and files in a memory file system.
"""

import os
import socket

from hakobu.kernel import capability, cgroup, probe, scm
from hakobu.runtime.message import decode, encode, plan_from_json, plan_to_json, stdio_from_json, stdio_to_json
from hakobu.runtime.shim.log import LogFile, escape, timestamp
from hakobu.runtime.shim.loop import Loop
from hakobu.runtime.shim.streams import Streams
from hakobu.spec.plan import Attachment, LogTarget, Plan, Stdio
from hakobu.spec.resources import DEFAULT_DEVICE_RULES, Resources, parse_resources
from hakobu.spec.step import Place, Step


def up() -> None:
    _messages()
    _streams()
    _cgroups()


def _cgroups() -> None:
    """Finds what is mounted and what the kernel can, once for all shims."""
    probe.has(probe.Feature.OVERLAY_LOWERDIR_APPEND)
    try:
        cgroup.open_tree()
    except OSError:
        return
    capability.last_cap()
    parse_resources(Resources(devices=DEFAULT_DEVICE_RULES).to_json())


def _messages() -> None:
    plan = Plan("0" * 64, (Step("uts.hostname", Place.CHILD, {"name": "a"}, ("sethostname",)),))
    stdio = Stdio(log=LogTarget("json-file", "/dev/null"))
    ours, theirs = scm.pair()
    with ours, theirs:
        scm.send(ours, encode({"plan": plan_to_json(plan), "stdio": stdio_to_json(stdio)}))
        if (message := scm.receive(theirs)) is not None:
            told = decode(message.body)
            plan_from_json(told["plan"])
            stdio_from_json(told["stdio"])


def _streams() -> None:
    loop = Loop()
    memory_fd = os.memfd_create("warm", os.MFD_CLOEXEC)
    os.close(memory_fd)
    log = LogFile("/dev/null", max_bytes=-1, max_files=1, compress=False, attributes={"a": "b"})
    streams = Streams(loop, Stdio(open_stdin=True, stdin_once=True), log, lambda: None, lambda: None)
    fds = streams.open()
    streams.begin()
    ours, theirs = socket.socketpair()
    streams.attach(Attachment(theirs.detach(), stdin=True, stdout=True, stderr=True))
    os.write(fds[1], b'one "line"\nand another\\\tone\n')
    os.write(fds[2], b"rest")
    streams.drain()
    ours.recv(4096)
    for fd in fds:
        os.close(fd)
    streams.drain()
    streams.close()
    ours.close()
    log.close()
    os.close(loop.fileno())
    escape(b"\xff\x00")
    timestamp(1)
