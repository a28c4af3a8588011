"""A scoped socket that answers: the routes of the engine's own, over the services of its scope, behind its door."""

import asyncio
import socket

from hakobu.api.application import DockerApplication, Door
from hakobu.api.http.connection import Connection
from hakobu.api.http.exchange import Request
from hakobu.api.route import Route
from hakobu.api.scope import audit, need
from hakobu.api.scope.audit import AuditLog
from hakobu.api.scope.services import scoped
from hakobu.api.server import Options, Server
from hakobu.api.status import code_of
from hakobu.api.table import ROUTES
from hakobu.api.timing import Run
from hakobu.engine.services import Services
from hakobu.errors import HakobuError
from hakobu.spec.policy import Policy


class ScopedDoor(Door):
    """Lets in what the policy permits; every request leaves a line in the audit log."""

    def __init__(self, policy: Policy, log: AuditLog) -> None:
        self._policy, self._log = policy, log

    def admit(self, route: Route, request: Request) -> None:
        need.admit(self._policy, route, request)

    def refused(self, request: Request, error: HakobuError) -> None:
        self._log.write(self._policy.name, request, code_of(error))

    def around(self, run: Run) -> Run:
        return audit.recorded(self._policy.name, self._log, run)


async def serve_scoped(
    listener: socket.socket, policy: Policy, whole: Services, log: AuditLog, options: Options
) -> Server:
    """Returns when it is being answered; `Server.close` ends it with its connections."""
    door = ScopedDoor(policy, log)
    app = DockerApplication(scoped(whole, policy), ROUTES, options.minimum_version, door=door)
    connections: set[Connection] = set()

    def connect() -> Connection:
        return Connection(app, connections)

    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(connect, sock=listener, backlog=512)
    return Server([server], connections, options.grace_s)
