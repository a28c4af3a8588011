"""The socket that holds one published port: bound here, or by a keeper where the ports are another namespace's.

A socket belongs for ever to the network namespace in which it was made: handed over, it still listens there.
"""

import errno
import json
import os
import socket
from typing import NamedTuple

from hakobu.kernel import scm

LISTEN_BACKLOG = 4096
_KINDS = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}


class Reserved(NamedTuple):
    """A bound (and, for tcp and sctp, listening) socket, non-blocking, and the address it holds.

    `transparent`: what is forwarded may carry its client's address, and the answers come back (IP_TRANSPARENT).
    """

    socket: socket.socket
    host_ip: str
    host_port: int
    transparent: bool = False


def bind(protocol: str, host_ip: str, port: int) -> Reserved:
    """In this process's network namespace; port 0 takes a free one. OSError in Docker's words."""
    kind, number = _KINDS[protocol]
    v6 = ":" in host_ip
    held = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, kind | socket.SOCK_NONBLOCK, number)
    try:
        if v6:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if protocol != "udp":
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((host_ip, port))
        if protocol != "udp":
            held.listen(LISTEN_BACKLOG)
        return Reserved(held, host_ip, held.getsockname()[1])
    except OSError as e:
        held.close()
        shown = f"[{host_ip}]:{port}" if v6 else f"{host_ip}:{port}"
        words = f"listen {protocol}{6 if v6 else 4} {shown}: bind: {os.strerror(e.errno or 0).lower()}"
        raise OSError(e.errno, _privileged(port) if e.errno == errno.EACCES else words) from e


def _privileged(port: int) -> str:
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            first = file.read().strip()
    except OSError:
        first = "1024"
    return (
        f"cannot expose privileged port {port}, you can set net.ipv4.ip_unprivileged_port_start={port} "
        f"(currently {first}) or choose a larger port number (>= {first})"
    )


def bind_by(keeper: str, protocol: str, host_ip: str, port: int) -> Reserved:
    """The same by the keeper that listens in the directory `keeper`, in the network namespace it is in."""
    folder_fd = os.open(keeper, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        connection = scm.connect_at(folder_fd, "s")
    finally:
        os.close(folder_fd)
    with connection:
        request = {"op": "bind", "protocol": protocol, "host_ip": host_ip, "port": port}
        scm.send(connection, json.dumps(request).encode())
        message = scm.receive(connection)
    if message is None:
        raise OSError(errno.ECONNRESET, f"the keeper of the host's ports in {keeper} does not answer")
    told = json.loads(message.body)
    if not message.fds:
        raise OSError(told["errno"], told["error"])
    return Reserved(socket.socket(fileno=message.fds[0]), host_ip, told["port"], told["transparent"])
