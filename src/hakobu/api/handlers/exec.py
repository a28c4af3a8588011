"""`/containers/{id}/exec` and `/exec/{id}`: further processes in running containers."""

import struct
from http import HTTPStatus
from typing import Any

from hakobu.api import query, reply
from hakobu.api.decode import json_body, optional_json_body
from hakobu.api.handlers.container import terminal_size
from hakobu.api.handlers.stream import stream_type
from hakobu.api.http.exchange import Answer, Hijack, Reply, Request, Takeover
from hakobu.api.route import Route
from hakobu.api.translate.container import argv, size
from hakobu.engine.services import Exec, ExecSpec, Services
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.spec.plan import Attachment
from hakobu.wire.container import ExecCreate, ExecStart
from hakobu.wire.version import fit

_STDOUT = 1


class ExecAlreadyStarted(HakobuError):
    kind = Kind.CONFLICT

    def __init__(self, exec_id: str) -> None:
        super().__init__(f"exec command {exec_id} has already run")


class ExecRunning(HakobuError):
    kind = Kind.CONFLICT

    def __init__(self, exec_id: str) -> None:
        super().__init__(f"exec command {exec_id} is already running")


def spec_of(request: Request) -> ExecSpec:
    """What an exec create body asks for."""
    body = json_body(request, ExecCreate)
    command = argv(body.get("Cmd"))
    if not command:
        raise Invalid("no exec command specified", field="Cmd")
    rows, columns = size(body.get("ConsoleSize"))
    # docker-py writes the name in lower case, which a decoder that does not mind the case lets through
    keys = body.get("DetachKeys") or body.get("detachKeys") or ""
    query.detach_keys(keys)
    return ExecSpec(
        argv=command,
        env=tuple(body.get("Env") or ()),
        user=body.get("User") or "",
        working_dir=body.get("WorkingDir") or "",
        privileged=bool(body.get("Privileged")),
        tty=bool(body.get("Tty")),
        attach_stdin=bool(body.get("AttachStdin")),
        attach_stdout=bool(body.get("AttachStdout")),
        attach_stderr=bool(body.get("AttachStderr")),
        detach_keys=keys,
        console_rows=rows,
        console_columns=columns,
    )


async def create(services: Services, request: Request) -> Reply:
    exec_id = await services.execs.create(request.params[0], spec_of(request))
    return reply.json({"Id": exec_id}, HTTPStatus.CREATED)


async def start(services: Services, request: Request) -> Answer:
    body: ExecStart = optional_json_body(request, ExecStart) or {}
    found = services.execs.get(request.params[0])
    if found.exit_code is not None:
        raise ExecAlreadyStarted(found.id)
    if found.running:
        raise ExecRunning(found.id)
    tty = bool(body.get("Tty"))
    rows, columns = size(body.get("ConsoleSize"))
    if rows and not tty:
        raise Invalid("console size is only supported with a TTY", field="ConsoleSize")
    rows, columns = rows or found.spec.console_rows, columns or found.spec.console_columns
    if body.get("Detach"):
        await services.execs.start(found.id, None, tty=found.spec.tty, rows=rows, columns=columns)
        return reply.nothing(HTTPStatus.OK)

    async def take(takeover: Takeover) -> None:
        await _start_attached(services, found, takeover, rows, columns, framed=not tty)

    return Hijack(take, stream_type(request.version, tty=tty))


async def _start_attached(
    services: Services, found: Exec, takeover: Takeover, rows: int, columns: int, *, framed: bool
) -> None:
    """Framing follows this request, not the process: a client may want frames of one that has a terminal.

    The head is out, so a failure is told where Docker tells it: on the process's standard output."""
    spec = found.spec
    attachment = Attachment(
        fd=takeover.dup(),
        stdin=spec.attach_stdin,
        stdout=spec.attach_stdout,
        stderr=spec.attach_stderr,
        already_read=takeover.already_read,
        detach_keys=query.detach_keys(spec.detach_keys),
        framed=framed,
    )
    try:
        await services.execs.start(found.id, attachment, tty=spec.tty, rows=rows, columns=columns)
    except HakobuError as error:
        text = f"{error.message}\r\n".encode()
        takeover.write(text if not framed else struct.pack(">BxxxI", _STDOUT, len(text)) + text)


async def resize(services: Services, request: Request) -> Reply:
    rows, columns = terminal_size(request)
    await services.execs.resize(request.params[0], rows, columns)
    return reply.nothing(HTTPStatus.OK)


def inspect(services: Services, request: Request) -> Reply:
    value = render(services.execs.get(request.params[0]))
    fit("exec", value, request.version)
    return reply.json(value)


def render(value: Exec) -> dict[str, Any]:
    spec = value.spec
    return {
        "ID": value.id,
        "Running": value.running,
        "ExitCode": value.exit_code,
        "ProcessConfig": {
            "tty": spec.tty,
            "entrypoint": spec.argv[0],
            "arguments": list(spec.argv[1:]),
            "privileged": spec.privileged,
            **({"user": spec.user} if spec.user else {}),
        },
        "OpenStdin": spec.attach_stdin,
        "OpenStderr": spec.attach_stderr,
        "OpenStdout": spec.attach_stdout,
        "CanRemove": value.exit_code is not None,
        "ContainerID": value.container_id,
        "DetachKeys": spec.detach_keys,
        "ConsoleSize": [spec.console_rows, spec.console_columns],
        "Pid": value.pid,
    }


ROUTES = (
    Route("POST", "/containers/{}/exec", create),
    Route("POST", "/exec/{}/start", start),
    Route("POST", "/exec/{}/resize", resize),
    Route("GET", "/exec/{}/json", inspect),
)
