"""One connection: requests in order, each answered before the next is looked at, until it ends or is taken over.

Invariants: bytes that belong to no request yet stay in `_buffer`; reading pauses when more has come than
anybody wants; writing waits for the client (`Sender`). A connection owns at most one task, that of the request
it answers. A client that leaves ends a stream at once, but never a half-done operation: what changes the
world runs to its end.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Protocol, cast

from hakobu.api.http.body import Body, BodyLost
from hakobu.api.http.exchange import Answer, Download, Exchange, Hijack, Peer, Reply, Request, Stream, parse_peer
from hakobu.api.http.head import MAX_HEAD_BYTES, BadRequest, Head, parse_head
from hakobu.api.http.response import Heads
from hakobu.api.http.sending import Sender, hung_up
from hakobu.spec.framing import Framing, MalformedBody
from hakobu.spec.upload import Note, Upload, take_note, write_note

log = logging.getLogger("hakobu.api")

HEAD_TIMEOUT_S = 60.0
"""From the first byte of a request head to its last; an idle connection may stay."""

_PIPELINE_BYTES = 256 << 10
_DISCARD_BYTES = 64 << 20
_HANGUP_POLL_S = 1.0


class Application(Protocol):
    """Who answers. Neither call may block."""

    heads: Heads

    def exchange(self, request: Request) -> Exchange | Reply:
        """How to answer this request; a Reply at once when there is nobody to ask."""
        ...

    def failure(self, request: Request | None, error: Exception) -> Reply:
        """The reply for what a handler (or the parser) raised."""
        ...


class Connection(asyncio.Protocol):
    """The asyncio protocol of one client's connection."""

    def __init__(self, app: Application, connections: "set[Connection]") -> None:
        self._app = app
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._scanned = 0
        self._framing: Framing | None = None
        self._collected: list[bytes] | None = None
        self._collected_bytes = 0
        self._discarded = 0
        self._body: Body | None = None
        self._request: Request | None = None
        self._exchange: Exchange | None = None
        self._started = 0.0
        self.task: asyncio.Task[None] | None = None
        self._continued = False
        self._eof = False
        self._lent = False
        self._closing = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._hangup_timer: asyncio.TimerHandle | None = None

    # -- what asyncio calls ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._sender = Sender(self._app.heads, self._transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._body is not None and self._framing is not None and not self._buffer:
            data = self._stream_body(self._body, self._framing, data)
        self._buffer += data
        if self._framing is not None:
            self._feed_body()
        if self._request is None:
            self._advance()
        elif len(self._buffer) > _PIPELINE_BYTES:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._eof = True
        if self._framing is not None:
            self._lose_body()
        if self._request is None:
            self.close()
        else:
            self._watch_hangup()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._cancel_timers()
        if self._framing is not None:
            self._lose_body()
        self._sender.resume()
        if self.task is None:
            self._connections.discard(self)
        elif self._sender.streaming:
            self.task.cancel()

    def pause_writing(self) -> None:
        self._sender.pause()

    def resume_writing(self) -> None:
        self._sender.resume()

    # -- what the server calls ------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        return self._request is not None

    def close(self) -> None:
        """Lets what was written go out, then ends the connection."""
        self._closing = True
        self._cancel_timers()
        self._transport.close()

    async def end(self) -> None:
        """Ends the connection and what it is doing; returns when its task has ended."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])
        self.close()

    # -- a request comes in ---------------------------------------------------------------------------

    def _advance(self) -> None:
        """Begins the requests that have come whole, as long as they are answered at once."""
        while self._buffer and self._request is None and not self._closing:
            if self._buffer.startswith(b"\r\n"):
                del self._buffer[:2]
                continue
            end = self._buffer.find(b"\r\n\r\n", max(0, self._scanned - 3))
            if end < 0 or end > MAX_HEAD_BYTES:
                self._scanned = len(self._buffer)
                if self._scanned > MAX_HEAD_BYTES:
                    self._refuse(BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "request head is too long"))
                elif self._head_timer is None:
                    self._head_timer = self._loop.call_later(HEAD_TIMEOUT_S, self._head_is_late)
                return
            raw = bytes(memoryview(self._buffer)[: end + 4])
            del self._buffer[: end + 4]
            self._scanned = 0
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None
            try:
                self._begin(parse_head(raw))
            except BadRequest as error:
                self._refuse(error)

    def _head_is_late(self) -> None:
        self._refuse(BadRequest(HTTPStatus.REQUEST_TIMEOUT, "request head did not come in time"))

    def _refuse(self, error: BadRequest | MalformedBody) -> None:
        """Answers what is not a request, and ends the connection: where the next one begins is unknown."""
        reply = self._app.failure(None, error)
        self._framing = None
        self._sender.reply(reply, with_body=True, close=True)
        self.close()

    def _begin(self, head: Head) -> None:
        path, _, query = head.target.partition("?")
        request = Request(head, path, query, self._peer)
        self._request = request
        self._continued = False
        self._started = time.perf_counter()
        framing = Framing(chunked=head.chunked, length=head.length)
        exchange = self._app.exchange(request)
        if isinstance(exchange, Reply):
            self._answer_early(exchange, framing)
            return
        self._exchange = exchange
        if framing.ended:
            self._run()
        elif exchange.streams_body:
            self._framing = framing
            self._body = request.stream = Body(
                self._on_first_read(head), self._transport.pause_reading, self._resume_reading
            )
            self._body.lender = self
            self._run()
            self._feed_body()
        else:
            self._collect(head, framing, exchange)

    def _collect(self, head: Head, framing: Framing, exchange: Exchange) -> None:
        if head.length > exchange.body_limit:
            self._answer_early(self._too_large(), framing)
            return
        self._framing = framing
        self._collected = []
        self._collected_bytes = 0
        self._on_first_read(head)()
        self._feed_body()

    def _too_large(self) -> Reply:
        return self._app.failure(
            self._request, BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "request body is too large")
        )

    def _answer_early(self, reply: Reply, framing: Framing) -> None:
        """Answers without having wanted the body; it is read and thrown away, so that the client sees the reply."""
        if not framing.ended:
            self._framing = framing
            self._discarded = 0
        self._send(reply)
        if self._framing is not None:
            self._feed_body()

    def _on_first_read(self, head: Head) -> Callable[[], None]:
        def go_on() -> None:
            self._continued = True
            if head.expects_continue and not head.http_1_0 and not self._closing:
                self._sender.go_on()

        return go_on

    def _stream_body(self, body: Body, framing: Framing, data: bytes) -> bytes:
        """The way of bulk: the body's share goes on without a copy; what is left, or is broken, goes the usual way."""
        try:
            blocks, eaten = framing.cut(data)
        except MalformedBody as error:
            body.end(error)
            self._framing = None
            self._closing = True
            return b""
        body.push(*blocks)
        if framing.ended:
            self._framing = None
            self._body_ended()
        return data[eaten:]

    def _feed_body(self) -> None:
        """Gives the buffer's share to the body that is being read, or throws it away when nobody wants it."""
        framing = self._framing
        if framing is None:
            return
        try:
            data = framing.feed(self._buffer)
        except MalformedBody as error:
            if self._body is not None:
                self._body.end(error)
                self._framing = None
                self._closing = True
            else:
                self._refuse(error)
            return
        if self._body is not None:
            self._body.push(data)
        elif self._collected is not None:
            self._gather(data)
        else:
            self._discard(len(data))
        if framing.ended and self._framing is framing:
            self._framing = None
            self._body_ended()

    def lend(self, arrived: bytes) -> Upload:
        """`Body.lend`: from here on another process reads the socket."""
        assert self._framing is not None
        self._transport.pause_reading()
        self._lent = True
        note_fd = os.memfd_create("upload", os.MFD_CLOEXEC)
        write_note(note_fd, Note(self._framing, arrived, bytes(self._buffer)))
        self._buffer.clear()
        return Upload(os.dup(self._transport.get_extra_info("socket").fileno()), note_fd)

    def take_back(self, upload: Upload) -> None:
        """Goes on where the other process stopped; where that is unknown, the connection ends behind its answer."""
        self._lent = False
        note = take_note(upload.note_fd)
        if note is None or note.lost:
            with suppress(OSError):  # whoever may be reading still meets an end
                self._transport.get_extra_info("socket").shutdown(socket.SHUT_RD)
            self._closing = True
            self._lose_body()
            return
        self._framing = note.framing
        self._buffer[:0] = note.raw
        self._feed_body()

    def _gather(self, data: bytes) -> None:
        assert self._collected is not None and self._exchange is not None
        self._collected.append(data)
        self._collected_bytes += len(data)
        if self._collected_bytes > self._exchange.body_limit:
            self._collected = None
            self._discarded = 0
            self._send(self._too_large())

    def _discard(self, count: int) -> None:
        self._discarded += count
        if self._discarded > _DISCARD_BYTES:
            self._framing = None
            self._transport.abort()

    def _body_ended(self) -> None:
        if self._body is not None:
            self._body.end()
            self._body = None
        elif self._collected is not None:
            assert self._request is not None
            self._request.body = b"".join(self._collected)
            self._collected = None
            self._run()
        elif self._exchange is None and self.task is None:
            self._finish()

    def _lose_body(self) -> None:
        self._framing = None
        if self._body is not None:
            self._body.end(BodyLost("client went away"))
            self._body = None
        elif self._collected is not None or self.task is None:
            self._collected = None
            self._request = None

    # -- it is answered -------------------------------------------------------------------------------

    def _run(self) -> None:
        assert self._request is not None and self._exchange is not None
        try:
            result = self._exchange.run(self._request)
        except Exception as error:
            result = self._app.failure(self._request, error)
        if isinstance(result, Reply):
            self._send(result)
        else:
            self.task = self._loop.create_task(self._answer(result))
            self.task.add_done_callback(self._task_ended)

    async def _answer(self, result: Answer | Awaitable[Answer]) -> None:
        assert self._request is not None
        if isinstance(result, Awaitable):
            try:
                result = await result
            except Exception as error:
                result = self._app.failure(self._request, error)
        if self._transport.is_closing() and isinstance(result, Reply | Hijack):
            return
        if isinstance(result, Reply):
            self._send(result)
        elif isinstance(result, Hijack):
            await self._hand_over(result)
        else:
            await self._send_as_it_comes(result)

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        self.task = None
        if not task.cancelled() and task.exception() is not None:
            log.error("answering failed", exc_info=task.exception())
            self._transport.abort()
        if self._transport.is_closing() or task.cancelled():
            self._transport.close()
            self._connections.discard(self)
            return
        self._finish()
        self._advance()

    def _send(self, reply: Reply) -> None:
        """Sends a whole reply; without a task the next request follows now, with one when the task has ended."""
        self._write_reply(reply)
        self._exchange = None
        if self.task is None:
            self._finish()

    def _write_reply(self, reply: Reply) -> None:
        assert self._request is not None
        head = self._request.head
        if head.expects_continue and not self._continued:
            # The client was never told to send its body, so it may or may not: only closing is unambiguous.
            head.keep_alive = False
            self._framing = None
        self._sender.reply(reply, with_body=head.method != "HEAD", close=not self._keeps_alive(head))
        self._log(reply.status)

    async def _send_as_it_comes(self, answer: Stream | Download) -> None:
        assert self._request is not None
        head = self._request.head
        close = not self._keeps_alive(head)
        self._log(answer.status)
        if isinstance(answer, Stream):
            await self._sender.stream(answer, head, close=close)
        else:
            await self._sender.download(answer, head, close=close)
        self._exchange = None

    async def _hand_over(self, hijack: Hijack) -> None:
        assert self._request is not None
        self._transport.pause_reading()
        self._cancel_timers()
        upgrade = self._request.head.upgrade
        self._log(101 if upgrade else 200)
        self._closing = True
        await self._sender.hand_over(hijack, upgrade, bytes(self._buffer))

    # -- and it ends ----------------------------------------------------------------------------------

    def _finish(self) -> None:
        """After a reply: the next request, or the end of the connection."""
        request = self._request
        if request is None:
            return
        if self._framing is not None:
            # The client still sends its body: throw it away first, else closing would reset its reading.
            self._discarded = 0
            self._collected = None
            if self._body is not None:
                self._body.close()
                self._body = None
            if not self._eof:
                self._transport.resume_reading()
            return
        keep = self._keeps_alive(request.head)
        self._request = None
        self._exchange = None
        self._body = None
        if not keep:
            self.close()
        else:
            self._resume_reading()

    def _keeps_alive(self, head: Head) -> bool:
        return head.keep_alive and not self._eof and not self._closing

    def _resume_reading(self) -> None:
        if not self._eof and not self._lent and not self._transport.is_closing():
            self._transport.resume_reading()

    def _watch_hangup(self) -> None:
        """After a half-close asyncio looks at the socket no more: see from time to time whether all of it is gone."""
        self._hangup_timer = None
        if self._request is None or self._closing:
            return
        if hung_up(self._transport.get_extra_info("socket")):
            self._transport.abort()
            return
        self._hangup_timer = self._loop.call_later(_HANGUP_POLL_S, self._watch_hangup)

    def _cancel_timers(self) -> None:
        for timer in (self._head_timer, self._hangup_timer):
            if timer is not None:
                timer.cancel()
        self._head_timer = self._hangup_timer = None

    def _peer(self) -> Peer:
        sock = cast(socket.socket | None, self._transport.get_extra_info("socket"))
        if sock is None or sock.family != socket.AF_UNIX:
            return Peer()
        return parse_peer(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))

    def _log(self, status: int) -> None:
        """Paths only: queries and headers may hold what is nobody's business."""
        if log.isEnabledFor(logging.DEBUG) and self._request is not None:
            took_ms = (time.perf_counter() - self._started) * 1e3
            log.debug("%s %s %d %.2f ms", self._request.head.method, self._request.path, status, took_ms)
