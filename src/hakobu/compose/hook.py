"""A command of the files run in a container: hooks around its life, and `sync+exec`."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hakobu.client.engine import Engine
from hakobu.client.frame import STDERR
from hakobu.client.output import lines
from hakobu.compose.failure import ActionFailed
from hakobu.compose.model.hook import Hook
from hakobu.compose.model.service import Service


def _write(number: int, line: str) -> None:
    out = sys.stderr if number == STDERR else sys.stdout
    out.write(line)
    out.flush()


def run_in(
    engine: Engine, container: str, hook: Mapping[str, Any], *, what: str, write: Callable[[int, str], None] = _write
) -> None:
    """Runs the command and shows what it prints, each line under `what`; `ActionFailed` where its status is not 0."""
    environment: Mapping[str, str | None] = hook.get("environment") or {}
    exec_id = engine.execs.create(
        container,
        {
            "Cmd": hook["command"],
            "Env": [name if value is None else f"{name}={value}" for name, value in environment.items()] or None,
            "User": hook.get("user") or "",
            "WorkingDir": hook.get("working_dir") or "",
            "Privileged": bool(hook.get("privileged")),
            "AttachStdout": True,
            "AttachStderr": True,
        },
    )
    stream = engine.execs.start(exec_id)
    for number, line in lines(stream):
        write(number, f"{what}  | {line.decode(errors='replace')}\n")
    stream.close()
    if status := engine.execs.inspect(exec_id)["ExitCode"]:
        raise ActionFailed(f"{what} hook exited with status {status}")


def run_hooks(
    engine: Engine,
    service: Service,
    hooks: Iterable[Hook],
    container: str,
    kind: str,
    write: Callable[[int, str], None],
) -> None:
    """The service's hooks of a kind, one after the other; `write` gets the stream's number and each line."""
    for hook in hooks:
        run_in(engine, container, hook.to_json(), what=f"{service.name} {kind}", write=write)
