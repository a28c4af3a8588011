"""Bytes between connections and descriptors, and progress streams."""

import asyncio
import json
import os

import pytest

from hakobu.api.http.body import Body, BodyLost
from hakobu.api.progress import progress_stream
from hakobu.api.transfer import archive_chunks, with_body_fd
from hakobu.engine.services import Archive
from hakobu.errors import HakobuError, Invalid


def body_of(*parts: bytes, error: BaseException | None = None) -> Body:
    body = Body(lambda: None, lambda: None, lambda: None)
    for part in parts:
        body.push(part)
    body.end(error)
    return body


def test_an_archive_is_read_from_a_file_and_closed(tmp_path):
    (tmp_path / "a").write_bytes(b"z" * 700_000)
    fd = os.open(tmp_path / "a", os.O_RDONLY)

    async def go():
        return b"".join([chunk async for chunk in archive_chunks(Archive(fd, None))])

    assert len(asyncio.run(go())) == 700_000
    with pytest.raises(OSError):
        os.fstat(fd)


def test_an_archive_is_read_from_a_pipe_as_it_comes_and_tells_what_went_wrong():
    def finish() -> None:
        raise HakobuError("disk is on fire")

    async def go():
        reading, writing = os.pipe()
        asyncio.get_running_loop().call_later(0.01, os.write, writing, b"late")
        asyncio.get_running_loop().call_later(0.02, os.close, writing)
        seen = []
        with pytest.raises(HakobuError, match="disk is on fire"):
            async for chunk in archive_chunks(Archive(reading, None, finish)):
                seen.append(chunk)
        return seen

    assert asyncio.run(go()) == [b"late"]


async def read_all(fd: int) -> bytes:
    def read() -> bytes:
        with os.fdopen(fd, "rb") as file:
            return file.read()

    return await asyncio.to_thread(read)


def test_a_body_becomes_a_descriptor():
    async def go():
        return await with_body_fd(body_of(b"a" * 3_000_000, b"b"), read_all)

    assert len(asyncio.run(go())) == 3_000_001


def test_a_reader_may_stop_early_and_a_lost_client_is_an_error():
    async def early(fd: int) -> str:
        os.close(fd)
        return "enough"

    async def go():
        assert await with_body_fd(body_of(b"x" * 3_000_000), early) == "enough"
        with pytest.raises(BodyLost):
            await with_body_fd(body_of(b"half", error=BodyLost("gone")), read_all)

    asyncio.run(go())


def test_what_fails_before_the_first_message_is_an_ordinary_error():
    async def operation(progress):
        raise Invalid("no such thing")

    with pytest.raises(Invalid):
        asyncio.run(progress_stream(operation))


def test_what_fails_later_is_the_last_line():
    async def operation(progress):
        progress({"status": "Pulling"})
        await asyncio.sleep(0)
        raise Invalid("digest is wrong")

    async def go():
        stream = await progress_stream(operation)
        return [json.loads(line) async for line in stream.chunks]

    assert asyncio.run(go()) == [
        {"status": "Pulling"},
        {"errorDetail": {"message": "digest is wrong"}, "error": "digest is wrong"},
    ]


def test_leaving_a_progress_stream_ends_the_operation():
    ended = []

    async def operation(progress):
        progress({"status": "begun"})
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def go():
        stream = await progress_stream(operation)
        async for _ in stream.chunks:
            break
        await stream.chunks.aclose()

    asyncio.run(go())
    assert ended == [True]
