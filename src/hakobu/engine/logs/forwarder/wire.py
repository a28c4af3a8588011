"""Connections to receivers: datagrams and streams, plain and by TLS, opened again by whoever sends."""

import asyncio
import socket
import ssl
from dataclasses import dataclass

from hakobu.engine.logs.drivers import Address

CONNECT_S = 10.0


@dataclass(slots=True)
class Datagrams:
    """Each send is one datagram; a receiver that is not there is nobody's error with UDP."""

    address: Address
    _sock: socket.socket | None = None

    async def open(self) -> None:
        self.close()
        loop = asyncio.get_running_loop()
        if self.address.network == "udp":
            found = await loop.getaddrinfo(self.address.host, self.address.port, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, target = found[0]
        else:
            family, kind, protocol, target = socket.AF_UNIX, socket.SOCK_DGRAM, 0, self.address.host
        self._sock = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        self._sock.connect(target)

    async def send(self, data: bytes) -> None:
        if self._sock is None:
            await self.open()
        assert self._sock is not None
        try:
            await asyncio.get_running_loop().sock_sendall(self._sock, data)
        except ConnectionRefusedError:
            if self.address.network != "udp":
                raise

    @property
    def socket(self) -> socket.socket | None:
        return self._sock

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None


@dataclass(slots=True)
class Stream:
    """A connection; `send` raises OSError when the other side has gone, and the next one connects anew."""

    address: Address
    context: ssl.SSLContext | None = None
    timeout_s: float | None = None
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        self.close()
        if self.address.network == "unix":
            opening = asyncio.open_unix_connection(self.address.host)
        else:
            opening = asyncio.open_connection(self.address.host, self.address.port, ssl=self.context)
        self._reader, self._writer = await asyncio.wait_for(opening, CONNECT_S)

    async def send(self, data: bytes) -> None:
        if self._writer is None:
            await self.open()
        assert self._writer is not None and self._reader is not None
        if self._reader.at_eof() or self._writer.is_closing():
            self.close()
            raise ConnectionResetError("the receiver has closed the connection")
        self._writer.write(data)
        await asyncio.wait_for(self._writer.drain(), self.timeout_s)

    async def receive(self, limit: int = 4096) -> bytes:
        assert self._reader is not None
        data = await asyncio.wait_for(self._reader.read(limit), self.timeout_s)
        if not data:
            self.close()
            raise ConnectionResetError("the receiver has closed the connection")
        return data

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


Wire = Datagrams | Stream
