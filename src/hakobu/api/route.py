"""Routes: a request's method and path to the function that answers it, by two dictionary look-ups.

A path is `/<resource>`, `/<resource>/<word>`, or `/<resource>/<name>/<verb>[/<word>]`; the same below a prefix
of our own. Names of images and of distribution references may hold slashes, so for these the verb is what
stands last. Literal paths win.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote

from hakobu.api.http.exchange import Answer, Request
from hakobu.engine.services import Services
from hakobu.wire.version import ApiVersion

Handler: TypeAlias = Callable[[Services, Request], Answer | Awaitable[Answer]]

JSON_LIMIT_BYTES = 16 << 20
"""Enough for two megabytes of environment and a seccomp profile beside it."""

OWN_PREFIX = "/hakobu/v1/"
"""Of what Docker has no word for; its resources are one level deeper."""

_SLASHED = frozenset({"images", "distribution", "plugins", "hakobu/v1/images"})


@dataclass(frozen=True, slots=True)
class Route:
    """`template` is Docker's path with `{}` for the name, without the version."""

    method: str
    template: str
    handler: Handler
    body_limit: int = JSON_LIMIT_BYTES
    streams_body: bool = False
    oldest: ApiVersion | None = None
    """Served to clients from this version on; None: from the engine's oldest."""


@dataclass(frozen=True, slots=True)
class Match:
    """A route, and the name in the path (empty where there is none)."""

    route: Route
    params: tuple[str, ...] = ()


class Routes:
    """The table. Built once; look-ups do not depend on how many routes there are."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._literal: dict[tuple[str, str], Match] = {}
        self._named: dict[tuple[str, str, str], Route] = {}
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        for method in (route.method, "HEAD") if route.template == "/_ping" else (route.method,):
            if "{}" not in route.template:
                self._literal[method, route.template] = Match(route)
                continue
            before, _, verb = route.template.partition("/{}")
            self._named[method, before.strip("/"), verb.strip("/")] = route

    def find(self, method: str, path: str) -> Match | None:
        """`path` begins with a slash and has no version; None when no route is that of it."""
        match = self._literal.get((method, path))
        if match is not None:
            return match
        if "%" in path:
            path = unquote(path)
        if len(path) > 1 and path.endswith("/"):
            match = self._literal.get((method, path[:-1]))
            if match is not None:
                return match
        prefix = OWN_PREFIX if path.startswith(OWN_PREFIX) else "/"
        resource, _, rest = path[len(prefix) :].partition("/")
        resource = prefix[1:] + resource
        if not rest:
            return None
        return self._slashed(method, resource, rest) if resource in _SLASHED else self._plain(method, resource, rest)

    def _plain(self, method: str, resource: str, rest: str) -> Match | None:
        name, _, verb = rest.partition("/")
        route = self._named.get((method, resource, verb)) if name else None
        if route is None and method == "DELETE":
            # A link is removed by a name with a slash in it: /containers/<container>/<alias>.
            name, route = rest, self._named.get((method, resource, ""))
        return Match(route, (name,)) if route else None

    def _slashed(self, method: str, resource: str, rest: str) -> Match | None:
        name, _, verb = rest.rpartition("/")
        route = self._named.get((method, resource, verb)) if name else None
        if route:
            return Match(route, (name,))
        route = self._named.get((method, resource, ""))
        return Match(route, (rest,)) if route else None
