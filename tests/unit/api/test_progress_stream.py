"""Progress streams."""

import asyncio
import json

import pytest

from hakobu.api.progress import progress_stream
from hakobu.errors import Invalid


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
