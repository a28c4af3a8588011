"""A connection whose bytes are no longer HTTP, in the hands of whoever took it."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import cast


class TakenConnection:
    """What a hijack is given (`exchange.Takeover`'s shape)."""

    __slots__ = ("_already_read", "_drain", "_transport")

    def __init__(self, transport: asyncio.Transport, already_read: bytes, drain: Callable[[], Awaitable[None]]) -> None:
        self._transport = transport
        self._drain = drain
        self._already_read = already_read

    @property
    def already_read(self) -> bytes:
        return self._already_read

    def dup(self) -> int:
        sock = cast(socket.socket, self._transport.get_extra_info("socket"))
        return os.dup(sock.fileno())

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    async def drain(self) -> None:
        await self._drain()
