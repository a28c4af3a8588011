"""`/hakobu/v1/sockets`: sockets of this engine that may do only what their policies say."""

from http import HTTPStatus
from typing import Any

from hakobu.api import reply
from hakobu.api.decode import check_json
from hakobu.api.http.exchange import Reply, Request
from hakobu.api.route import Route
from hakobu.api.time import rfc3339_nano
from hakobu.engine.services import ScopedSocket, Services
from hakobu.spec.bounded import load_json
from hakobu.spec.policy import parse_policy


async def create(services: Services, request: Request) -> Reply:
    check_json(request)
    made = await services.sockets.create(parse_policy(load_json(request.body, what="policy")))
    return reply.json(render(made), HTTPStatus.CREATED)


def list_(services: Services, request: Request) -> Reply:
    return reply.json([render(socket) for socket in services.sockets.list()])


def inspect(services: Services, request: Request) -> Reply:
    return reply.json(render(services.sockets.get(request.params[0])))


async def remove(services: Services, request: Request) -> Reply:
    await services.sockets.remove(request.params[0])
    return reply.nothing()


def render(socket: ScopedSocket) -> dict[str, Any]:
    value = {
        "Name": socket.policy.name,
        "Path": socket.path,
        "Created": rfc3339_nano(socket.created_ns),
        "Policy": socket.policy.to_json(),
    }
    return {**value, "Problem": socket.problem} if socket.problem else value


ROUTES = (
    Route("GET", "/hakobu/v1/sockets", list_),
    Route("POST", "/hakobu/v1/sockets/create", create),
    Route("GET", "/hakobu/v1/sockets/{}", inspect),
    Route("DELETE", "/hakobu/v1/sockets/{}", remove),
)
