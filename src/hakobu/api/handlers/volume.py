"""`/volumes`: list, inspect, create, remove, prune."""

from http import HTTPStatus

from hakobu.api import query, reply
from hakobu.api.decode import json_body
from hakobu.api.http.exchange import Reply, Request
from hakobu.api.render.volume import volume as render
from hakobu.api.route import Route
from hakobu.api.translate.limit import NotSupported
from hakobu.engine.services import Services
from hakobu.wire.version import ApiVersion
from hakobu.wire.volume import VolumeCreate

PRUNE_ANONYMOUS_ONLY_SINCE = ApiVersion(1, 42)


async def list_(services: Services, request: Request) -> Reply:
    volumes = await services.volumes.list(query.filters(request))
    return reply.json({"Volumes": [render(volume) for volume in volumes], "Warnings": None})


def inspect(services: Services, request: Request) -> Reply:
    return reply.json(render(services.volumes.get(request.params[0])))


async def create(services: Services, request: Request) -> Reply:
    body = json_body(request, VolumeCreate)
    if body.get("ClusterVolumeSpec"):
        raise NotSupported("ClusterVolumeSpec", "it is of swarm")
    created = await services.volumes.create(
        body.get("Name") or "",
        body.get("Driver") or "local",
        dict(body.get("DriverOpts") or {}),
        dict(body.get("Labels") or {}),
    )
    return reply.json(render(created), HTTPStatus.CREATED)


async def remove(services: Services, request: Request) -> Reply:
    await services.volumes.remove(request.params[0], force=query.flag(request, "force"))
    return reply.nothing()


async def prune(services: Services, request: Request) -> Reply:
    """Before 1.42 all unused volumes went; since then only anonymous ones unless `all` is asked for."""
    filters = query.filters(request)
    if request.version < PRUNE_ANONYMOUS_ONLY_SINCE:
        filters["all"] = ("true",)
    removed, freed = await services.volumes.prune(filters)
    return reply.json({"VolumesDeleted": list(removed), "SpaceReclaimed": freed})


async def rename(services: Services, request: Request) -> Reply:
    return reply.json(render(await services.volumes.rename(request.params[0], query.text(request, "name"))))


async def clone(services: Services, request: Request) -> Reply:
    cloned = await services.volumes.clone(request.params[0], query.text(request, "name"))
    return reply.json(render(cloned), HTTPStatus.CREATED)


ROUTES = (
    Route("GET", "/volumes", list_),
    Route("POST", "/volumes/create", create),
    Route("POST", "/volumes/prune", prune),
    Route("GET", "/volumes/{}", inspect),
    Route("DELETE", "/volumes/{}", remove),
    Route("POST", "/hakobu/v1/volumes/{}/rename", rename),
    Route("POST", "/hakobu/v1/volumes/{}/clone", clone),
)
