"""`diff`: what a container has changed in its file system."""

from __future__ import annotations

from hakobu.cli.table import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

DIFF = Command(
    "diff",
    "CONTAINER",
    "Show what a container has changed in its file system",
    least=1,
    most=1,
    aliases=("container diff", "diff"),
)
_KINDS = ("C", "A", "D")


def diff(session: Session, values: Values, arguments: list[str]) -> int:
    changes = session.engine.containers.changes(arguments[0])
    session.out("".join(f"{_KINDS[int(change['Kind'])]} {change['Path']}\n" for change in changes))
    return 0
