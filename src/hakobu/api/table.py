"""All routes of this engine, gathered from the handlers' own tables."""

from typing import Final

from hakobu.api.handlers import (
    archive,
    container,
    disk_usage,
    event,
    exec,
    image,
    network,
    plan,
    stream,
    system,
    volume,
)
from hakobu.api.route import Route

ROUTES: Final[tuple[Route, ...]] = (
    *system.ROUTES,
    *container.ROUTES,
    *stream.ROUTES,
    *archive.ROUTES,
    *exec.ROUTES,
    *image.ROUTES,
    *network.ROUTES,
    *volume.ROUTES,
    *event.ROUTES,
    *disk_usage.ROUTES,
    *plan.ROUTES,
)
