"""The same requests from an event loop: `http1` under asyncio streams.

For those who watch many things at once (the web page, tests). One connection a request; a body is read
piece by piece, so that a stream of events or logs never gathers in memory.
"""

from __future__ import annotations

import asyncio

from hakobu.client import codec
from hakobu.client.error import CannotConnect, ClientError
from hakobu.client.http1 import Head, ProtocolError, Reader, encode_request
from hakobu.client.transport import (
    API_VERSION,
    MIN_API_VERSION,
    USER_AGENT,
    engine_error,
    version_key,
)
from hakobu.client.url import target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from typing import Any

    from hakobu.client.endpoint import Endpoint
    from hakobu.client.url import QueryValue

_RECEIVE_BYTES = 64 * 1024


class AsyncResponse:
    """A response whose body is still to be read: `async for`, `read`, then `close`; or `async with`."""

    def __init__(self, head: Head, parser: Reader, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.head = head
        self._parser = parser
        self._reader = reader
        self.writer = writer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := self._parser.body()) is not None:
            if piece:
                yield piece
            else:
                await _receive(self._reader, self._parser)

    async def read(self) -> bytes:
        data = b"".join([piece async for piece in self])
        self.close()
        return data

    async def objects(self) -> AsyncIterator[Any]:
        """The values of a stream of JSON lines."""
        rest = b""
        async for piece in self:
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line.strip():
                    yield codec.decode(line)
        if rest.strip():
            yield codec.decode(rest)

    async def raw(self) -> AsyncIterator[bytes]:
        """The bytes of a connection that left HTTP (attach, exec); write to `writer`."""
        if rest := self._parser.take_rest():
            yield rest
        while data := await self._reader.read(_RECEIVE_BYTES):
            yield data

    def close(self) -> None:
        self.writer.close()

    async def __aenter__(self) -> AsyncResponse:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()


class AsyncTransport:
    """The way to one engine for an event loop."""

    def __init__(self, endpoint: Endpoint, *, version: str = "") -> None:
        self.endpoint = endpoint
        self._version = version

    async def version(self) -> str:
        """The API version both sides speak, asked for once."""
        if not self._version:
            async with await self._send("HEAD", "/_ping", {}, b"") as response:
                theirs = response.head.get("api-version") or MIN_API_VERSION
            self._version = min(theirs, API_VERSION, key=version_key)
        return self._version

    async def open(
        self,
        method: str,
        path: str,
        query: Mapping[str, QueryValue] | None = None,
        body: object = None,
        *,
        versioned: bool = True,
        hijack: bool = False,
    ) -> AsyncResponse:
        """Sends a request with a JSON body and gives its response; EngineError from 400 on."""
        prefix = f"/v{await self.version()}" if versioned else ""
        headers = {"Connection": "Upgrade", "Upgrade": "tcp"} if hijack else {}
        data = b"" if body is None else codec.encode(body)
        if data:
            headers["Content-Type"] = "application/json"
        response = await self._send(method, target(prefix + path, query), headers, data)
        if response.head.status >= 400:
            raise engine_error(response.head, await response.read())
        return response

    async def call(
        self, method: str, path: str, query: Mapping[str, QueryValue] | None = None, body: object = None
    ) -> Any:
        """The decoded answer of a request, None where it is empty."""
        answer = await (await self.open(method, path, query, body)).read()
        return codec.decode(answer) if answer.strip() else None

    async def _send(self, method: str, address: str, headers: dict[str, str], data: bytes) -> AsyncResponse:
        reader, writer = await self._connect()
        parser = Reader()
        parser.expect(method)
        sent = {"User-Agent": USER_AGENT, **headers}
        try:
            writer.write(encode_request(method, address, self.endpoint.host_header, sent, len(data)) + data)
            await writer.drain()
            while (head := parser.head()) is None:
                await _receive(reader, parser)
        except ProtocolError as e:
            writer.close()
            raise ClientError(f"the engine at {self.endpoint.url} broke off: {e}") from e
        except BaseException:
            writer.close()
            raise
        return AsyncResponse(head, parser, reader, writer)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            if self.endpoint.scheme == "unix":
                return await asyncio.open_unix_connection(self.endpoint.address)
            return await asyncio.open_connection(self.endpoint.address, self.endpoint.port)
        except OSError as e:
            raise CannotConnect(self.endpoint.url, self.endpoint.chosen_by, e) from e


async def _receive(reader: asyncio.StreamReader, parser: Reader) -> None:
    data = await reader.read(_RECEIVE_BYTES)
    if data:
        parser.feed(data)
    else:
        parser.feed_eof()
