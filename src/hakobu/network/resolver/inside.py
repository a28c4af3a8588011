"""The resolver's sockets in a container's network namespace, made by a short-lived child that enters it.

Only that child changes namespace. It enters the network namespace and no other, imports nothing, and hands back
two sockets: UDP and TCP on random high ports of 127.0.0.11. The nft table it writes maps port 53 of that address
to them; written again (by a restarted resolver) it replaces the old one in one transaction.

Nobody waits for the child's end: closing a netlink socket waits until the kernel has destroyed what was deleted
(10 ms). SIGCHLD is ignored in this process, so the kernel reaps.
"""

import errno
import os
import socket
import sys

from hakobu.kernel import scm
from hakobu.kernel.nftables import Nftables
from hakobu.kernel.process import CLONE_NEWNET, setns

ADDRESS = "127.0.0.11"
TABLE = "hakobu_resolver"
BACKLOG = 128


def rules(udp_port: int, tcp_port: int) -> str:
    """Also what leaves from the sockets' own ports carries port 53, should it not belong to a known connection."""
    return f"""create table ip {TABLE}
add chain ip {TABLE} output {{ type nat hook output priority -100; policy accept; }}
add chain ip {TABLE} postrouting {{ type nat hook postrouting priority srcnat; policy accept; }}
add rule ip {TABLE} output ip daddr {ADDRESS} udp dport 53 dnat to {ADDRESS}:{udp_port}
add rule ip {TABLE} output ip daddr {ADDRESS} tcp dport 53 dnat to {ADDRESS}:{tcp_port}
add rule ip {TABLE} postrouting ip saddr {ADDRESS} udp sport {udp_port} snat to {ADDRESS}:53
add rule ip {TABLE} postrouting ip saddr {ADDRESS} tcp sport {tcp_port} snat to {ADDRESS}:53
"""


def open_sockets(netns_fd: int) -> tuple[socket.socket, socket.socket]:
    """UDP and TCP sockets of the namespace, non-blocking. OSError with the child's words when it could not."""
    ours, theirs = scm.pair()
    with ours:
        if os.fork() == 0:
            _child(theirs, netns_fd)
        theirs.close()
        answer = scm.receive(ours)
    if answer is None or len(answer.fds) != 2:
        raise OSError(answer.body.decode("utf-8", "replace") if answer else "the child in the namespace died")
    udp, tcp = (socket.socket(fileno=fd) for fd in answer.fds)
    return udp, tcp


def _write_rules(udp_port: int, tcp_port: int) -> None:
    nft = Nftables()
    try:
        nft.run(rules(udp_port, tcp_port))
    except OSError as e:
        if e.errno != errno.EEXIST:
            raise
        nft.run(f"delete table ip {TABLE}\n" + rules(udp_port, tcp_port))


def _child(channel: socket.socket, netns_fd: int) -> None:
    try:
        setns(netns_fd, CLONE_NEWNET)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        udp.bind((ADDRESS, 0))
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        tcp.bind((ADDRESS, 0))
        tcp.listen(BACKLOG)
        _write_rules(udp.getsockname()[1], tcp.getsockname()[1])
        scm.send(channel, b"", (udp.fileno(), tcp.fileno()))
    except BaseException as e:
        try:
            scm.send(channel, str(e).encode()[:1000])
        except BaseException:
            pass
    finally:
        sys.stderr.flush()
        os._exit(0)
