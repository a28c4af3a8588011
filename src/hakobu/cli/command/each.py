"""The short ones: `pause`, `unpause`, `rename`, `tag`, `wait`."""

from __future__ import annotations

from hakobu.cli.each import for_each
from hakobu.cli.failure import Failure
from hakobu.cli.kind import DURATION, STRING
from hakobu.cli.table import MANY, Command, Flag
from hakobu.client.error import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

_SEVERAL = "CONTAINER [CONTAINER...]"
PAUSE = Command(
    "pause", _SEVERAL, "Freeze all processes of containers", least=1, most=MANY, aliases=("container pause", "pause")
)
UNPAUSE = Command(
    "unpause",
    _SEVERAL,
    "Let frozen processes of containers run on",
    least=1,
    most=MANY,
    aliases=("container unpause", "unpause"),
)
WAIT = Command(
    "wait",
    _SEVERAL,
    "Wait until containers stop, and print their exit statuses",
    least=1,
    most=MANY,
    aliases=("container wait", "wait"),
    flags=(
        Flag("condition", "", STRING, "Wait for: not-running, next-exit, removed or healthy", "not-running"),
        Flag("timeout", "", DURATION, "Give up after this time (healthy)"),
    ),
)
RENAME = Command(
    "rename",
    "CONTAINER NEW_NAME",
    "Give a container another name",
    least=2,
    most=2,
    aliases=("container rename", "rename"),
)
TAG = Command(
    "tag",
    "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    "Give an image one more name",
    least=2,
    most=2,
    aliases=("image tag", "tag"),
)


_CONDITIONS = ("not-running", "next-exit", "removed", "healthy")


def pause(session: Session, values: Values, arguments: list[str]) -> int:
    return for_each(session, arguments, session.engine.containers.pause)


def unpause(session: Session, values: Values, arguments: list[str]) -> int:
    return for_each(session, arguments, session.engine.containers.unpause)


def wait(session: Session, values: Values, arguments: list[str]) -> int:
    containers, condition = session.engine.containers, values.text("condition")
    if condition not in _CONDITIONS:
        raise Failure(f"invalid condition: {condition}: must be one of {', '.join(_CONDITIONS)}")
    if values.number("timeout") and condition != "healthy":
        raise Failure("--timeout goes with --condition healthy only")

    def status(name: str) -> str:
        if condition == "healthy":
            from hakobu.client.readiness import wait_ready

            return wait_ready(
                session.engine.containers, name, timeout_s=values.number("timeout") / 1e9 or None, health_only=True
            )
        return str(containers.wait(name, "" if condition == "not-running" else condition).result()[0])

    return for_each(session, arguments, status)


def rename(session: Session, values: Values, arguments: list[str]) -> int:
    old, new = (argument.strip() for argument in arguments)
    if not old or not new:
        raise Failure("Error: Neither old nor new names may be empty")
    try:
        session.engine.containers.rename(old, new)
    except EngineError as e:
        session.error(str(e))
        raise Failure(f"Error: failed to rename container named {old}") from None
    return 0


def tag(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.reference import check, full_name, split

    try:
        name, tag_name, _ = split(check(arguments[1]))
    except Failure as e:
        message = f'Error parsing reference: "{arguments[1]}" is not a valid repository/tag: {e.message}'
        raise Failure(message) from None
    session.engine.images.tag(arguments[0], full_name(name), tag_name or "latest")
    return 0
