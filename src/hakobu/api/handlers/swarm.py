"""Swarm's resources, answered as by a daemon that is in no swarm; there is no swarm mode to begin."""

from http import HTTPStatus
from typing import Final

from hakobu.api import status
from hakobu.api.http.exchange import Reply, Request
from hakobu.api.route import Route
from hakobu.engine.services import Services

NOT_A_MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" '
    "to connect this node to swarm and try again."
)

_MANAGERS: Final = (
    ("GET", "/swarm"),
    ("POST", "/swarm/update"),
    ("GET", "/swarm/unlockkey"),
    ("POST", "/swarm/unlock"),
    ("GET", "/services/{}/logs"),
    ("GET", "/tasks"),
    ("GET", "/tasks/{}"),
    ("GET", "/tasks/{}/logs"),
    ("GET", "/nodes"),
    ("GET", "/nodes/{}"),
    ("DELETE", "/nodes/{}"),
    ("POST", "/nodes/{}/update"),
    *(
        route
        for kind in ("services", "secrets", "configs")
        for route in (
            ("GET", f"/{kind}"),
            ("POST", f"/{kind}/create"),
            ("GET", f"/{kind}/{{}}"),
            ("DELETE", f"/{kind}/{{}}"),
            ("POST", f"/{kind}/{{}}/update"),
        )
    ),
)
"""What only a manager of a swarm does."""


def no_manager(services: Services, request: Request) -> Reply:
    return status.message(HTTPStatus.SERVICE_UNAVAILABLE, NOT_A_MANAGER)


def leave(services: Services, request: Request) -> Reply:
    """Clients tidy up by leaving whatever swarm there may be."""
    return status.message(HTTPStatus.SERVICE_UNAVAILABLE, "This node is not part of a swarm")


def update_volume(services: Services, request: Request) -> Reply:
    """Only volumes of a swarm can be changed."""
    text = "volume update only valid for cluster volumes, but swarm is unavailable"
    return status.message(HTTPStatus.SERVICE_UNAVAILABLE, text)


ROUTES = (
    *(Route(method, template, no_manager) for method, template in _MANAGERS),
    Route("POST", "/swarm/leave", leave),
    Route("PUT", "/volumes/{}", update_volume),
)
