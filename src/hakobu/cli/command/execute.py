"""`exec`: a command in a running container, its exit status as our own."""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.cli.kind import BOOL, LIST, STRING
from hakobu.cli.option.environment import read_environment
from hakobu.cli.option.flags import ENV, EXPLAIN
from hakobu.cli.table import MANY, Command, Flag
from hakobu.client.error import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json
    from hakobu.client.transport import Hijacked

EXECUTE = Command(
    "exec",
    "[OPTIONS] CONTAINER COMMAND [ARG...]",
    "Run a command in a running container",
    least=2,
    most=MANY,
    aliases=("container exec", "exec"),
    interspersed=False,
    flags=(
        Flag("detach", "d", BOOL, "Run in the background"),
        Flag("detach-keys", "", STRING, "Keys that leave an attached terminal"),
        Flag("env", "e", ENV, "Set an environment variable"),
        Flag("env-file", "", LIST, "Read environment variables from a file"),
        EXPLAIN,
        Flag("interactive", "i", BOOL, "Keep STDIN open"),
        Flag("privileged", "", BOOL, "Give the command all that the engine may do"),
        Flag("tty", "t", BOOL, "Give the command a terminal"),
        Flag("user", "u", STRING, "User to run as: <name|uid>[:<group|gid>]"),
        Flag("workdir", "w", STRING, "Working directory inside the container"),
    ),
)


def execute(session: Session, values: Values, arguments: list[str]) -> int:
    tty, stdin, detached = values.on("tty"), values.on("interactive"), values.on("detach")
    config = exec_config(values, arguments[1:])
    if tty and stdin and not detached:
        from hakobu.cli.terminal import is_terminal

        if not is_terminal(0):
            raise Failure("the input device is not a TTY")
    if values.on("explain"):
        from hakobu.cli.plan_text import show_plan
        from hakobu.client.url import quote_path

        path = f"/v1/containers/{quote_path(arguments[0])}/plan/exec"
        return show_plan(session.engine, path, config, name=arguments[0], title=f"exec {' '.join(arguments)}")
    execs = session.engine.execs
    console = _console(tty and not detached)
    if console:
        config["ConsoleSize"] = list(console)
    exec_id = execs.create(arguments[0], config)
    if detached:
        execs.start_detached(exec_id, tty=tty)
        return 0
    stream = execs.start(exec_id, tty=tty, console_size=console)
    try:
        _stream(session, stream, exec_id, stdin=stdin, tty=tty, keys=values.text("detach-keys"))
    finally:
        stream.close()
    return int(execs.inspect(exec_id)["ExitCode"] or 0)


def exec_config(values: Values, command: list[str]) -> Json:
    detached = values.on("detach")
    config: Json = {
        "Cmd": command,
        "Tty": values.on("tty"),
        "AttachStdin": values.on("interactive") and not detached,
        "AttachStdout": not detached,
        "AttachStderr": not detached,
        "Detach": detached,
        "Privileged": values.on("privileged"),
        "User": values.text("user"),
        "WorkingDir": values.text("workdir"),
        "DetachKeys": values.text("detach-keys"),
    }
    environment = read_environment(values.texts("env-file"), values.texts("env"), status=1)
    if environment:
        config["Env"] = environment
    return config


def _console(tty: bool) -> tuple[int, int] | None:
    if not tty:
        return None
    from hakobu.cli.terminal import size

    rows, columns = size()
    return (rows, columns) if rows and columns else None


def _stream(session: Session, stream: Hijacked, exec_id: str, *, stdin: bool, tty: bool, keys: str) -> None:
    from hakobu.cli.pump import Detached, pump

    if not tty:
        pump(stream, stdin=stdin, tty=False)
        return
    from hakobu.cli.attach_keys import detach_keys, keys_text
    from hakobu.cli.terminal import RawMode, on_resize

    def resize(rows: int, columns: int) -> None:
        try:
            session.engine.execs.resize(exec_id, rows=rows, columns=columns)
        except EngineError:
            pass  # Too early or too late: what does not run has no size.

    watched = detach_keys(keys_text(session, keys)) if stdin else None
    try:
        with RawMode(0 if stdin else -1):
            on_resize(resize)
            pump(stream, stdin=stdin, tty=True, keys=watched)
    except Detached:
        raise Failure("read escape sequence") from None
