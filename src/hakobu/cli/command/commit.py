"""`commit`: an image of what a container has changed."""

from __future__ import annotations

from hakobu.cli.kind import BOOL, LIST, STRING
from hakobu.cli.reference import check, full_name, split
from hakobu.cli.table import Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

COMMIT = Command(
    "commit",
    "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
    "Make an image of a container's changes",
    least=1,
    most=2,
    aliases=("container commit", "commit"),
    flags=(
        Flag("author", "a", STRING, "Author of the image"),
        Flag("change", "c", LIST, "Apply a Dockerfile instruction to the image"),
        Flag("message", "m", STRING, "Comment of the image"),
        Flag("pause", "p", BOOL, "Freeze the container meanwhile", True),
    ),
)


def commit(session: Session, values: Values, arguments: list[str]) -> int:
    query: dict[str, str | bool | list[str] | None] = {
        "author": values.text("author") or None,
        "comment": values.text("message") or None,
        "changes": values.texts("change"),
        "pause": None if values.on("pause") else "0",
    }
    if len(arguments) > 1:
        name, tag, _ = split(check(arguments[1]))
        query |= {"repo": full_name(name), "tag": tag or "latest"}
    session.line(session.engine.containers.commit(arguments[0], query))
    return 0
