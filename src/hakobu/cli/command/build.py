"""`build` and `builder`: handed to docker's buildx plugin where it is installed, else refused by name."""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.cli.table import MANY, Command
from hakobu.client.codec import object_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

BUILD = Command("", "[OPTIONS] PATH | URL | -", "Build an image with docker's buildx plugin", most=MANY, raw=True)
PRUNE = Command("", "[OPTIONS]", "Remove the build cache with docker's buildx plugin", most=MANY, raw=True)
BAKE = Command("", "[OPTIONS] [TARGET...]", "Build from a file with docker's buildx plugin", most=MANY, raw=True)


def build(session: Session, values: Values, arguments: list[str]) -> int:
    return _hand_over(session, "build", arguments)


def prune(session: Session, values: Values, arguments: list[str]) -> int:
    return _hand_over(session, "prune", arguments)


def bake(session: Session, values: Values, arguments: list[str]) -> int:
    return _hand_over(session, "bake", arguments)


def _hand_over(session: Session, verb: str, arguments: list[str]) -> int:
    from hakobu.cli.plugins import find, run

    # The one alias that docker's configuration may give: another program for `builder`.
    name = str(object_of(session.config().get("aliases")).get("builder") or "buildx")
    path = find(session, name)
    if not path:
        raise Failure(
            f"`{session.name}` is not part of this program, and docker's plugin {name} is not installed\n"
            "(`image bootstrap` makes images from a distribution's packages, `commit` from a container)"
        )
    return run(session, path, [name, verb, *arguments])
