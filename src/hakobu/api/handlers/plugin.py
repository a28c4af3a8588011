"""Managed plugins: there are none, and the list says so; to install one is refused by the table of operations."""

from http import HTTPStatus

from hakobu.api import query, reply, status
from hakobu.api.http.exchange import Reply, Request
from hakobu.api.route import Route
from hakobu.engine.services import Services
from hakobu.errors import Invalid

_FILTERS = frozenset({"capability", "enabled"})


def list_(services: Services, request: Request) -> Reply:
    for name in query.filters(request):
        if name not in _FILTERS:
            raise Invalid(f"invalid filter '{name}'", field="filters")
    return reply.json([])


def not_found(services: Services, request: Request) -> Reply:
    return status.message(HTTPStatus.NOT_FOUND, f'plugin "{request.params[0]}" not found')


ROUTES = (
    Route("GET", "/plugins", list_),
    Route("GET", "/plugins/{}/json", not_found),
    Route("DELETE", "/plugins/{}", not_found),
    *(Route("POST", f"/plugins/{{}}/{verb}", not_found) for verb in ("enable", "disable", "upgrade", "push", "set")),
)
