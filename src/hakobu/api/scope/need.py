"""What each route needs of a policy. A route that is not in this table is answered on no scoped socket.

`FREE` is for what tells nothing but that there is an engine, and its version, as every client asks first; `OWNER`
for what only the engine's own socket does. Where one route does two things, a function says which.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from hakobu.api import query
from hakobu.api.handlers.swarm import ROUTES as SWARM_ROUTES
from hakobu.api.http.exchange import Request
from hakobu.api.route import Route
from hakobu.api.scope.failure import NotPermitted
from hakobu.spec.policy import Policy

FREE: Final = "free"
OWNER: Final = "owner"
Need: TypeAlias = tuple[str, ...] | Literal["free", "owner"]


def _image_create(request: Request) -> Need:
    """Pull and import are one route."""
    return ("images:pull",) if query.text(request, "fromImage") else ("images:load",)


_CONTAINER: Final[Mapping[tuple[str, str], Need]] = {
    ("GET", "/containers/json"): ("containers:read",),
    ("GET", "/containers/{}/json"): ("containers:read",),
    ("GET", "/containers/{}/top"): ("containers:read",),
    ("GET", "/containers/{}/changes"): ("containers:read",),
    ("GET", "/containers/{}/stats"): ("containers:read",),
    ("POST", "/containers/{}/wait"): ("containers:read",),
    ("GET", "/hakobu/v1/containers/{}/plan"): ("containers:read",),
    ("GET", "/containers/{}/logs"): ("containers:logs",),
    ("POST", "/containers/{}/start"): ("containers:control",),
    ("POST", "/containers/{}/stop"): ("containers:control",),
    ("POST", "/containers/{}/restart"): ("containers:control",),
    ("POST", "/containers/{}/kill"): ("containers:control",),
    ("POST", "/containers/{}/pause"): ("containers:control",),
    ("POST", "/containers/{}/unpause"): ("containers:control",),
    ("POST", "/containers/create"): ("containers:create",),
    ("POST", "/hakobu/v1/plan/create"): ("containers:create",),
    ("GET", "/hakobu/v1/labels"): ("containers:create",),
    ("POST", "/containers/{}/rename"): ("containers:update",),
    ("POST", "/containers/{}/update"): ("containers:update",),
    ("POST", "/hakobu/v1/containers/{}/edit"): ("containers:update",),
    ("DELETE", "/hakobu/v1/containers/{}/logs"): ("containers:update",),
    ("PUT", "/hakobu/v1/containers/{}/aside"): ("containers:update",),
    ("DELETE", "/hakobu/v1/containers/{}/aside"): ("containers:update",),
    ("DELETE", "/containers/{}"): ("containers:delete",),
    ("POST", "/containers/prune"): ("containers:delete",),
    ("POST", "/containers/{}/attach"): ("containers:attach",),
    ("GET", "/containers/{}/attach/ws"): ("containers:attach",),
    ("POST", "/containers/{}/resize"): ("containers:attach",),
    ("POST", "/containers/{}/exec"): ("containers:exec",),
    ("POST", "/exec/{}/start"): ("containers:exec",),
    ("POST", "/exec/{}/resize"): ("containers:exec",),
    ("GET", "/exec/{}/json"): ("containers:exec",),
    ("POST", "/hakobu/v1/containers/{}/plan/exec"): ("containers:exec",),
    ("HEAD", "/containers/{}/archive"): ("containers:files",),
    ("GET", "/containers/{}/archive"): ("containers:files",),
    ("PUT", "/containers/{}/archive"): ("containers:files",),
    ("GET", "/containers/{}/export"): ("containers:files",),
    ("POST", "/commit"): ("containers:commit",),
}
_REST: Final[Mapping[tuple[str, str], Need]] = {
    ("GET", "/images/json"): ("images:read",),
    ("GET", "/images/{}/json"): ("images:read",),
    ("GET", "/images/{}/history"): ("images:read",),
    ("GET", "/hakobu/v1/images/{}/diff"): ("images:read",),
    ("POST", "/images/load"): ("images:load",),
    ("GET", "/images/get"): ("images:save",),
    ("GET", "/images/{}/get"): ("images:save",),
    ("POST", "/images/{}/tag"): ("images:tag",),
    ("POST", "/images/{}/push"): ("images:push",),
    ("DELETE", "/images/{}"): ("images:delete",),
    ("POST", "/images/prune"): ("images:delete",),
    ("POST", "/build/prune"): ("images:delete",),
    ("GET", "/networks"): ("networks:read",),
    ("GET", "/networks/{}"): ("networks:read",),
    ("POST", "/networks/create"): ("networks:create",),
    ("DELETE", "/networks/{}"): ("networks:delete",),
    ("POST", "/networks/prune"): ("networks:delete",),
    ("POST", "/networks/{}/connect"): ("networks:connect",),
    ("POST", "/networks/{}/disconnect"): ("networks:connect",),
    ("GET", "/volumes"): ("volumes:read",),
    ("GET", "/volumes/{}"): ("volumes:read",),
    ("POST", "/volumes/create"): ("volumes:create",),
    ("POST", "/hakobu/v1/volumes/{}/rename"): ("volumes:create", "volumes:delete"),
    ("POST", "/hakobu/v1/volumes/{}/clone"): ("volumes:create",),
    ("DELETE", "/volumes/{}"): ("volumes:delete",),
    ("POST", "/volumes/prune"): ("volumes:delete",),
    ("GET", "/events"): ("events:read",),
    ("GET", "/distribution/{}/json"): ("registries:read",),
    ("GET", "/images/search"): ("registries:read",),
    ("GET", "/hakobu/v1/images/{}/manifests"): ("registries:read",),
    ("POST", "/hakobu/v1/images/{}/manifests"): OWNER,
    ("POST", "/auth"): ("registries:read",),
    ("GET", "/info"): ("system:read",),
    ("GET", "/debug/vars"): ("system:read",),
    ("GET", "/system/df"): ("system:read", "containers:read", "images:read", "volumes:read"),
    ("GET", "/plugins"): ("system:read",),
    ("GET", "/plugins/{}/json"): ("system:read",),
    ("DELETE", "/plugins/{}"): OWNER,
    **{("POST", f"/plugins/{{}}/{verb}"): OWNER for verb in ("enable", "disable", "upgrade", "push", "set")},
    **{(route.method, route.template): OWNER for route in SWARM_ROUTES},
    ("GET", "/_ping"): FREE,
    ("GET", "/version"): FREE,
    ("GET", "/hakobu/v1/sockets"): OWNER,
    ("POST", "/hakobu/v1/sockets/create"): OWNER,
    ("GET", "/hakobu/v1/sockets/{}"): OWNER,
    ("DELETE", "/hakobu/v1/sockets/{}"): OWNER,
}
NEEDS: Final[Mapping[tuple[str, str], Need]] = {**_CONTAINER, **_REST}
_BY_REQUEST: Final[Mapping[tuple[str, str], Callable[[Request], Need]]] = {("POST", "/images/create"): _image_create}
CLASSIFIED: Final = frozenset((*NEEDS, *_BY_REQUEST))
"""Method and template of every route that somebody has thought about."""


def need_of(route: Route, request: Request) -> Need:
    """`OWNER` where nobody has said."""
    key = route.method, route.template
    by_request = _BY_REQUEST.get(key)
    return by_request(request) if by_request else NEEDS.get(key, OWNER)


def admit(policy: Policy, route: Route, request: Request) -> None:
    """Raises `NotPermitted`; before the body is read."""
    need = need_of(route, request)
    if need == FREE:
        return
    for permission in need if isinstance(need, tuple) else (need,):
        if permission not in policy.allow:
            raise NotPermitted(policy.name, permission)
