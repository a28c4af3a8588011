"""Attach: the connection goes to the container's shim, as it is, or behind a websocket's frames."""

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

from hakobu.api import query
from hakobu.api.handlers.stream import stream_type
from hakobu.api.http.exchange import Answer, Hijack, Request, Takeover
from hakobu.api.route import Route
from hakobu.engine.services import LogQuery, Services
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.spec.container import Container, Status
from hakobu.spec.plan import Attachment
from hakobu.wire.version import BINARY_WEBSOCKET

FRAME_HEADER_BYTES = 8


class PausedContainer(HakobuError):
    kind = Kind.CONFLICT

    def __init__(self, container_id: str) -> None:
        super().__init__(f"Container {container_id} is paused, unpause the container before attach")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the client asked for; raises when that is nothing."""

    container: Container
    stdin: bool
    stdout: bool
    stderr: bool
    stream: bool
    logs: bool
    detach_keys: bytes

    def attachment(self, fd: int, *, framed: bool | None = None, already_read: bytes = b"") -> Attachment:
        return Attachment(
            fd=fd,
            stdin=self.stdin and self.stream and self.container.spec.open_stdin,
            stdout=self.stdout,
            stderr=self.stderr,
            stream=self.stream,
            replay_log=self.logs,
            already_read=already_read,
            detach_keys=self.detach_keys,
            framed=framed,
        )

    def kept(self, services: Services) -> AsyncIterator[bytes]:
        """Only the log: it comes from the file, so that it needs no shim and ends at its end."""
        return services.containers.logs(self.container.id, LogQuery(stdout=self.stdout, stderr=self.stderr))


def _wanted(services: Services, request: Request) -> _Wanted:
    container = services.containers.get(request.params[0])
    keys = query.detach_keys(query.text(request, "detachKeys"))
    if container.state.status is Status.PAUSED:
        raise PausedContainer(container.id)
    stdin, stdout, stderr = (query.flag(request, name) for name in ("stdin", "stdout", "stderr"))
    stream, logs = query.flag(request, "stream"), query.flag(request, "logs")
    if not (stream or logs):
        raise Invalid("Bad parameters: you must choose at least one stream or log")
    return _Wanted(container, stdin, stdout, stderr, stream, logs, keys)


def attach(services: Services, request: Request) -> Answer:
    wanted = _wanted(services, request)

    async def replay(takeover: Takeover) -> None:
        async for chunk in wanted.kept(services):
            takeover.write(chunk)
            await takeover.drain()

    async def take(takeover: Takeover) -> None:
        attachment = wanted.attachment(takeover.dup(), already_read=takeover.already_read)
        await services.containers.attach(wanted.container.id, attachment)

    content_type = stream_type(request.version, tty=wanted.container.spec.tty)
    return Hijack(take if wanted.stream else replay, content_type)


def attach_websocket(services: Services, request: Request) -> Answer:
    """The streams' bytes as messages, without Docker's frames: stdout and stderr are one, as with a terminal."""
    from hakobu.api import websocket  # few clients ask for it

    wanted = _wanted(services, request)
    headers = websocket.accept(request)
    text = request.version < BINARY_WEBSOCKET

    async def take(takeover: Takeover) -> None:
        inner, shims = socket.socketpair()
        inner.setblocking(False)
        bridge = websocket.Bridge(takeover, inner, text=text)
        if wanted.stream:
            await services.containers.attach(wanted.container.id, wanted.attachment(shims.detach(), framed=False))
            await bridge.run()
        else:
            shims.close()
            await bridge.replay(_unframed(wanted.kept(services), framed=not wanted.container.spec.tty))

    return Hijack(take, "", headers)


async def _unframed(chunks: AsyncIterator[bytes], *, framed: bool) -> AsyncIterator[bytes]:
    """The payload of whole frames; a log's chunks always end with a frame."""
    async for chunk in chunks:
        if not framed:
            yield chunk
            continue
        position = 0
        while position < len(chunk):
            start = position + FRAME_HEADER_BYTES
            position = start + int.from_bytes(chunk[start - 4 : start], "big")
            yield chunk[start:position]


ROUTES = (
    Route("POST", "/containers/{}/attach", attach),
    Route("GET", "/containers/{}/attach/ws", attach_websocket),
)
