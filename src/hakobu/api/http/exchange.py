"""What passes between the connection and whoever answers: a `Request` in, one of three replies out.

`Reply` is whole, `Stream` is sent as it comes (headers first, before anything is awaited), a `Download`'s body is
written by another process, `Hijack` takes the connection over. A handler never sees the socket but by the last two.
"""

import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs

from hakobu.api.http.body import Body
from hakobu.api.http.head import BadRequest, Head
from hakobu.spec.download import Outlet
from hakobu.wire.version import ANNOUNCED, ApiVersion

Headers = tuple[tuple[str, str], ...]

JSON_TYPE = "application/json"
_MAX_PARAMETERS = 1000
TEXT_TYPE = "text/plain; charset=utf-8"


class Peer(NamedTuple):
    """Who is at the other end of a unix socket, as the kernel says (SO_PEERCRED); -1 where it does not."""

    pid: int = -1
    uid: int = -1
    gid: int = -1


def parse_peer(raw: bytes) -> Peer:
    return Peer(*struct.unpack("3i", raw))


class Request:
    """One request. `body` is whole for ordinary routes; `stream` is set where the route reads it as it comes."""

    __slots__ = ("_query", "body", "head", "params", "path", "peer", "raw_query", "stream", "version")

    def __init__(self, head: Head, path: str, raw_query: str, peer: Callable[[], Peer]) -> None:
        self.head = head
        self.path = path
        self.raw_query = raw_query
        self.peer = peer
        self.params: tuple[str, ...] = ()
        self.version: ApiVersion = ANNOUNCED
        self.body = b""
        self.stream: Body | None = None
        self._query: dict[str, list[str]] | None = None

    @property
    def query(self) -> dict[str, list[str]]:
        if self._query is None:
            try:
                self._query = parse_qs(self.raw_query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
            except ValueError as error:
                raise BadRequest(HTTPStatus.BAD_REQUEST, "too many query parameters") from error
        return self._query

    def header(self, name: str) -> str:
        """A header's value by its lower-case name, empty when it is not there."""
        return self.head.headers.get(name, "")


@dataclass(slots=True)
class Reply:
    """An empty content type sends none, here as in `Hijack`."""

    status: int
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: Headers = ()


@dataclass(slots=True)
class Stream:
    """Chunks are sent as they come; the iterator is closed when the client leaves."""

    chunks: AsyncIterator[bytes]
    content_type: str = JSON_TYPE
    status: int = 200
    headers: Headers = ()


@dataclass(slots=True)
class Download:
    """A body that another process writes to the client's socket; `close` is called once, whatever happens."""

    send: Callable[[Outlet], Awaitable[None]]
    close: Callable[[], None]
    content_type: str
    headers: Headers = ()
    status: int = 200


class Takeover(Protocol):
    """A connection that is being handed over: the 101 (or 200) has been sent, nothing reads it any more."""

    def dup(self) -> int:
        """A new descriptor of the socket (non-blocking), for whom the connection is handed to."""
        ...

    @property
    def already_read(self) -> bytes:
        """What the client sent behind its request and we have read."""
        ...

    def write(self, data: bytes) -> None:
        """Last words on our own side, before it lets go."""
        ...

    async def drain(self) -> None:
        """Waits until the client has taken what was written; raises `ConnectionError` when it is gone."""
        ...


@dataclass(slots=True)
class Hijack:
    """`take` is awaited once the response head is on its way; our side lets go when it returns."""

    take: Callable[[Takeover], Awaitable[None]]
    content_type: str
    headers: Headers = field(default=())


Answer = Reply | Stream | Download | Hijack


@dataclass(slots=True)
class Exchange:
    """How one request is to be answered: how its body is read, and by which function.

    `run` may answer at once (a plain function) or later (a coroutine); the first costs no task.
    """

    run: Callable[[Request], Answer | Awaitable[Answer]]
    body_limit: int = 0
    streams_body: bool = False
