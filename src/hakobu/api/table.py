"""All routes of this engine, gathered from the handlers' own tables."""

from typing import Final

from hakobu.api.handlers import (
    archive,
    attach,
    container,
    debug,
    disk_usage,
    event,
    exec,
    image,
    network,
    plan,
    plugin,
    registry,
    socket,
    stream,
    swarm,
    system,
    volume,
)
from hakobu.api.route import Route

ROUTES: Final[tuple[Route, ...]] = (
    *system.ROUTES,
    *container.ROUTES,
    *stream.ROUTES,
    *attach.ROUTES,
    *archive.ROUTES,
    *exec.ROUTES,
    *image.ROUTES,
    *network.ROUTES,
    *volume.ROUTES,
    *event.ROUTES,
    *disk_usage.ROUTES,
    *plan.ROUTES,
    *plugin.ROUTES,
    *swarm.ROUTES,
    *debug.ROUTES,
    *registry.ROUTES,
    *socket.ROUTES,
)
