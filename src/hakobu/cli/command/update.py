"""`update`: other limits and another restart policy for containers that exist."""

from __future__ import annotations

from hakobu.cli.each import for_each
from hakobu.cli.failure import Failure
from hakobu.cli.kind import STRING
from hakobu.cli.option.container import HOST_FIELDS
from hakobu.cli.option.flags import RESOURCES
from hakobu.cli.option.value import parse_restart
from hakobu.cli.table import MANY, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

_NAMES = [
    "blkio-weight",
    "cpu-period",
    "cpu-quota",
    "cpu-rt-period",
    "cpu-rt-runtime",
    "cpu-shares",
    "cpus",
    "cpuset-cpus",
    "cpuset-mems",
    "kernel-memory",
    "memory",
    "memory-reservation",
    "memory-swap",
    "pids-limit",
]
UPDATE = Command(
    "update",
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Change limits and restart policy of containers",
    least=1,
    most=MANY,
    aliases=("container update", "update"),
    flags=(
        *(flag for flag in RESOURCES if flag.long in _NAMES),
        Flag("restart", "", STRING, "What to do when the container exits"),
    ),
)


def update(session: Session, values: Values, arguments: list[str]) -> int:
    if not values.given:
        raise Failure("you must provide one or more flags when using this command")
    body: Json = {
        field: values.raw(flag) for flag, field in HOST_FIELDS.items() if flag in values.given and flag in _NAMES
    }
    if values.text("restart"):
        try:
            body["RestartPolicy"] = parse_restart(values.text("restart"))
        except ValueError as e:
            raise Failure(str(e)) from None
    warnings: list[str] = []

    def call(name: str) -> None:
        warnings.extend(session.engine.containers.update(name, body).get("Warnings") or [])

    status = for_each(session, arguments, call)
    if warnings:
        session.line("\n".join(warnings))
    return status
