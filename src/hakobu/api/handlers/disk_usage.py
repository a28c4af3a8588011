"""`/system/df`: what the engine's objects take on disk."""

import asyncio
from collections import Counter
from typing import Any

from hakobu.api import query, reply
from hakobu.api.http.exchange import Reply, Request
from hakobu.api.render import image as image_render
from hakobu.api.render.container import container_summary
from hakobu.api.render.volume import volume as render_volume
from hakobu.api.route import Route
from hakobu.engine.services import Services
from hakobu.errors import Invalid
from hakobu.wire.version import ApiVersion, fit

DISK_USAGE_TYPES = ("container", "image", "volume", "build-cache")
_TYPES_SINCE = ApiVersion(1, 42)


async def disk_usage(services: Services, request: Request) -> Reply:
    wanted = query.texts(request, "type") if request.version >= _TYPES_SINCE else ()
    for name in wanted:
        if name not in DISK_USAGE_TYPES:
            raise Invalid(f"unknown object type: {name}", field="type")
    kinds = set(wanted or DISK_USAGE_TYPES)
    value: dict[str, Any] = {}
    usage = await services.system.disk_usage()
    listed = await services.containers.list(all=True, size="container" in kinds)
    containers = [container_summary(item, request.version) for item in listed]
    if "image" in kinds:
        value["LayersSize"] = usage.get("layers_size", 0)
        # Clients count an image as in use, and its space as not to be had, by its containers.
        users = Counter(str(container["ImageID"]) for container in containers)
        images = await services.images.list(all=True)
        shared = image_render.shared_sizes(images)
        value["Images"] = [
            image_render.summary(image, request.version, shared_size=shared[image.id], containers=users[image.id])
            for image in images
        ]
    if "container" in kinds:
        value["Containers"] = containers
    if "volume" in kinds:
        volumes, used = await asyncio.gather(services.volumes.list(), services.volumes.usage())
        value["Volumes"] = [render_volume(item, used.get(item.name, (-1, 0))) for item in volumes]
    if "build-cache" in kinds:
        value["BuildCache"] = []
        value["BuilderSize"] = 0
    fit("disk_usage", value, request.version)
    return reply.json(value)


ROUTES = (Route("GET", "/system/df", disk_usage),)
