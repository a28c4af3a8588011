"""`/events`: the backlog and what comes, one JSON object a line."""

from collections.abc import AsyncIterator
from typing import Any

from hakobu.api import query, reply
from hakobu.api.http.exchange import Answer, Request
from hakobu.api.render.event import event as render
from hakobu.api.route import Route
from hakobu.engine.services import Services
from hakobu.errors import Invalid
from hakobu.spec.event import Event
from hakobu.wire.version import ApiVersion


def events(services: Services, request: Request) -> Answer:
    since, until = query.time_ns(request, "since"), query.time_ns(request, "until")
    if since and until and until < since:
        raise Invalid("`since` time cannot be after `until` time", field="since")
    found = services.events.subscribe(since_ns=since, until_ns=until, filters=query.filters(request))
    return reply.lines(_rendered(found, request.version))


async def _rendered(found: AsyncIterator[Event], version: ApiVersion) -> AsyncIterator[dict[str, Any]]:
    async for event in found:
        yield render(event, version)


ROUTES = (Route("GET", "/events", events),)
