"""A hijacked connection that speaks websocket frames, joined to a socket that speaks bytes.

The framing is wsproto's, which does no I/O. Each read of one side is one message to the other, so no more is held
than one read; whoever ends first ends both.
"""

import asyncio
import codecs
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Any

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Message, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import RemoteProtocolError, generate_accept_token

from hakobu.api.http.exchange import Headers, Request, Takeover
from hakobu.errors import Invalid

GOODBYE_S = 5.0
"""How long a client has to answer the engine's goodbye; most do at once, and an earlier end is an error to some."""

_READ_BYTES = 1 << 16
_VERSION = "13"


def accept(request: Request) -> Headers:
    """What a 101 must carry for this handshake; raises what a client that is no websocket is told (RFC 6455, 4.2)."""
    key = request.header("sec-websocket-key")
    if request.head.upgrade != "websocket" or not key.isascii() or not key:
        raise Invalid("not a websocket handshake: the request must carry Upgrade: websocket and a Sec-WebSocket-Key")
    if request.header("sec-websocket-version") != _VERSION:
        raise Invalid(f"websocket version is not supported: {request.header('sec-websocket-version') or 'none'}")
    told: Headers = (("Sec-WebSocket-Accept", generate_accept_token(key.encode()).decode()),)
    protocol = request.header("sec-websocket-protocol")
    return (*told, ("Sec-WebSocket-Protocol", protocol)) if protocol and "," not in protocol else told


class Bridge:
    """One client's websocket and `inner`, a connected non-blocking stream socket; `run` closes both."""

    def __init__(self, takeover: Takeover, inner: socket.socket, *, text: bool) -> None:
        self._outer = socket.socket(fileno=takeover.dup())
        self._early = takeover.already_read
        self._inner = inner
        self._frames = Connection(ConnectionType.SERVER)
        self._writing = asyncio.Lock()
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._message: Callable[[bytes], Message[Any]] = (
            (lambda data: TextMessage(data=decoder.decode(data))) if text else (lambda data: BytesMessage(data=data))
        )

    async def run(self) -> None:
        """Both ways, until either side ends."""
        await self._both(self._read())

    async def replay(self, chunks: AsyncIterator[bytes]) -> None:
        """Sends what there is, and ends; what the client says goes nowhere."""
        await self._both(chunks)

    async def _both(self, source: AsyncIterator[bytes]) -> None:
        with self._outer, self._inner:
            up, down = (asyncio.ensure_future(_until_gone(work)) for work in (self._up(), self._down(source)))
            try:
                await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
                if not up.done():
                    await asyncio.wait((up,), timeout=GOODBYE_S)
            finally:
                for task in (up, down):
                    task.cancel()
                await asyncio.gather(up, down, return_exceptions=True)

    async def _up(self) -> None:
        """What the client types, until it says goodbye or is gone."""
        loop = asyncio.get_running_loop()
        data = self._early or await loop.sock_recv(self._outer, _READ_BYTES)
        while data:
            try:
                self._frames.receive_data(data)
                for event in self._frames.events():
                    if isinstance(event, CloseConnection):
                        await self._answer_goodbye(event)
                        return
                    await self._hear(event)
            except RemoteProtocolError as error:
                await self._send(error.event_hint or CloseConnection(code=CloseReason.PROTOCOL_ERROR))
                return
            data = await loop.sock_recv(self._outer, _READ_BYTES)

    async def _hear(self, event: Event) -> None:
        match event:
            case TextMessage():
                await self._type(str(event.data).encode())
            case BytesMessage():
                await self._type(bytes(event.data))
            case Ping():
                await self._send(event.response())
            case _:
                pass

    async def _type(self, data: bytes) -> None:
        with suppress(ConnectionError):  # a process that has ended hears nothing; its last words still go out
            await asyncio.get_running_loop().sock_sendall(self._inner, data)

    async def _answer_goodbye(self, event: CloseConnection) -> None:
        if self._frames.state is not ConnectionState.CLOSED:
            await self._send(event.response())

    async def _read(self) -> AsyncIterator[bytes]:
        while data := await asyncio.get_running_loop().sock_recv(self._inner, _READ_BYTES):
            yield data

    async def _down(self, source: AsyncIterator[bytes]) -> None:
        """What the container prints, and a proper end behind it."""
        async for data in source:
            await self._send(self._message(data))
        await self._send(CloseConnection(code=CloseReason.NORMAL_CLOSURE))

    async def _send(self, event: Any) -> None:
        async with self._writing:
            await asyncio.get_running_loop().sock_sendall(self._outer, self._frames.send(event))


async def _until_gone(work: Coroutine[Any, Any, None]) -> None:
    """A peer that is gone is an end like another."""
    with suppress(ConnectionError):
        await work
