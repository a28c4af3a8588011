"""`top`: the processes of a container."""

from __future__ import annotations

from hakobu.cli.table import MANY, Command
from hakobu.cli.text.table import columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

TOP = Command(
    "top",
    "CONTAINER [ps OPTIONS]",
    "Show the processes of a container",
    least=1,
    most=MANY,
    aliases=("container top", "top"),
    interspersed=False,
)


def top(session: Session, values: Values, arguments: list[str]) -> int:
    found = session.engine.containers.top(arguments[0], " ".join(arguments[1:]))
    rows: list[list[str]] = [found["Titles"], *(found["Processes"] or [])]
    session.out(columns("".join("\t".join(row) + "\n" for row in rows), min_width=20))
    return 0
