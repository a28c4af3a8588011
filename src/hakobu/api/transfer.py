"""Bulk bytes between a connection and a descriptor: archives out, archives in, with back-pressure both ways."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from hakobu.api.http.body import Body, BodyLost
from hakobu.engine.services import Archive
from hakobu.spec.upload import Upload

T = TypeVar("T")
_IOV_MAX = 1024

READ_BYTES = 256 << 10
PIPE_BYTES = 1 << 20


async def archive_chunks(archive: Archive) -> AsyncIterator[bytes]:
    """The archive's bytes; closes its descriptor whatever happens, and raises what went wrong in making it."""
    try:
        async for chunk in read_fd(archive.fd):
            yield chunk
        if archive.finish is not None:
            archive.finish()
    finally:
        os.close(archive.fd)


async def read_fd(fd: int) -> AsyncIterator[bytes]:
    """Chunks of a pipe or socket by readiness, of a regular file (which epoll refuses) by a thread."""
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)
    while True:
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            await _ready(fd, loop.add_reader, loop.remove_reader)
            continue
        if not data:
            return
        yield data
        await asyncio.sleep(0)


async def _ready(fd: int, add: Callable[..., object], remove: Callable[[int], object]) -> None:
    waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not waiting.done():
            waiting.set_result(None)

    add(fd, wake)
    try:
        await waiting
    finally:
        remove(fd)


async def with_upload(body: Body | None, consume: Callable[[Upload], Awaitable[T]]) -> T:
    """Runs `consume` with the request's body as something that another process can read.

    A reader that stops early is not an error here: it has answered. A client that leaves before the end is.
    """
    if body is None:
        body = Body(lambda: None, lambda: None, lambda: None)
        body.end()
    upload = body.lend()
    try:
        result = await consume(upload)
    except BaseException:
        with suppress(BodyLost):  # there is something worse to tell
            body.return_(upload)
        raise
    body.return_(upload)
    return result


async def with_body_fd(body: Body | None, consume: Callable[[int], Awaitable[T]]) -> T:
    """Runs `consume` with a descriptor from which it reads the request's body.

    `consume` owns the descriptor. A reader that stops early is not an error here: it has answered. A client that
    leaves ends the pipe early and makes the whole thing fail, after the consumer has seen the end.
    """
    read_fd_, write_fd = os.pipe2(os.O_CLOEXEC)
    with suppress(OSError):
        fcntl.fcntl(write_fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    pump = asyncio.ensure_future(_pump(body, write_fd))
    try:
        result = await consume(read_fd_)
    except BaseException:
        pump.cancel()
        await asyncio.wait([pump])
        if not pump.cancelled():
            pump.exception()
        raise
    if not pump.done():
        pump.cancel()
        await asyncio.wait([pump])
    if not pump.cancelled():
        pump.result()
    return result


async def _pump(body: Body | None, fd: int) -> None:
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)
    try:
        while body is not None and (blocks := await body.blocks()):
            while blocks:
                try:
                    blocks = _behind(blocks, os.writev(fd, blocks[:_IOV_MAX]))
                except BlockingIOError:
                    await _ready(fd, loop.add_writer, loop.remove_writer)
    except BrokenPipeError:
        return
    finally:
        os.close(fd)


def _behind(blocks: list[bytes | memoryview], written: int) -> list[bytes | memoryview]:
    """What is left of the blocks once so many bytes of them have been written."""
    for number, block in enumerate(blocks):
        if written < len(block):
            return [memoryview(block)[written:], *blocks[number + 1 :]]
        written -= len(block)
    return []
