"""`checkpoint`: states of running containers, frozen on disk by the engine."""

from __future__ import annotations

from hakobu.cli.kind import BOOL, STRING
from hakobu.cli.table import Command, Flag
from hakobu.client.codec import list_of
from hakobu.client.container import path_of
from hakobu.client.url import quote_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

_DIR = Flag("checkpoint-dir", "", STRING, "Folder of the checkpoints, where it is not the engine's own")
CREATE = Command(
    "checkpoint create",
    "[OPTIONS] CONTAINER CHECKPOINT",
    "Freeze a running container's state on disk",
    least=2,
    most=2,
    flags=(_DIR, Flag("leave-running", "", BOOL, "Let it run on afterwards")),
)
LS = Command(
    "checkpoint ls",
    "[OPTIONS] CONTAINER",
    "List a container's checkpoints",
    least=1,
    most=1,
    aliases=("checkpoint ls", "checkpoint list"),
    flags=(_DIR,),
)
RM = Command(
    "checkpoint rm",
    "[OPTIONS] CONTAINER CHECKPOINT",
    "Remove a checkpoint",
    least=2,
    most=2,
    aliases=("checkpoint rm", "checkpoint remove"),
    flags=(_DIR,),
)


def create(session: Session, values: Values, arguments: list[str]) -> int:
    container, name = arguments
    body = {
        "CheckpointID": name,
        "CheckpointDir": values.text("checkpoint-dir"),
        "Exit": not values.on("leave-running"),
    }
    session.engine.transport.call("POST", path_of(container, "/checkpoints"), None, body)
    session.line(name)
    return 0


def ls(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.text.table import render

    query = {"dir": values.text("checkpoint-dir") or None}
    found = list_of(session.engine.transport.call("GET", path_of(arguments[0], "/checkpoints"), query))
    session.out(render(["CHECKPOINT NAME"], [[str(item["Name"])] for item in found]))
    return 0


def rm(session: Session, values: Values, arguments: list[str]) -> int:
    container, name = arguments
    query = {"dir": values.text("checkpoint-dir") or None}
    session.engine.transport.call("DELETE", path_of(container, f"/checkpoints/{quote_path(name)}"), query)
    return 0
