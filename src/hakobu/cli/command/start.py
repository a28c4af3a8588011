"""`start`: created and stopped containers, attached to one of them with `-a` and `-i`."""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.cli.kind import BOOL, STRING
from hakobu.cli.option.flags import WAIT_FLAGS
from hakobu.cli.table import MANY, Command, Flag
from hakobu.client.error import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

START = Command(
    "start",
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Start stopped containers",
    least=1,
    most=MANY,
    aliases=("container start", "start"),
    flags=(
        Flag("attach", "a", BOOL, "Show its output and pass signals on"),
        Flag("checkpoint", "", STRING, "Start from this checkpoint"),
        Flag("checkpoint-dir", "", STRING, "Folder of the checkpoints, where it is not the engine's own"),
        Flag("detach-keys", "", STRING, "Keys that leave an attached terminal"),
        Flag("interactive", "i", BOOL, "Give it our standard input"),
        *WAIT_FLAGS,
    ),
)


def start(session: Session, values: Values, arguments: list[str]) -> int:
    if values.on("attach") or values.on("interactive"):
        if values.on("wait"):
            raise Failure("conflicting options: cannot specify both --wait and --attach or --interactive")
        if len(arguments) > 1:
            raise Failure("you cannot start and attach multiple containers at once")
        return _attached(session, values, arguments[0])
    checkpoint = values.text("checkpoint")
    if checkpoint and len(arguments) > 1:
        raise Failure("you cannot restore multiple containers at once")
    failed: list[str] = []
    started: list[str] = []
    for name in arguments:
        try:
            session.engine.containers.start(name, checkpoint=checkpoint, checkpoint_dir=values.text("checkpoint-dir"))
        except ClientError as e:
            session.error(str(e))
            failed.append(name)
            continue
        started.append(name)
        session.line(name)
    if values.on("wait"):
        from hakobu.client.readiness import wait_ready

        for name in started:
            wait_ready(session.engine.containers, name, timeout_s=values.number("wait-timeout") / 1e9 or None)
    if failed:
        raise Failure(f"Error: failed to start containers: {', '.join(failed)}")
    return 0


def _attached(session: Session, values: Values, name: str) -> int:
    from hakobu.cli.command.run import follow

    containers = session.engine.containers
    found = containers.inspect(name)
    config = found["Config"]
    container, tty = str(found["Id"]), bool(config["Tty"])
    stdin = values.on("interactive") and bool(config["OpenStdin"])
    keys = values.text("detach-keys")
    if tty:
        from hakobu.cli.attach_keys import keys_text

        keys = keys_text(session, keys)
    stream = containers.attach(container, stdin=stdin, detach_keys=keys)
    auto_remove = bool(found["HostConfig"]["AutoRemove"])
    waiter = containers.wait(container, "removed" if auto_remove else "next-exit")
    try:
        containers.start(container, detach_keys=keys)
    except ClientError as e:
        stream.close()
        session.error(str(e))
        raise Failure(f"Error: failed to start containers: {name}") from None
    return follow(session, stream, waiter, container, stdin=stdin, tty=tty, proxy=True, keys=keys)
