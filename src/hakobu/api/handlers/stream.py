"""What streams from a container: logs, wait, stats."""

from collections.abc import AsyncIterator
from typing import Any, Literal

from hakobu.api import query, reply
from hakobu.api.http.exchange import Answer, Request, Stream
from hakobu.api.render.stats import stats as render_stats
from hakobu.api.route import Route
from hakobu.engine.containers import LogsNotReadable
from hakobu.engine.logs import drivers
from hakobu.engine.services import LogQuery, Services, Waiting
from hakobu.errors import Invalid
from hakobu.spec.container import Status
from hakobu.wire.version import MULTIPLEXED_CONTENT_TYPE, ApiVersion

RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED_STREAM = "application/vnd.docker.multiplexed-stream"

WAIT_CONDITION_SINCE = ApiVersion(1, 30)


def stream_type(version: ApiVersion, *, tty: bool) -> str:
    """How the client is told whether frames come: from 1.42 on by the content type."""
    return MULTIPLEXED_STREAM if not tty and version >= MULTIPLEXED_CONTENT_TYPE else RAW_STREAM


def logs(services: Services, request: Request) -> Answer:
    container = services.containers.get(request.params[0])
    wanted = LogQuery(
        stdout=query.flag(request, "stdout"),
        stderr=query.flag(request, "stderr"),
        follow=query.flag(request, "follow"),
        since_ns=query.time_ns(request, "since"),
        until_ns=query.time_ns(request, "until"),
        tail=_tail(query.text(request, "tail")),
        timestamps=query.flag(request, "timestamps"),
        details=query.flag(request, "details"),
    )
    if not (wanted.stdout or wanted.stderr):
        raise Invalid("Bad parameters: you must choose at least one stream")
    if not drivers.is_readable(container.spec.log):
        raise LogsNotReadable(container.spec.log.driver)
    chunks = services.containers.logs(container.id, wanted)
    return Stream(chunks, stream_type(request.version, tty=container.spec.tty))


def _tail(text: str) -> int:
    """A number of lines; `all`, and anything that is not a number, mean all of them."""
    return int(text) if text.isascii() and text.isdigit() else -1


async def wait(services: Services, request: Request) -> Answer:
    waiting = await services.containers.wait(request.params[0], _condition(request))
    return reply.lines(_wait_result(waiting))


def _condition(request: Request) -> Literal["not-running", "next-exit", "removed"]:
    text = query.text(request, "condition") if request.version >= WAIT_CONDITION_SINCE else ""
    match text:
        case "":
            return "not-running"
        case "not-running" | "next-exit" | "removed":
            return text
        case _:
            raise Invalid(f'invalid condition: "{text}"', field="condition")


async def _wait_result(waiting: Waiting) -> AsyncIterator[dict[str, Any]]:
    """One line, when it has come; the head went out before, so that the client may start the container."""
    code, error = await waiting.result()
    yield {"StatusCode": code, "Error": {"Message": error}} if error else {"StatusCode": code}


async def stats(services: Services, request: Request) -> Answer:
    container = services.containers.get(request.params[0])
    stream = query.flag(request, "stream", default=True)
    one_shot = query.flag(request, "one-shot")
    if stream and one_shot:
        raise Invalid("cannot have stream=true and one-shot=true", field="one-shot")
    if not stream and container.state.status not in (Status.RUNNING, Status.PAUSED):
        return reply.json(render_stats(container, None, None))
    samples = services.containers.stats(container.id, stream=stream, one_shot=one_shot)
    if not stream:
        async for before, now in samples:
            return reply.json(render_stats(container, before, now))
        return reply.json(render_stats(container, None, None))
    return reply.lines(_stats_lines(services, container.id, samples))


async def _stats_lines(
    services: Services, container_id: str, samples: AsyncIterator[tuple[Any, Any]]
) -> AsyncIterator[dict[str, Any]]:
    async for before, now in samples:
        yield render_stats(services.containers.get(container_id), before, now)


ROUTES = (
    Route("GET", "/containers/{}/logs", logs),
    Route("POST", "/containers/{}/wait", wait),
    Route("GET", "/containers/{}/stats", stats),
)
