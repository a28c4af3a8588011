"""One client's connection: TLS on its side, the plain stream on the engine's, and back; each end told to the other.

asyncio's own TLS ends a connection whole when the client says that it has no more to send. Clients do say that, and
read on (`docker run -i` at the end of its input): so TLS is spoken here over buffers in memory, and the client's
close_notify becomes a half-close of the engine's side.

Invariant: what the client sees as an end is one that TLS vouches for; a stream cut short on the wire is dropped.
"""

import asyncio
import contextlib
import socket
import ssl

HANDSHAKE_S = 30.0
LINGER_S = 5.0
ALERT_S = 2.0
TCP_CLOSE = 7
"""`tcpi_state` of a connection that is over, from include/net/tcp_states.h."""
_PIECE_BYTES = 256 << 10


class ClientGone(Exception):
    """The connection ended without TLS saying so."""


class Tunnel:
    """`client` and `engine` are non-blocking and connected, `engine` by `connect` once the client has proved itself."""

    def __init__(self, context: ssl.SSLContext, client: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._client = client
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._sending = asyncio.Lock()

    async def handshake(self) -> None:
        """Raises ssl.SSLError where the client is not one of the authority's, TimeoutError where it is slow."""
        async with asyncio.timeout(HANDSHAKE_S):
            while True:
                try:
                    self._tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    await self._flush()
                    await self._receive()
                except ssl.SSLError:
                    await self._say_why()
                    raise
            await self._flush()

    async def _say_why(self) -> None:
        """The alert arrives: closing at once, with the client's next words unread, would reset the connection first."""
        with contextlib.suppress(OSError):
            await self._flush()
            self._client.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(ALERT_S):
                while await self._loop.sock_recv(self._client, _PIECE_BYTES):
                    pass

    async def run(self, engine: socket.socket) -> None:
        """Until both sides have ended, or the engine's: what it said last is sent, then nothing is read any more."""
        inward = asyncio.create_task(self._inward(engine))
        outward = asyncio.create_task(self._outward(engine))
        try:
            done, _ = await asyncio.wait((inward, outward), return_when=asyncio.FIRST_COMPLETED)
            if inward in done and inward.exception() is None:
                await self._while_there(outward)
            elif outward in done:
                await asyncio.wait((inward,), timeout=LINGER_S)
        finally:
            for task in (inward, outward):
                task.cancel()
            await asyncio.gather(inward, outward, return_exceptions=True)

    async def _while_there(self, outward: "asyncio.Task[None]") -> None:
        """The client has no more to say and reads on: whether it still does, keep-alive finds out."""
        while not outward.done() and self._client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != TCP_CLOSE:
            await asyncio.wait((outward,), timeout=LINGER_S)

    async def _inward(self, engine: socket.socket) -> None:
        while data := await self._read():
            await self._loop.sock_sendall(engine, data)
        with contextlib.suppress(OSError):
            engine.shutdown(socket.SHUT_WR)

    async def _outward(self, engine: socket.socket) -> None:
        while data := await self._loop.sock_recv(engine, _PIECE_BYTES):
            self._tls.write(data)
            await self._flush()
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        await self._flush()
        self._client.shutdown(socket.SHUT_WR)

    async def _read(self) -> bytes:
        """What the client said; empty when it has said that there is no more."""
        while True:
            try:
                data = self._tls.read(_PIECE_BYTES)
            except ssl.SSLWantReadError:
                await self._flush()
                await self._receive()
            except ssl.SSLZeroReturnError:
                return b""
            else:
                return data

    async def _receive(self) -> None:
        data = await self._loop.sock_recv(self._client, _PIECE_BYTES)
        if not data:
            raise ClientGone
        self._incoming.write(data)

    async def _flush(self) -> None:
        """One at a time: records must leave in the order in which they were made."""
        async with self._sending:
            while self._outgoing.pending:
                await self._loop.sock_sendall(self._client, self._outgoing.read())
