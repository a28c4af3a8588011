"""`rm` and `rmi`."""

from __future__ import annotations

from hakobu.cli.each import for_each
from hakobu.cli.failure import Failure, Silent
from hakobu.cli.kind import BOOL, STRINGS
from hakobu.cli.table import MANY, Command, Flag
from hakobu.client.error import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

RM = Command(
    "rm",
    "[OPTIONS] CONTAINER [CONTAINER...]",
    "Remove containers",
    least=1,
    most=MANY,
    aliases=("container rm", "container remove", "rm"),
    flags=(
        Flag("force", "f", BOOL, "Kill those that run"),
        Flag("link", "l", BOOL, "Remove the link of this name"),
        Flag("volumes", "v", BOOL, "Remove their anonymous volumes, too"),
    ),
)
RMI = Command(
    "rmi",
    "[OPTIONS] IMAGE [IMAGE...]",
    "Remove images",
    least=1,
    most=MANY,
    aliases=("image rm", "image remove", "rmi"),
    flags=(
        Flag("force", "f", BOOL, "Also where a container uses them"),
        Flag("no-prune", "", BOOL, "Keep parents that have no name"),
        Flag("platform", "", STRINGS, "Remove this platform of the image only", since="1.50"),
    ),
)


def rm(session: Session, values: Values, arguments: list[str]) -> int:
    containers, force = session.engine.containers, values.on("force")
    missing: list[str] = []

    def call(name: str) -> str | None:
        plain = name.strip("/")
        if not plain:
            raise Failure("container name cannot be empty")
        try:
            containers.remove(plain, force=force, volumes=values.on("volumes"), link=values.on("link"))
        except EngineError as e:
            if not (force and e.status == 404):
                raise
            missing.append(str(e))
        return None

    if not force:
        return for_each(session, arguments, call)
    return _forced(session, arguments, call, missing)


def _forced(session: Session, names: list[str], call: Callable[[str], str | None], missing: list[str]) -> int:
    """With `-f` a container that is not there is told, but is no failure."""
    failed = False
    for name in names:
        before = len(missing)
        try:
            call(name)
        except EngineError as e:
            session.error(str(e))
            failed = True
            continue
        if len(missing) > before:
            session.error(missing[-1])
        else:
            session.line(name)
    if failed:
        raise Silent(1)
    return 0


def rmi(session: Session, values: Values, arguments: list[str]) -> int:
    failed = False
    for name in arguments:
        try:
            steps = session.engine.images.remove(
                name, force=values.on("force"), prune=not values.on("no-prune"), platforms=values.texts("platform")
            )
        except EngineError as e:
            session.error(str(e))
            failed = failed or not (values.on("force") and e.status == 404)
            continue
        for step in steps:
            kind = "Deleted" if step.get("Deleted") else "Untagged"
            session.line(f"{kind}: {step.get('Deleted') or step.get('Untagged')}")
    if failed:
        raise Silent(1)
    return 0
