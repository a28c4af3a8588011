"""A proxy before a registry that fails on purpose: it closes, stalls, lies and refuses, a counted number of times.

Speaks just enough HTTP/1.1 for that: one request a connection.
"""

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field


@dataclass
class Faults:
    """Each fault hits requests whose path contains `path`, `times` times after `skip`; `log` keeps request lines."""

    kind: str = ""
    path: str = "/blobs/"
    times: int = 1
    method: str = ""
    skip: int = 0
    stall_bytes: int = 400_000
    log: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def hit(self, path: str, method: str) -> bool:
        if not self.kind or self.path not in path or self.times <= 0 or not method.startswith(self.method):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@contextlib.asynccontextmanager
async def proxy(port: int, faults: Faults) -> AsyncIterator[int]:
    """Gives the port it listens on."""

    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await _handle(reader, writer, port, faults)
        writer.close()
        tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.sleep(0.1)


@contextlib.contextmanager
def proxy_thread(port: int, faults: Faults) -> Iterator[int]:
    """The same beside a test that does not run in a loop itself."""
    ready: concurrent.futures.Future[int] = concurrent.futures.Future()
    loop = asyncio.new_event_loop()
    end = asyncio.Event()

    async def run() -> None:
        async with proxy(port, faults) as found:
            ready.set_result(found)
            await end.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        yield ready.result()
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


async def _handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, faults: Faults) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    faults.log.append((lines[0], headers))
    path = lines[0].split(" ")[1]
    hit = faults.hit(path, lines[0])
    if hit and faults.kind == "429":
        writer.write(
            b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        await writer.drain()
        return
    if hit and faults.kind == "500":
        writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        return
    if hit and faults.kind == "redirect":
        writer.write(f"HTTP/1.1 307 x\r\nLocation: {path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        return
    upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
    kept = [line for line in lines[:-2] if not line.lower().startswith("connection:")]
    upstream_writer.write("\r\n".join([*kept, "Connection: close", "", ""]).encode("latin-1"))
    if hit and faults.kind == "hangup":
        await _hang_up(reader, writer, upstream_writer, kept)
        return
    up = asyncio.create_task(_pump(reader, upstream_writer))
    try:
        answer = await upstream_reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        sent = 0
        while block := await upstream_reader.read(8192):
            if hit and faults.kind == "close" and sent > 10_000:
                writer.transport.abort()
                return
            if hit and faults.kind == "stall" and sent > faults.stall_bytes:
                await asyncio.Event().wait()
            if hit and faults.kind == "lie":
                block = bytes(len(block))
            writer.write(block)
            await writer.drain()
            sent += len(block)
    finally:
        up.cancel()
        upstream_writer.close()


async def _hang_up(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: asyncio.StreamWriter, head: list[str]
) -> None:
    """Lets some of a request's body through; then both sides find the line dead."""
    upstream.write("\r\n".join([*head, "", ""]).encode("latin-1"))
    upstream.write(await reader.readexactly(30_000))
    await upstream.drain()
    writer.transport.abort()
    upstream.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while block := await reader.read(65536):
            writer.write(block)
            await writer.drain()
