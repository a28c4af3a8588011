"""A log as an asynchronous stream: what is there, then, when asked, what comes.

A follower waits on inotify, not on a clock; it goes with the file through rotations and ends once the
container has ended and everything was read.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict

from hakobu.engine.logs.files import total_bytes
from hakobu.engine.logs.lines import Past, renderer
from hakobu.engine.logs.scan import Scan
from hakobu.engine.services import LogQuery
from hakobu.errors import HakobuError
from hakobu.kernel.inotify import Watch

SMALL_BYTES = 512 << 10
_CHUNK = 1 << 18


class LogReaderFailed(HakobuError):
    """The process that scans large logs ended without saying where it stopped: what was sent is not all."""

    def __init__(self, path: str) -> None:
        super().__init__(f"reading the log {path} ended too early", hint="the daemon's log has the reader's last words")


async def stream(path: str, query: LogQuery, framed: bool, ended: Callable[[], bool]) -> AsyncIterator[bytes]:
    """`ended` says whether the container's current run is over (no further line will come)."""
    if not query.follow:
        async for chunk in _present(path, query, framed, {}):
            yield chunk
        return
    where: dict[str, int] = {}
    with Watch(os.path.dirname(path)) as watch:
        async for chunk in _present(path, query, framed, where):
            yield chunk
        if where.get("past"):
            return
        async for chunk in _follow(path, query, framed, ended, where, watch):
            yield chunk


async def _present(path: str, query: LogQuery, framed: bool, where: dict[str, int]) -> AsyncIterator[bytes]:
    bounded = 0 <= query.tail <= 10_000
    if bounded or total_bytes(path) <= SMALL_BYTES:
        scan = Scan(path, query, framed)
        for chunk in await asyncio.to_thread(list, scan):
            yield chunk
        where |= {"end": scan.end, "inode": scan.inode, "past": int(scan.past)}
        return
    async for chunk in _by_process(path, query, framed, where):
        yield chunk


async def _by_process(path: str, query: LogQuery, framed: bool, where: dict[str, int]) -> AsyncIterator[bytes]:
    request = json.dumps({"path": path, "framed": framed, "query": asdict(query)}).encode()
    in_read, in_write = os.pipe()
    out_read, out_write = os.pipe()
    end_read, end_write = os.pipe()
    try:
        pid = _spawn(in_read, out_write, end_write)
    finally:
        for fd in (in_read, out_write, end_write):
            os.close(fd)
    os.write(in_write, request)
    os.close(in_write)
    loop = asyncio.get_running_loop()
    try:
        async for chunk in _chunks(out_read):
            yield chunk
        said = await loop.run_in_executor(None, os.read, end_read, 4096)
        if not said:
            raise LogReaderFailed(path)
        where |= {k: int(v) for k, v in json.loads(said).items()}
    finally:
        os.close(out_read)
        os.close(end_read)
        await asyncio.shield(loop.run_in_executor(None, os.waitpid, pid, 0))


def _spawn(in_fd: int, out_fd: int, end_fd: int) -> int:
    """Absolute path, empty environment, no descriptor but the three."""
    actions = [
        (os.POSIX_SPAWN_DUP2, in_fd, 0),
        (os.POSIX_SPAWN_DUP2, out_fd, 1),
        (os.POSIX_SPAWN_DUP2, end_fd, 3),
    ]
    argv = [sys.executable, "-I", "-m", "hakobu.engine.logs.reader"]
    return os.posix_spawn(sys.executable, argv, {}, file_actions=actions)


async def _chunks(fd: int) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)
    while True:
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            ready = loop.create_future()
            loop.add_reader(fd, lambda f=ready: f.done() or f.set_result(None))
            try:
                await ready
            finally:
                loop.remove_reader(fd)
            continue
        if not data:
            return
        yield data


async def _follow(
    path: str,
    query: LogQuery,
    framed: bool,
    ended: Callable[[], bool],
    where: dict[str, int],
    watch: Watch,
) -> AsyncIterator[bytes]:
    render = renderer(query, framed)
    offset, inode = where.get("end", 0), where.get("inode", 0)
    while True:
        over = ended()
        data, offset, inode = await asyncio.to_thread(_grown, path, offset, inode)
        if data:
            try:
                yield render(data)
            except Past as past:
                yield past.before
                return
            continue
        if over:
            return
        await watch.changed(0.5)


def _grown(path: str, offset: int, inode: int) -> tuple[bytes, int, int]:
    """Whole lines behind `offset`; goes on in the new file once the one it was in was rotated and read."""
    for candidate in (path, f"{path}.1"):
        try:
            fd = os.open(candidate, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            if inode and os.fstat(fd).st_ino != inode:
                continue
            if os.fstat(fd).st_size < offset:
                # Cut to nothing, by a rotation that keeps one file or because it was cleared: on from its start.
                offset = 0
            data = os.pread(fd, _CHUNK, offset)
            cut = data.rfind(b"\n") + 1
            if cut or candidate == path:
                return data[:cut], offset + cut, os.fstat(fd).st_ino
        finally:
            os.close(fd)
    return _first_of_new(path, inode)


def _first_of_new(path: str, inode: int) -> tuple[bytes, int, int]:
    try:
        return b"", 0, os.stat(path).st_ino
    except FileNotFoundError:
        return b"", 0, inode
