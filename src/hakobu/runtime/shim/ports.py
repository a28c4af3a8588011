"""The sockets that hold published ports, and the forwarding of what reaches them.

The kernel's rules carry IPv4 traffic; what arrives here is the rest (`::1`, hairpin, a host whose firewall
governs): TCP is spliced in both directions without passing through Python's memory, UDP by small sessions that
end after a minute of silence. The ports live as long as the container, with or without a daemon.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import cast

from hakobu.runtime.arguments import number, text
from hakobu.runtime.shim.held import HeldPorts
from hakobu.runtime.shim.loop import HANGUP, IN, OUT, Loop
from hakobu.runtime.steps_network import Reserved, port_reserve
from hakobu.spec.step import Json

Args = Mapping[str, Json]
SPLICE_BYTES = 1 << 16
UDP_IDLE_S = 60.0
UDP_SESSIONS = 1024


class Ports:
    """All published ports of one container."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._held: list[tuple[Reserved, Args]] = []
        self._serving: list[_TcpPort | _UdpPort] = []
        self.reserved: list[dict[str, Json]] = []

    def reserve(self, args: Args, pid: int = 0) -> None:
        for held in port_reserve(args):
            self._held.append((held, {**args, "transparent": True} if held.transparent else args))
            self.reserved.append(
                {
                    "protocol": text(args, "protocol"),
                    "host_ip": held.host_ip,
                    "host_port": held.host_port,
                    "container_port": number(args, "container_port"),
                }
            )

    def give(self) -> HeldPorts:
        """To another process; this one holds none any more, and its loop must not run again."""
        fds = tuple(held.socket.fileno() for held, _ in self._held)
        steps: list[Json] = [[held.host_ip, held.host_port, dict(args)] for held, args in self._held]
        for held, _ in self._held:
            held.socket.detach()
        self._held.clear()
        return HeldPorts(fds, tuple(steps), tuple(self.reserved))

    def take(self, given: HeldPorts) -> None:
        """Sockets that another process has bound."""
        for step, fd in zip(given.steps, given.fds, strict=True):
            host_ip, host_port, args = cast("tuple[str, int, Args]", step)
            self._held.append((Reserved(socket.socket(fileno=fd), host_ip, host_port), args))
        self.reserved = list(given.reserved)

    def serve(self) -> None:
        """Once the container runs."""
        for held, args in self._held:
            if text(args, "protocol") == "udp":
                self._serving.append(_UdpPort(self._loop, held.socket, _Way(args, held.host_ip)))
            elif text(args, "protocol") == "tcp":
                self._serving.append(_TcpPort(self._loop, held.socket, _Way(args, held.host_ip)))

    @property
    def is_idle(self) -> bool:
        """Nobody is being forwarded."""
        return not any(port.in_use for port in self._serving)

    def close(self) -> None:
        for held, _ in self._held:
            self._loop.forget(held.socket.fileno())
            held.socket.close()
        self._held.clear()


IP_TRANSPARENT = 19  # linux/in.h
IPV6_TRANSPARENT = 75  # linux/in6.h
_OWN_TO_A_HOST = ("127.", "169.254.", "::1", "fe80:", "::ffff:")


class _Way:
    """From a published port to the container: its address of the port's family where it has one, its IPv4 one else."""

    def __init__(self, args: Args, host_ip: str) -> None:
        v6 = text(args, "container_ipv6")
        address = v6 if ":" in host_ip and v6 else text(args, "container_ip") or v6
        self.target = (address, number(args, "container_port"))
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._transparent = bool(args.get("transparent"))
        self._shift = 32 - number(args, "container_prefix")

    def open(self, kind: int, client: str) -> socket.socket:
        """A socket for the container, which sees the client's own address where that can be, else its bridge's."""
        sock = socket.socket(self._family, kind | socket.SOCK_NONBLOCK)
        if self._transparent and self._may_carry(client):
            try:
                if self._family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
                else:
                    sock.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
                sock.bind((client, 0))
            except OSError:
                pass
        return sock

    def _may_carry(self, client: str) -> bool:
        """Of the same family, not the host's own, and not a neighbour's, whom the container would answer past us."""
        if (":" in client) != (self._family == socket.AF_INET6) or client.startswith(_OWN_TO_A_HOST):
            return False
        return self._family == socket.AF_INET6 or self._network(client) != self._network(self.target[0])

    def _network(self, address: str) -> int:
        return int.from_bytes(socket.inet_aton(address), "big") >> self._shift


class _TcpPort:
    def __init__(self, loop: Loop, sock: socket.socket, way: "_Way") -> None:
        self._loop, self._sock, self._way = loop, sock, way
        self._connections: set[_Connection] = set()
        loop.watch(sock.fileno(), IN, self._accept)

    def _accept(self, events: int) -> None:
        try:
            client, address = self._sock.accept()
        except OSError:  # gone again, or out of descriptors: the next event tries anew
            return
        client.setblocking(False)
        server = self._way.open(socket.SOCK_STREAM, address[0])
        try:
            server.connect(self._way.target)
        except BlockingIOError:
            pass
        except OSError:
            client.close()
            server.close()
            return
        self._connections.add(_Connection(self._loop, client, server, self._connections.discard))

    @property
    def in_use(self) -> bool:
        return bool(self._connections)


class _Connection:
    """Two sockets with a pipe in each direction; ends when both directions have ended, and says so."""

    def __init__(
        self, loop: Loop, client: socket.socket, server: socket.socket, ended: "Callable[[_Connection], None]"
    ) -> None:
        self._loop, self._over = loop, ended
        self._socks = (client, server)
        self._pipes = (os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK), os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK))
        self._filled = [0, 0]
        self._ended = [False, False]
        self._told = [False, False]
        self._watch()

    def _watch(self) -> None:
        for side, sock in enumerate(self._socks):
            mask = IN if not self._ended[side] and self._filled[side] < SPLICE_BYTES else 0
            mask |= OUT if self._filled[1 - side] or (self._ended[1 - side] and not self._told[1 - side]) else 0
            self._loop.watch(sock.fileno(), mask, lambda events, s=side: self._ready(s, events))

    def _ready(self, side: int, events: int) -> None:
        try:
            if events & (IN | HANGUP):
                self._fill(side)
            self._drain(0)
            self._drain(1)
        except OSError:
            self.close()
            return
        if all(self._told):
            self.close()
        else:
            self._watch()

    def _fill(self, side: int) -> None:
        if self._ended[side]:
            return
        try:
            moved = _splice(self._socks[side].fileno(), self._pipes[side][1], SPLICE_BYTES)
        except BlockingIOError:
            return
        if moved == 0:
            self._ended[side] = True
        self._filled[side] += moved

    def _drain(self, side: int) -> None:
        """From the pipe of `side` to the other socket; its end is told once the pipe is empty."""
        other = self._socks[1 - side]
        try:
            while self._filled[side]:
                self._filled[side] -= _splice(self._pipes[side][0], other.fileno(), self._filled[side])
        except BlockingIOError:
            return
        if self._ended[side] and not self._told[side]:
            self._told[side] = True
            other.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._over(self)
        for sock in self._socks:
            self._loop.forget(sock.fileno())
            sock.close()
        for pipe in self._pipes:
            os.close(pipe[0])
            os.close(pipe[1])


def _splice(source: int, target: int, count: int) -> int:
    return os.splice(source, target, count)


class _UdpPort:
    """One upstream socket for each client address; answers go back from the published port."""

    def __init__(self, loop: Loop, sock: socket.socket, way: "_Way") -> None:
        self._loop, self._sock, self._way = loop, sock, way
        self._sessions: dict[tuple[str, int], tuple[socket.socket, float]] = {}
        loop.watch(sock.fileno(), IN, self._received)

    @property
    def in_use(self) -> bool:
        return bool(self._sessions)

    def _received(self, events: int) -> None:
        try:
            data, address = self._sock.recvfrom(65535)
        except OSError:
            return
        upstream = self._session(address)
        if upstream is not None:
            try:
                upstream.send(data)
            except OSError:
                pass  # a datagram may be lost

    def _session(self, address: tuple[str, int]) -> socket.socket | None:
        found = self._sessions.get(address)
        if found is None:
            if len(self._sessions) >= UDP_SESSIONS:
                return None
            upstream = self._way.open(socket.SOCK_DGRAM, address[0])
            upstream.connect(self._way.target)
            self._loop.watch(upstream.fileno(), IN, self._answers(upstream, address))
            if not self._sessions:
                self._loop.after(UDP_IDLE_S, self._expire)
        else:
            upstream = found[0]
        self._sessions[address] = (upstream, time.monotonic())
        return upstream

    def _answers(self, upstream: socket.socket, address: tuple[str, int]) -> Callable[[int], None]:
        def answer(events: int) -> None:
            try:
                self._sock.sendto(upstream.recv(65535), address)
            except OSError:
                pass

        return answer

    def _expire(self) -> None:
        now = time.monotonic()
        for address, (upstream, used) in tuple(self._sessions.items()):
            if now - used > UDP_IDLE_S:
                del self._sessions[address]
                self._loop.forget(upstream.fileno())
                upstream.close()
        if self._sessions and self._sock.fileno() >= 0:
            self._loop.after(UDP_IDLE_S, self._expire)
