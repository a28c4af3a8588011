"""`python -I -m hakobu.api.tls SOCKET CACERT CERT KEY LISTENER_FD…`: started by the daemon, and ends with it."""

import asyncio
import contextlib
import signal
import socket
import ssl
import sys

from hakobu.api.tls.context import TlsFiles, server_context
from hakobu.api.tls.tunnel import ClientGone, Tunnel
from hakobu.kernel.process import set_dumpable, set_name, set_parent_death_signal

_BUSY_PAUSE_S = 0.2
_KEEPIDLE_S = 60


async def _serve(listener: socket.socket, context: ssl.SSLContext, engine_path: str) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError:  # no descriptor is free: those who wait are taken later
                await asyncio.sleep(_BUSY_PAUSE_S)
                continue
            group.create_task(_connection(client, context, engine_path))


async def _connection(client: socket.socket, context: ssl.SSLContext, engine_path: str) -> None:
    """What goes wrong with one client is that client's alone."""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPIDLE_S)
    with client, contextlib.suppress(OSError, ClientGone):  # ssl's errors and a late handshake's are OSErrors
        tunnel = Tunnel(context, client)
        await tunnel.handshake()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as engine:
            await asyncio.get_running_loop().sock_connect(engine, engine_path)
            await tunnel.run(engine)


async def _run(listeners: list[socket.socket], context: ssl.SSLContext, engine_path: str) -> None:
    async with asyncio.TaskGroup() as group:
        for listener in listeners:
            group.create_task(_serve(listener, context, engine_path))


def main() -> None:
    set_parent_death_signal(signal.SIGTERM)
    set_dumpable(False)  # the key is in this memory
    set_name("hakobu-tls")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    engine_path, cacert, cert, key, *fds = sys.argv[1:]
    listeners = [socket.socket(fileno=int(fd)) for fd in fds]
    for listener in listeners:
        listener.setblocking(False)
    asyncio.run(_run(listeners, server_context(TlsFiles(cacert, cert, key)), engine_path))


if __name__ == "__main__":
    main()
