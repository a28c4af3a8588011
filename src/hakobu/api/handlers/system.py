"""`/_ping`, `/version`, `/info`, `/auth`, and the prune of a build cache that does not exist."""

from http import HTTPStatus

from hakobu.api import query, reply
from hakobu.api.decode import json_body
from hakobu.api.http.exchange import TEXT_TYPE, Reply, Request
from hakobu.api.render import system as render
from hakobu.api.route import Route
from hakobu.engine.services import Services
from hakobu.wire.system import AuthConfig
from hakobu.wire.version import UNCHANGED_SINCE, fit

_PING = Reply(
    HTTPStatus.OK,
    b"OK",
    TEXT_TYPE,
    (
        ("Builder-Version", "1"),
        ("Swarm", "inactive"),
        ("Cache-Control", "no-cache, no-store, must-revalidate"),
        ("Pragma", "no-cache"),
    ),
)


def ping(services: Services, request: Request) -> Reply:
    return _PING


def version(services: Services, request: Request) -> Reply:
    return reply.json(render.version(services.system.facts()))


def info(services: Services, request: Request) -> Reply:
    value = render.info(services.system.facts())
    fit("info", value, request.version)
    for name in ("ContainerdCommit", "RuncCommit", "InitCommit"):
        fit("commit_id", value[name], request.version)
    return reply.json(value)


async def auth(services: Services, request: Request) -> Reply:
    config = json_body(request, AuthConfig)
    given = {key: value for key, value in config.items() if isinstance(value, str)}
    told, token = await services.registries.authenticate(given)
    return reply.json({"Status": told, "IdentityToken": token})


def build_prune(services: Services, request: Request) -> Reply:
    """`docker system prune` asks for this too. There is no build cache here, so nothing is the whole answer."""
    query.filters(request)
    return reply.json({"CachesDeleted": None, "SpaceReclaimed": 0})


ROUTES = (
    Route("GET", "/_ping", ping, oldest=UNCHANGED_SINCE),
    Route("GET", "/version", version, oldest=UNCHANGED_SINCE),
    Route("GET", "/info", info),
    Route("POST", "/auth", auth),
    Route("POST", "/build/prune", build_prune),
)
