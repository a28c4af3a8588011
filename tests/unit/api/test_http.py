"""The HTTP layer on a socket pair: framing, limits, order, back-pressure, hijacking. No engine."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from unittest.mock import ANY

import pytest

from hakobu.api import status
from hakobu.api.http.connection import Connection
from hakobu.api.http.exchange import Answer, Download, Exchange, Hijack, Reply, Request, Stream, Takeover
from hakobu.api.http.response import Heads
from hakobu.api.transfer import with_upload
from hakobu.spec.download import Outlet
from hakobu.spec.upload import Upload
from hakobu.store.worker.feed import Feed
from hakobu.store.worker.sink import Sink


class Echo:
    """An application of a few paths; each shows one way of answering."""

    heads = Heads((("Server", "test"),))

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self.taken: list[bytes] = []

    def exchange(self, request: Request) -> Exchange | Reply:
        match request.path:
            case "/sync":
                return Exchange(lambda r: Reply(200, r.head.target.encode()), 100)
            case "/slow":
                return Exchange(self._slow, 100)
            case "/upload":
                return Exchange(self._upload, streams_body=True)
            case "/lent" | "/lent-in-part":
                return Exchange(self._lent, streams_body=True)
            case "/download" | "/download-breaks" | "/download-endless":
                return Exchange(lambda r: Download(self._writer(r.path), self.closed.set, "application/x-tar"))
            case "/deaf":
                return Exchange(lambda r: Reply(409, b"no"), streams_body=True)
            case "/ticks":
                return Exchange(lambda r: Stream(self._ticks()))
            case "/flood":
                return Exchange(lambda r: Stream(self._flood()))
            case "/hijack":
                return Exchange(lambda r: Hijack(self._take, "application/vnd.docker.raw-stream"), 100)
            case "/boom":
                return Exchange(self._boom)
        return status.message(404, "page not found")

    def failure(self, request: Request | None, error: Exception) -> Reply:
        return status.failure(error)

    async def _slow(self, request: Request) -> Answer:
        await asyncio.sleep(0.01)
        return Reply(200, request.body or b"slow")

    async def _upload(self, request: Request) -> Answer:
        size = 0
        while request.stream is not None and (data := await request.stream.read()):
            size += len(data)
            await asyncio.sleep(0)
        return Reply(200, str(size).encode())

    async def _lent(self, request: Request) -> Answer:
        """The body is read from the socket by another, as a worker does."""

        def read(upload: Upload) -> int:
            with closing(Feed(*upload.fds)) as feed:
                blocks = iter(feed)
                if request.path == "/lent-in-part":
                    return len(next(blocks))
                return sum(map(len, blocks))

        size = await with_upload(request.stream, lambda upload: asyncio.to_thread(read, upload))
        return Reply(200, str(size).encode())

    def _writer(self, path: str) -> Callable[[Outlet], Awaitable[None]]:
        """Writes to the socket as a worker does."""

        def write(outlet: Outlet) -> None:
            with closing(Sink(outlet.fd, chunked=outlet.chunked)) as sink:
                sink.write(b"head")
                while path == "/download-endless":
                    sink.write(b"x" * 65536)
                sink.write(b"y" * 3_000_000)
                if path == "/download-breaks":
                    sink.flush()
                    raise OSError("disk is on fire")

        async def send(outlet: Outlet) -> None:
            await asyncio.to_thread(write, outlet)

        return send

    def _boom(self, request: Request) -> Answer:
        raise status.BadRequest(418, "teapot")

    async def _ticks(self) -> AsyncIterator[bytes]:
        try:
            yield b"one"
            await asyncio.sleep(0.01)
            yield b"two"
        finally:
            self.closed.set()

    async def _flood(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            self.closed.set()

    async def _take(self, takeover: Takeover) -> None:
        self.taken.append(takeover.already_read)
        fd = takeover.dup()
        asyncio.get_running_loop().call_later(0.02, self._serve_taken, fd)

    def _serve_taken(self, fd: int) -> None:
        with socket.socket(fileno=fd) as ours:
            ours.setblocking(True)
            data = b""
            while part := ours.recv(100):
                data += part
            ours.sendall(b"got:" + data)


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def reply(self) -> tuple[int, dict[str, str], bytes]:
        raw = await self.reader.readuntil(b"\r\n\r\n")
        first, *rest = raw.decode().strip().split("\r\n")
        code = int(first.split()[1])
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in rest)}
        if "content-length" in headers:
            return code, headers, await self.reader.readexactly(int(headers["content-length"]))
        body = b""
        while headers.get("transfer-encoding") == "chunked":
            size = int(await self.reader.readline(), 16)
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
            if size == 0:
                break
        return code, headers, body


@asynccontextmanager
async def connected(app: Echo) -> AsyncIterator[Client]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    connections: set[Connection] = set()
    await asyncio.get_running_loop().connect_accepted_socket(lambda: Connection(app, connections), ours)
    reader, writer = await asyncio.open_unix_connection(sock=theirs)
    try:
        yield Client(reader, writer)
    finally:
        for connection in list(connections):
            await connection.end()
        writer.close()
        await asyncio.sleep(0)


def run(scenario):
    """Runs an async scenario with a client; everything is closed afterwards."""

    async def go():
        app = Echo()
        async with connected(app) as client:
            await asyncio.wait_for(scenario(client, app), 20)

    asyncio.run(go())


def test_keep_alive_and_pipelining_keep_their_order():
    async def scenario(client, app):
        client.send(b"GET /slow HTTP/1.1\r\n\r\nGET /sync?a HTTP/1.1\r\n\r\nGET /nowhere HTTP/1.1\r\n\r\n")
        assert (await client.reply())[2] == b"slow"
        assert (await client.reply())[2] == b"/sync?a"
        assert (await client.reply())[0] == 404

    run(scenario)


def test_a_head_that_comes_in_pieces():
    async def scenario(client, app):
        for byte in b"GET /sync HTTP/1.1\r\nHost: x\r\n\r\n":
            client.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await client.reply())[2] == b"/sync"

    run(scenario)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"POST /slow HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc", 400),
        (b"POST /slow HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
        (b"POST /slow HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
        (b"POST /slow HTTP/1.1\r\nContent-Length: -3\r\n\r\n", 400),
        (b"POST /slow HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"POST /slow HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /slow HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", 400),
        (b"POST /slow HTTP/1.1\r\nContent-Length: 1000\r\n\r\n" + b"a" * 1000, 413),
        (b"GET / HTTP/1.1\nHost: x\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\n", 400),
        (b"GET /%s HTTP/1.1\r\n\r\n" % (b"a" * 70000), 414),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 1001 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * (1 << 20) + b"\r\n\r\n", 431),
        (b"GET /slow HTTP/1.1\r\nExpect: tea\r\n\r\n", 417),
        (b"GET /boom HTTP/1.1\r\n\r\n", 418),
    ],
)
def test_what_is_refused(raw, code):
    async def scenario(client, app):
        client.send(raw)
        assert (await client.reply())[0] == code

    run(scenario)


def test_chunked_body_is_collected_and_the_next_request_is_found():
    async def scenario(client, app):
        client.send(
            b"POST /slow HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n"
            b"0\r\nTrailer: 1\r\n\r\n"
            b"GET /sync HTTP/1.1\r\n\r\n"
        )
        assert (await client.reply())[2] == b"abcde"
        assert (await client.reply())[2] == b"/sync"

    run(scenario)


def test_a_streamed_body_has_back_pressure_and_all_of_it_arrives():
    async def scenario(client, app):
        client.send(b"POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            client.send(b"10000\r\n" + b"z" * 65536 + b"\r\n")
            await client.writer.drain()
        client.send(b"0\r\n\r\nGET /sync HTTP/1.1\r\n\r\n")
        assert (await client.reply())[2] == b"6553600"
        assert (await client.reply())[2] == b"/sync"

    run(scenario)


LENT = b"POST /lent HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"8000\r\n" + b"z" * 0x8000 + b"\r\n"
NEXT = b"GET /sync HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("pause", [False, True])
def test_a_body_that_another_process_reads_and_the_request_behind_it(pause: bool):
    async def go():
        async with connected(Echo()) as client:
            client.send(LENT + CHUNK * 3 + CHUNK[:100])
            if pause:  # what comes from here on the connection itself never sees
                await asyncio.sleep(0.05)
            client.send(CHUNK[100:] + CHUNK * 200 + b"0\r\n\r\n" + NEXT)
            assert await client.reply() == (200, ANY, b"%d" % (204 * 0x8000))
            assert await client.reply() == (200, ANY, b"/sync")
            client.send(b"POST /lent HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" + b"y" * 3_000_000 + NEXT)
            assert await client.reply() == (200, ANY, b"3000000")
            assert await client.reply() == (200, ANY, b"/sync")
            client.send(b"POST /lent HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" + NEXT)
            assert await client.reply() == (200, ANY, b"0")
            assert await client.reply() == (200, ANY, b"/sync")

    asyncio.run(go())


def test_a_download_is_written_by_another_and_the_connection_goes_on():
    async def scenario(client, app):
        client.send(b"GET /download HTTP/1.1\r\n\r\n" + NEXT)
        code, headers, body = await client.reply()
        assert (code, headers["content-type"], body) == (200, "application/x-tar", b"head" + b"y" * 3_000_000)
        assert app.closed.is_set()
        assert (await client.reply())[2] == b"/sync"

    run(scenario)


def test_a_download_for_an_old_client_ends_with_the_connection():
    async def scenario(client, app):
        client.send(b"GET /download HTTP/1.0\r\n\r\n")
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        assert await client.reader.read() == b"head" + b"y" * 3_000_000

    run(scenario)


def test_a_download_that_breaks_off_has_no_end():
    async def scenario(client, app):
        client.send(b"GET /download-breaks HTTP/1.1\r\n\r\n")
        raw = await client.reader.read()
        assert raw.endswith(b"y\r\n") and b"head" in raw
        assert app.closed.is_set()

    run(scenario)


def test_a_client_that_leaves_ends_a_download():
    async def scenario(client, app):
        client.send(b"GET /download-endless HTTP/1.1\r\n\r\n")
        await client.reader.readexactly(1_000_000)
        client.writer.close()
        await app.closed.wait()

    run(scenario)


def test_the_end_of_the_server_ends_a_download_that_nobody_reads():
    async def go():
        app = Echo()
        async with connected(app) as client:
            client.send(b"GET /download-endless HTTP/1.1\r\n\r\n")
            await client.reader.readexactly(1_000_000)
        await asyncio.wait_for(app.closed.wait(), 20)

    asyncio.run(go())


def test_a_lent_body_that_is_not_read_to_its_end_is_thrown_away():
    async def go():
        async with connected(Echo()) as client:
            client.send(LENT.replace(b"/lent", b"/lent-in-part") + CHUNK * 300)
            code, _, size = await client.reply()
            assert code == 200
            assert 0 < int(size) < 300 * 0x8000
            client.send(CHUNK * 20 + b"0\r\n\r\n" + NEXT)
            assert await client.reply() == (200, ANY, b"/sync")

    asyncio.run(go())


@pytest.mark.parametrize("end", [b"8000\r\nz", b"nonsense\r\n", b"3\r\nabcd\r\n"])
def test_a_lent_body_that_breaks_off_ends_the_connection_behind_its_answer(end: bytes):
    async def go():
        async with connected(Echo()) as client:
            client.send(LENT + CHUNK * 3)
            await asyncio.sleep(0.05)
            client.send(end)
            if end.startswith(b"8000"):
                client.writer.write_eof()
            code, headers, body = await client.reply()
            assert (code, headers["connection"]) == (400, "close")
            assert b"went away" in body or b"malformed chunk" in body
            assert await client.reader.read() == b""

    asyncio.run(go())


def test_a_body_that_nobody_reads_is_thrown_away_and_the_connection_goes_on():
    async def scenario(client, app):
        client.send(b"POST /deaf HTTP/1.1\r\nContent-Length: 200000\r\n\r\n" + b"q" * 200000)
        assert (await client.reply())[0] == 409
        client.send(b"GET /sync HTTP/1.1\r\n\r\n")
        assert (await client.reply())[2] == b"/sync"

    run(scenario)


def test_expect_continue_is_answered_when_the_body_is_wanted():
    async def scenario(client, app):
        client.send(b"POST /slow HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        client.send(b"hi")
        assert (await client.reply())[2] == b"hi"
        client.send(b"POST /deaf HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        code, headers, _ = await client.reply()
        assert (code, headers["connection"]) == (409, "close")

    run(scenario)


def test_head_has_the_length_but_no_body():
    async def scenario(client, app):
        client.send(b"HEAD /sync HTTP/1.1\r\n\r\n")
        raw = await client.reader.readuntil(b"\r\n\r\n")
        assert b"Content-Length: 5" in raw
        client.send(b"GET /slow HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert (await client.reply())[1]["connection"] == "close"
        assert await client.reader.read() == b""

    run(scenario)


def test_http_1_0_gets_a_stream_up_to_the_end_of_the_connection():
    async def scenario(client, app):
        client.send(b"GET /ticks HTTP/1.0\r\n\r\n")
        head, _, body = (await client.reader.read()).partition(b"\r\n\r\n")
        assert body == b"onetwo" and b"chunked" not in head

    run(scenario)


def test_a_half_closed_client_still_gets_its_answer():
    async def scenario(client, app):
        client.send(b"GET /ticks HTTP/1.1\r\n\r\n")
        client.writer.write_eof()
        assert (await client.reply())[2] == b"onetwo"
        assert await client.reader.read() == b""

    run(scenario)


def test_a_client_that_leaves_ends_its_stream():
    async def scenario(client, app):
        client.send(b"GET /flood HTTP/1.1\r\n\r\n")
        await client.reader.read(10)
        client.writer.transport.abort()
        await app.closed.wait()

    run(scenario)


@pytest.mark.parametrize("upgrade", [True, False])
def test_hijack_hands_over_the_bytes_behind_the_request_and_half_close(upgrade):
    async def scenario(client, app):
        wish = b"Connection: Upgrade\r\nUpgrade: tcp\r\n" if upgrade else b""
        client.send(b"POST /hijack HTTP/1.1\r\n" + wish + b"Content-Length: 2\r\n\r\n{}early")
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n") is upgrade
        assert b"Content-Type: application/vnd.docker.raw-stream\r\n" in head
        client.send(b" late")
        client.writer.write_eof()
        assert await client.reader.read() == b"got: late"
        assert app.taken == [b"early"]

    run(scenario)
