"""The resolver's process: containers join by descriptors, are served, and let go when their pidfd fires.

    daemon                                         resolver
    {"version": 1}                              →
                                                ←  {"version": 1, "containers": [ids]}
    {"join": id} + network namespace, pidfd     →
                                                ←  {"joined": id, "error": ""}
    {"leave": id}                               →
                                                ←  {"left": id}

The daemon made the listening socket, so it can connect before this process has started. Its end changes nothing
here; without a container and without a daemon for a moment the process ends.
"""

import asyncio
import json
import os
import socket
import struct
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from hakobu.kernel import scm
from hakobu.network.resolver import inside
from hakobu.network.resolver.answer import MAX_QUERY_BYTES, Forward, answer, failure
from hakobu.network.resolver.names import SnapshotFile
from hakobu.network.resolver.upstream import Upstream, receive_exactly

VERSION = 1
IDLE_S = 2.0
TCP_IDLE_S = 10.0
QUESTIONS_AT_ONCE = 256
"""Of one container; what comes beyond is dropped, and its resolver asks again."""


@dataclass(slots=True)
class Served:
    """A container's sockets and the descriptor that tells of its end."""

    pidfd: int
    udp: socket.socket
    tcp: socket.socket
    tasks: set["asyncio.Task[None]"] = field(default_factory=lambda: set[asyncio.Task[None]]())


class Server:
    def __init__(self, listener: socket.socket, names_path: str) -> None:
        self._listener = listener
        self._names = SnapshotFile(names_path)
        self._upstream = Upstream()
        self._served: dict[str, Served] = {}
        self._daemons: set[socket.socket] = set()
        self._idle: asyncio.TimerHandle | None = None
        self._done = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._listener.fileno(), self._accept)
        self._consider_ending()
        await self._done.wait()
        for container_id in tuple(self._served):
            self._release(container_id)

    # -- the daemon's side

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        if scm.peer(connection).uid not in (0, os.geteuid()):
            connection.close()
            return
        self._daemons.add(connection)
        self._consider_ending()
        asyncio.get_running_loop().add_reader(connection.fileno(), self._heard, connection)

    def _heard(self, connection: socket.socket) -> None:
        try:
            message = scm.receive(connection)
        except OSError:
            message = None
        if message is None:
            asyncio.get_running_loop().remove_reader(connection.fileno())
            self._daemons.discard(connection)
            connection.close()
            self._consider_ending()
            return
        try:
            reply = self._obey(json.loads(message.body), list(message.fds))
            scm.send(connection, json.dumps(reply).encode())
        except (OSError, ValueError):
            message.close()

    def _obey(self, request: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        """Takes the descriptors over."""
        match request:
            case {"join": str(container_id)} if len(fds) == 2:
                return {"joined": container_id, "error": self._join(container_id, *fds)}
            case {"leave": str(container_id)}:
                self._release(container_id)
                return {"left": container_id}
            case {"version": int()}:
                return {"version": VERSION, "containers": list(self._served)}
            case _:
                for fd in fds:
                    os.close(fd)
                return {"error": "not understood"}

    def _join(self, container_id: str, netns_fd: int, pidfd: int) -> str:
        self._release(container_id)
        try:
            udp, tcp = inside.open_sockets(netns_fd)
        except OSError as e:
            os.close(pidfd)
            return str(e)
        finally:
            os.close(netns_fd)
        served = Served(pidfd, udp, tcp)
        self._served[container_id] = served
        loop = asyncio.get_running_loop()
        loop.add_reader(pidfd, self._release, container_id)
        loop.add_reader(udp.fileno(), self._datagram, container_id, served)
        loop.add_reader(tcp.fileno(), self._connection, container_id, served)
        self._consider_ending()
        return ""

    def _release(self, container_id: str) -> None:
        served = self._served.pop(container_id, None)
        if served is None:
            return
        loop = asyncio.get_running_loop()
        for fd in (served.pidfd, served.udp.fileno(), served.tcp.fileno()):
            loop.remove_reader(fd)
        for task in tuple(served.tasks):
            task.cancel()
        served.udp.close()
        served.tcp.close()
        os.close(served.pidfd)
        self._consider_ending()

    def _consider_ending(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if not self._served and not self._daemons:
            self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._done.set)

    # -- the containers' side

    def _spawn(self, served: Served, work: Coroutine[Any, Any, None]) -> None:
        """Tasks belong to their container and end with it."""
        task = asyncio.get_running_loop().create_task(work)
        served.tasks.add(task)
        task.add_done_callback(served.tasks.discard)

    def _datagram(self, container_id: str, served: Served) -> None:
        try:
            query, client = served.udp.recvfrom(MAX_QUERY_BYTES)
        except OSError:
            return
        result = answer(self._names.current(), container_id, query, udp=True)
        if isinstance(result, bytes):
            _send(served.udp, result, client)
        elif result is not None and len(served.tasks) < QUESTIONS_AT_ONCE:
            self._spawn(served, self._forward_datagram(served, result, client))

    async def _forward_datagram(self, served: Served, forward: Forward, client: tuple[str, int]) -> None:
        response = await self._upstream.ask(forward.query, forward.servers, tcp=False) or failure(forward.query)
        if response:
            _send(served.udp, response, client)

    def _connection(self, container_id: str, served: Served) -> None:
        try:
            client, _ = served.tcp.accept()
        except OSError:
            return
        if len(served.tasks) >= QUESTIONS_AT_ONCE:
            client.close()
            return
        client.setblocking(False)
        self._spawn(served, self._converse(container_id, client))

    async def _converse(self, container_id: str, client: socket.socket) -> None:
        """Questions of one TCP connection, one after the other, until it is silent."""
        loop = asyncio.get_running_loop()
        with client, suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            while True:
                async with asyncio.timeout(TCP_IDLE_S):
                    length = struct.unpack("!H", await receive_exactly(client, 2))[0]
                    query = await receive_exactly(client, length)
                result = answer(self._names.current(), container_id, query, udp=False)
                if isinstance(result, Forward):
                    result = await self._upstream.ask(query, result.servers, tcp=True) or failure(query)
                if result is None:
                    return
                async with asyncio.timeout(TCP_IDLE_S):
                    await loop.sock_sendall(client, struct.pack("!H", len(result)) + result)


def _send(sock: socket.socket, data: bytes, client: tuple[str, int]) -> None:
    try:
        sock.sendto(data, client)
    except OSError:
        pass  # the client is gone, or its buffer full: datagrams may be lost
