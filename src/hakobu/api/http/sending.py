"""The writing half of a connection: replies, streams, bodies that another process writes, and handing it over.

Writing waits for the client (`drain`). What has begun and breaks off has no last chunk: only that tells the client that
it is not whole.
"""

import asyncio
import logging
import os
import select
import socket
from contextlib import suppress
from typing import cast

from hakobu.api.http.body import BodyLost
from hakobu.api.http.exchange import Download, Hijack, Reply, Stream
from hakobu.api.http.head import Head
from hakobu.api.http.response import CONTINUE, LAST_CHUNK, Heads
from hakobu.api.http.takeover import TakenConnection
from hakobu.spec.download import Outlet

_log = logging.getLogger("hakobu.api")


class Sender:
    """`streaming` says that a client that leaves is to end the task that answers it."""

    def __init__(self, heads: Heads, transport: asyncio.Transport) -> None:
        self._heads = heads
        self._transport = transport
        self._paused: asyncio.Future[None] | None = None
        self.streaming = False

    def pause(self) -> None:
        self._paused = asyncio.get_running_loop().create_future()

    def resume(self) -> None:
        if self._paused is not None and not self._paused.done():
            self._paused.set_result(None)
        self._paused = None

    async def drain(self) -> None:
        """Waits until the client has taken enough; raises when it is gone."""
        if self._paused is not None:
            await self._paused
        if self._transport.is_closing():
            raise ConnectionResetError("client is gone")

    def go_on(self) -> None:
        """Tells a client that waits for it to send its body."""
        self._transport.write(CONTINUE)

    def reply(self, reply: Reply, *, with_body: bool, close: bool) -> None:
        data = self._heads.whole(reply.status, reply.content_type, len(reply.body), reply.headers, close=close)
        self._transport.write(data + reply.body if with_body and reply.body else data)

    async def stream(self, stream: Stream, head: Head, *, close: bool) -> None:
        self.streaming = True
        try:
            if self._transport.is_closing():
                return
            self._transport.write(
                self._heads.chunked(
                    stream.status, stream.content_type, stream.headers, close=close, http_1_0=head.http_1_0
                )
            )
            if head.method != "HEAD":
                await self._chunks(stream, chunked=not head.http_1_0)
        finally:
            self.streaming = False
            if (aclose := getattr(stream.chunks, "aclose", None)) is not None:
                await aclose()

    async def _chunks(self, stream: Stream, *, chunked: bool) -> None:
        write = self._transport.write
        try:
            async for chunk in stream.chunks:
                if chunk:
                    write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
                    if self._paused is not None or self._transport.is_closing():
                        await self.drain()
        except (ConnectionError, BodyLost):
            self._transport.abort()
        except Exception:
            _log.exception("a response broke off")
            self._transport.abort()
        else:
            if chunked:
                write(LAST_CHUNK)

    async def download(self, download: Download, head: Head, *, close: bool) -> None:
        """Sends the head, lends the socket to whoever writes the body, and ends it; closes the download."""
        transport = self._transport
        self.streaming = True
        try:
            if transport.is_closing():
                return
            transport.set_write_buffer_limits(high=0)
            kind, old = download.content_type, head.http_1_0
            transport.write(self._heads.chunked(200, kind, download.headers, close=close, http_1_0=old))
            await self.drain()  # all of it: from here on another process writes
            if head.method != "HEAD":
                await self._lend(download, chunked=not old)
        except ConnectionError:
            transport.abort()
        finally:
            self.streaming = False
            transport.set_write_buffer_limits()
            download.close()

    async def _lend(self, download: Download, *, chunked: bool) -> None:
        sock = cast(socket.socket, self._transport.get_extra_info("socket"))
        fd = os.dup(sock.fileno())
        try:
            await download.send(Outlet(fd, chunked))
        except asyncio.CancelledError:
            with suppress(OSError):  # the writer goes on until it meets an end
                sock.shutdown(socket.SHUT_RDWR)
            raise
        except Exception:
            if not self._transport.is_closing() and not hung_up(sock):
                _log.exception("a response broke off")
            self._transport.abort()
        else:
            if chunked:
                self._transport.write(LAST_CHUNK)
        finally:
            os.close(fd)

    async def hand_over(self, hijack: Hijack, upgrade: str, already_read: bytes) -> None:
        """Sends the head and gives the connection away; nothing here reads or shuts it down afterwards."""
        transport = self._transport
        transport.set_write_buffer_limits(high=0)
        transport.write(self._heads.hijacked(hijack.content_type, hijack.headers, upgrade))
        await self.drain()
        try:
            await hijack.take(TakenConnection(transport, already_read, self.drain))
        finally:
            transport.close()


def hung_up(sock: socket.socket) -> bool:
    """poll(2) tells a peer that has closed (POLLHUP) from one that only sends no more."""
    poll = select.poll()
    poll.register(sock.fileno(), 0)
    return any(mask & (select.POLLHUP | select.POLLERR) for _, mask in poll.poll(0))
