"""`compose exec`: a command in a running container of a service."""

import sys

from hakobu.client.error import ClientError
from hakobu.compose.context import Context
from hakobu.compose.terminal import on_resize, pump, raw_terminal, size


def execute(context: Context) -> int:
    """The command's own exit status."""
    service = context.text("service")
    container = context.container_of(service)
    if context.dry:
        command = " ".join([context.text("command"), *context.texts("arguments")])
        context.progress.line(f"Container {container.name}", f"Would run {command}")
        return 0
    has_tty = not context.on("no_tty") and sys.stdin.isatty() and not context.on("detach")
    exec_id = context.engine.execs.create(
        container.id,
        {
            "Cmd": [context.text("command"), *context.texts("arguments")],
            "Env": list(context.texts("env")) or None,
            "User": context.text("user"),
            "WorkingDir": context.text("workdir"),
            "Privileged": context.on("privileged"),
            "Tty": has_tty,
            "AttachStdin": context.on("interactive") and not context.on("detach"),
            "AttachStdout": True,
            "AttachStderr": True,
        },
    )
    if context.on("detach"):
        context.engine.execs.start_detached(exec_id)
        return 0
    return _interactive(context, exec_id, has_tty)


def _interactive(context: Context, exec_id: str, has_tty: bool) -> int:
    stream = context.engine.execs.start(exec_id, tty=has_tty, console_size=size() if has_tty else None)
    with raw_terminal(has_tty):
        if has_tty:
            on_resize(lambda rows, columns: _resize(context, exec_id, rows, columns))
        pump(stream, has_tty=has_tty)
    stream.close()
    return int(context.engine.execs.inspect(exec_id)["ExitCode"] or 0)


def _resize(context: Context, exec_id: str, rows: int, columns: int) -> None:
    try:
        context.engine.execs.resize(exec_id, rows=rows, columns=columns)
    except ClientError:
        return  # the command has ended meanwhile
