"""Progress streams: an operation that reports as it goes, as Docker's JSON lines.

What fails before the first message is an ordinary error with its status. Once the stream has begun, the status
is out, and the failure becomes the stream's last line.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from hakobu.api.http.exchange import Stream
from hakobu.api.reply import encode_line
from hakobu.engine.services import Progress
from hakobu.errors import HakobuError
from hakobu.spec.step import Json


async def progress_stream(operation: Callable[[Progress], Awaitable[None]], *, always: bool = False) -> Stream:
    """Starts `operation` with a function that takes messages; returns when there is something to say.

    With `always` a failure is a line of the stream even where nothing came before it: so Docker answers a load.
    """
    messages: asyncio.Queue[dict[str, Json] | None] = asyncio.Queue()

    async def run() -> None:
        try:
            await operation(messages.put_nowait)
        finally:
            messages.put_nowait(None)

    task = asyncio.ensure_future(run())
    try:
        first = await messages.get()
    except BaseException:
        task.cancel()
        raise
    if first is None and not always:
        await task
    return Stream(_lines(task, messages, first))


async def _lines(
    task: "asyncio.Future[None]", messages: "asyncio.Queue[dict[str, Json] | None]", first: dict[str, Json] | None
) -> AsyncIterator[bytes]:
    message = first
    try:
        while message is not None:
            yield encode_line(message)
            message = await messages.get()
        try:
            await task
        except Exception as error:
            yield encode_line(error_line(error))
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])


def error_line(error: Exception) -> dict[str, Any]:
    text = error.message if isinstance(error, HakobuError) else f"{type(error).__name__}: {error}"
    hint = {"hint": error.hint} if isinstance(error, HakobuError) and error.hint else {}
    return {"errorDetail": {"message": text, **hint}, "error": text}
