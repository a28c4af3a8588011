"""The server: listening sockets, their connections, and an orderly end. What `daemon/` starts.

server = await serve([socket], services)
...
await server.close()
"""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from hakobu.api.application import DockerApplication
from hakobu.api.http.connection import Application, Connection
from hakobu.api.metrics import MetricsApplication
from hakobu.api.table import ROUTES
from hakobu.api.timing import Timings
from hakobu.engine.services import Services
from hakobu.wire.version import MINIMUM, ApiVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`minimum_version` refuses older clients; `grace_s` is how long a close waits for requests that are answered;
    `metrics` are listening sockets that answer `/metrics` and nothing else."""

    minimum_version: ApiVersion = MINIMUM
    grace_s: float = 5.0
    metrics: Sequence[socket.socket] = ()


class Server:
    """What `serve` returns. Hijacked connections are not its business any more: they outlive it."""

    def __init__(self, servers: Sequence[asyncio.Server], connections: set[Connection], grace_s: float) -> None:
        self._servers = servers
        self._connections = connections
        self._grace_s = grace_s

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    async def close(self, grace_s: float | None = None) -> None:
        """Takes no more connections, lets running requests end for a while, then ends the rest."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            if not connection.busy:
                connection.close()
        running = [connection.task for connection in self._connections if connection.task is not None]
        if running:
            await asyncio.wait(running, timeout=self._grace_s if grace_s is None else grace_s)
        for connection in list(self._connections):
            with suppress(asyncio.CancelledError):
                await connection.end()


async def serve(listeners: Sequence[socket.socket], services: Services, *, options: Options | None = None) -> Server:
    """Answers on listening sockets until `Server.close`. Returns when they are being answered."""
    options = options or Options()
    timings = Timings()
    app = DockerApplication(services, ROUTES, options.minimum_version, timings)
    metrics = MetricsApplication(services.system.facts, timings)
    connections: set[Connection] = set()
    loop = asyncio.get_running_loop()
    servers = [await _serve_one(loop, listener, app, connections) for listener in listeners]
    servers += [await _serve_one(loop, listener, metrics, connections) for listener in options.metrics]
    return Server(servers, connections, options.grace_s)


async def _serve_one(
    loop: asyncio.AbstractEventLoop, listener: socket.socket, app: Application, connections: set[Connection]
) -> asyncio.Server:
    def connect() -> Connection:
        return Connection(app, connections)

    if listener.family == socket.AF_UNIX:
        return await loop.create_unix_server(connect, sock=listener, backlog=512)
    return await loop.create_server(connect, sock=listener, backlog=512)
