"""Bulk bytes between a client and a worker: archives out, archives in, and not through this process."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from hakobu.api.http.body import Body, BodyLost
from hakobu.api.http.exchange import Download, Headers
from hakobu.engine.services import Archive
from hakobu.spec.upload import Upload

T = TypeVar("T")
_IOV_MAX = 1024

READ_BYTES = 256 << 10
PIPE_BYTES = 1 << 20


def download(archive: Archive, content_type: str, headers: Headers = ()) -> Download:
    return Download(archive.send, archive.close, content_type, headers)


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
