"""The application behind the connections: version in the path, route, handler, and errors as Docker says them."""

from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus

from hakobu import __version__
from hakobu.api import status
from hakobu.api.http.exchange import Answer, Exchange, Reply, Request
from hakobu.api.http.response import Heads
from hakobu.api.route import Match, Route, Routes
from hakobu.api.timing import Run, Timings
from hakobu.engine.services import Services
from hakobu.errors import HakobuError
from hakobu.wire.operation import OPERATIONS, UNPUBLISHED
from hakobu.wire.version import ANNOUNCED, MINIMUM, ApiVersion, parse_version


class Door:
    """Who is let in, and what is written of it. The engine's own socket lets everybody in and writes nothing."""

    def admit(self, route: Route, request: Request) -> None:
        """Raises what is refused, before the body is read."""

    def refused(self, request: Request, error: HakobuError) -> None:
        """What `admit` raised is about to be answered."""

    def around(self, run: Run) -> Run:
        """A handler as this door calls it."""
        return run


class DockerApplication:
    """Implements `http.connection.Application` on a table of routes and the engine's services."""

    def __init__(
        self,
        services: Services,
        routes: tuple[Route, ...],
        minimum: ApiVersion = MINIMUM,
        timings: Timings | None = None,
        door: Door | None = None,
    ) -> None:
        self._services, self._timings = services, timings or Timings()
        self._door = door or Door()
        self._minimum = minimum
        self._routes = Routes(routes)
        served = {(route.method, route.template) for route in routes}
        self._missing = Routes(
            Route(method, template, partial(_refuse, name))
            for method, template, name in OPERATIONS + UNPUBLISHED
            if (method, template) not in served
        )
        self._exchanges: dict[int, Exchange] = {}
        self.heads = Heads(
            (
                ("Server", f"Hakobu/{__version__} (linux)"),
                ("Api-Version", str(ANNOUNCED)),
                ("Docker-Experimental", "false"),
                ("Ostype", "linux"),
            )
        )

    def exchange(self, request: Request) -> Exchange | Reply:
        if request.head.method == "OPTIONS":
            return Reply(HTTPStatus.OK, content_type="")
        path, version = request.path, ANNOUNCED
        if path.startswith("/v") and path[2:3].isdigit():
            text, slash, rest = path[2:].partition("/")
            asked = parse_version(text)
            if asked is None or not slash:
                return _not_found()
            request.version = version = asked
            path = "/" + rest
        match = self._routes.find(request.head.method, path) or self._missing.find(request.head.method, path)
        if match is None:
            return _not_found()
        if version != ANNOUNCED and (refusal := self._refuse_version(version, match.route)) is not None:
            return refusal
        request.params = match.params
        exchange = self._exchange_of(match)
        try:
            self._door.admit(match.route, request)
        except HakobuError as error:
            self._door.refused(request, error)
            return status.failure(error)
        return exchange

    def _refuse_version(self, version: ApiVersion, route: Route) -> Reply | None:
        if version > ANNOUNCED:
            text = f"client version {version} is too new. Maximum supported API version is {ANNOUNCED}"
            return status.message(HTTPStatus.BAD_REQUEST, text)
        if version < (route.oldest or self._minimum):
            text = (
                f"client version {version} is too old. Minimum supported API version is {self._minimum}, "
                "please upgrade your client to a newer version"
            )
            return status.message(HTTPStatus.BAD_REQUEST, text)
        return None

    def _exchange_of(self, match: Match) -> Exchange:
        route = match.route
        exchange = self._exchanges.get(id(route))
        if exchange is None:
            run: Callable[[Request], Answer | Awaitable[Answer]] = partial(route.handler, self._services)
            run = self._door.around(self._timings.around(route.method, route.template, run))
            exchange = self._exchanges[id(route)] = Exchange(run, route.body_limit, route.streams_body)
        return exchange

    def failure(self, request: Request | None, error: Exception) -> Reply:
        return status.failure(error)


def _not_found() -> Reply:
    return status.message(HTTPStatus.NOT_FOUND, "page not found")


def _refuse(name: str, services: Services, request: Request) -> Reply:
    """For an operation that Docker has and this engine has not. Clients look for the words `not supported`."""
    return status.message(HTTPStatus.NOT_IMPLEMENTED, f"{name} is not supported by this engine")
