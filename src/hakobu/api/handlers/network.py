"""`/networks`: list, inspect, create, remove, connect, disconnect, prune."""

from http import HTTPStatus

from hakobu.api import query, reply
from hakobu.api.decode import json_body
from hakobu.api.http.exchange import Reply, Request
from hakobu.api.render.network import network as render
from hakobu.api.route import Route
from hakobu.api.translate.endpoint import endpoint
from hakobu.api.translate.network import network_spec
from hakobu.engine.services import Services
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.wire.network import NetworkConnect, NetworkCreate, NetworkDisconnect
from hakobu.wire.version import ApiVersion

LIST_HAS_CONTAINERS_BEFORE = ApiVersion(1, 28)


class NoSuchScope(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, ref: str) -> None:
        super().__init__(f"network {ref} not found")


async def list_(services: Services, request: Request) -> Reply:
    networks = await services.networks.list(query.filters(request))
    detailed = request.version < LIST_HAS_CONTAINERS_BEFORE
    return reply.json(
        [render(n, request.version, services.networks.members(n.id) if detailed else ()) for n in networks]
    )


def inspect(services: Services, request: Request) -> Reply:
    network = services.networks.get(request.params[0])
    if query.text(request, "scope") not in ("", "local"):
        raise NoSuchScope(request.params[0])
    return reply.json(render(network, request.version, services.networks.members(network.id)))


async def create(services: Services, request: Request) -> Reply:
    body = json_body(request, NetworkCreate)
    network_id, warning = await services.networks.create(
        network_spec(body), check_duplicate=body.get("CheckDuplicate") is not False
    )
    return reply.json({"Id": network_id, "Warning": warning}, HTTPStatus.CREATED)


async def remove(services: Services, request: Request) -> Reply:
    await services.networks.remove(request.params[0])
    return reply.nothing()


async def connect(services: Services, request: Request) -> Reply:
    body = json_body(request, NetworkConnect)
    ref = request.params[0]
    spec = endpoint(services.networks.get(ref).name, body.get("EndpointConfig"))
    await services.networks.connect(ref, _container(body.get("Container")), spec)
    return reply.nothing(HTTPStatus.OK)


async def disconnect(services: Services, request: Request) -> Reply:
    body = json_body(request, NetworkDisconnect)
    container = _container(body.get("Container"))
    await services.networks.disconnect(request.params[0], container, force=bool(body.get("Force")))
    return reply.nothing(HTTPStatus.OK)


def _container(ref: str | None) -> str:
    if not ref:
        raise Invalid("Container must be given", field="Container")
    return ref


async def prune(services: Services, request: Request) -> Reply:
    removed = await services.networks.prune(query.filters(request))
    return reply.json({"NetworksDeleted": list(removed) or None})


ROUTES = (
    Route("GET", "/networks", list_),
    Route("POST", "/networks/create", create),
    Route("POST", "/networks/prune", prune),
    Route("GET", "/networks/{}", inspect),
    Route("DELETE", "/networks/{}", remove),
    Route("POST", "/networks/{}/connect", connect),
    Route("POST", "/networks/{}/disconnect", disconnect),
)
