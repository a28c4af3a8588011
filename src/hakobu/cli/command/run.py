"""`run`: create, attach, wait, start, and then the container's own exit status.

The wait's headers are there before the start is sent, so that no exit is missed; the pull of a missing
image is on demand and its module is loaded only then.
"""

from __future__ import annotations

from hakobu.cli.failure import Failure, Silent
from hakobu.cli.option.container import build
from hakobu.cli.option.flags import RUN_FLAGS
from hakobu.cli.table import MANY, Command
from hakobu.client.error import ClientError, EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json
    from hakobu.client.container import Waiter
    from hakobu.client.transport import Hijacked

RUN = Command(
    "run",
    "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    "Create and start a container from an image",
    least=1,
    most=MANY,
    flags=RUN_FLAGS,
    aliases=("container run", "run"),
    interspersed=False,
)


def run(session: Session, values: Values, arguments: list[str]) -> int:
    _check(values)
    try:
        return _run(session, values, arguments)
    except Silent:
        raise
    except Failure as e:
        raise _told(session, e.message, e.status) from None
    except ClientError as e:
        message = f"{e} ({e.hint})" if e.hint else str(e)
        raise _told(session, message, exit_status(e.message)) from None


def _told(session: Session, message: str, status: int) -> Failure:
    program = session.program
    return Failure(f"{program}: {message}\n\nRun '{program} {session.name} --help' for more information", status)


def _check(values: Values) -> None:
    if values.on("detach") and values.texts("attach"):
        raise Failure("conflicting options: cannot specify both --attach and --detach")
    if values.on("wait") and not values.on("detach"):
        raise Failure("--wait goes with --detach: without it, run waits until the container ends")
    if values.on("tty") and values.on("interactive") and not values.on("detach"):
        from hakobu.cli.terminal import is_terminal

        if not is_terminal(0):
            raise Failure("the input device is not a TTY")


def exit_status(message: str) -> int:
    """docker's own statuses: 127 for a command that is not there, 126 for one that cannot be run."""
    text = message.lower()
    if "executable file not found" in text or "no such file or directory" in text:
        return 127
    if "permission denied" in text or "is a directory" in text:
        return 126
    return 125


def _run(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.command.create import create_container

    detached = values.on("detach")
    body = build(values, arguments, detached=detached)
    if body["Tty"] and not detached:
        from hakobu.cli.terminal import size

        body["HostConfig"]["ConsoleSize"] = list(size())
    if values.on("explain"):
        from hakobu.cli.plan_text import show_plan

        return show_plan(session.engine, "/v1/plan/create", body, name=values.text("name"))
    container = create_container(session, values, body)
    if detached:
        session.engine.containers.start(container)
        session.line(container)
        if values.on("wait"):
            return _until_ready(session, container, values.number("wait-timeout") / 1e9)
        return 0
    return _attached(session, values, body, container)


def _until_ready(session: Session, container: str, timeout_s: float) -> int:
    """It runs, whatever comes of the waiting: a failure to get ready is status 1 and no misuse of `run`."""
    from hakobu.client.readiness import NotReady, wait_ready

    try:
        wait_ready(session.engine.containers, container, timeout_s=timeout_s or None)
    except NotReady as e:
        session.error(e.message)
        raise Silent(1) from None
    return 0


def _attached(session: Session, values: Values, body: Json, container: str) -> int:
    containers = session.engine.containers
    keys_text = _keys_text(session, values, tty=body["Tty"])
    stream: Hijacked | None = None
    streams = (body["AttachStdin"], body["AttachStdout"], body["AttachStderr"])
    if any(streams):
        stdin, stdout, stderr = streams
        stream = containers.attach(container, stdin=stdin, stdout=stdout, stderr=stderr, detach_keys=keys_text)
    waiter = containers.wait(container, "removed" if values.on("rm") else "next-exit")
    try:
        containers.start(container, detach_keys=keys_text)
    except ClientError:
        if stream:
            stream.close()
        if values.on("rm"):
            # The engine removes what it could not start: the command ends when that is done.
            waiter.response.read()
        raise
    return follow(
        session, stream, waiter, container, stdin=streams[0], tty=body["Tty"], proxy=_proxied(values), keys=keys_text
    )


def _proxied(values: Values) -> bool:
    return values.on("sig-proxy")


def _keys_text(session: Session, values: Values, *, tty: bool) -> str:
    """The detach keys matter to a terminal only; without one the configuration is not even read."""
    if not tty:
        return values.text("detach-keys")
    from hakobu.cli.attach_keys import keys_text

    return keys_text(session, values.text("detach-keys"))


def follow(
    session: Session,
    stream: Hijacked | None,
    waiter: Waiter,
    container: str,
    *,
    stdin: bool,
    tty: bool,
    proxy: bool,
    keys: str,
    redraw: bool = False,
) -> int:
    """Shows a started container until it ends, and gives its exit status (0 when it was detached from).

    `redraw` makes what runs in the terminal paint itself anew, for those who come later.
    """
    from hakobu.cli.pump import Detached

    if stream is not None:
        try:
            _stream(session, stream, container, stdin=stdin, tty=tty, proxy=proxy, keys=keys, redraw=redraw)
        except Detached:
            if not redraw:
                return 0
            raise Failure("read escape sequence") from None
        finally:
            stream.close()
    status, error = waiter.result()
    if error:
        session.error(f"Error response from daemon: {error}")
        return 125
    return status


def _stream(
    session: Session,
    stream: Hijacked,
    container: str,
    *,
    stdin: bool,
    tty: bool,
    proxy: bool,
    keys: str,
    redraw: bool,
) -> None:
    from hakobu.cli.pump import pump

    containers = session.engine.containers
    if tty:
        _terminal(session, stream, container, stdin=stdin, keys=keys, redraw=redraw)
        return
    if not proxy:
        pump(stream, stdin=stdin, tty=False)
        return
    from hakobu.cli.signals import proxy as proxy_signals

    def send(name: str) -> None:
        try:
            containers.kill(container, name)
        except EngineError:
            pass  # It ended meanwhile; its status is on the way.

    restore = proxy_signals(send)
    try:
        pump(stream, stdin=stdin, tty=False)
    finally:
        restore()


def _terminal(session: Session, stream: Hijacked, container: str, *, stdin: bool, keys: str, redraw: bool) -> None:
    from hakobu.cli.attach_keys import detach_keys
    from hakobu.cli.pump import pump
    from hakobu.cli.terminal import RawMode, on_resize, size

    watched = detach_keys(keys) if stdin else None

    def resize(rows: int, columns: int) -> None:
        try:
            session.engine.containers.resize(container, rows=rows, columns=columns)
        except EngineError:
            pass  # Too early or too late: a container that does not run has no size.

    with RawMode(0 if stdin else -1):
        if redraw:
            # A size that changes makes a program redraw; the true one follows at once.
            rows, columns = size()
            resize(rows + 1, columns + 1)
        on_resize(resize)
        pump(stream, stdin=stdin, tty=True, keys=watched)
