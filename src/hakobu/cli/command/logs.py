"""`logs`: what a container has printed, and with `-f` what it prints."""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.cli.kind import BOOL, STRING
from hakobu.cli.session import STDERR_FD, STDOUT_FD, write_all
from hakobu.cli.table import Command, Flag
from hakobu.cli.timestamp import since_text
from hakobu.client.frame import STDERR, Demultiplexer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

LOGS = Command(
    "logs",
    "[OPTIONS] CONTAINER",
    "Show what a container has printed",
    least=1,
    most=1,
    aliases=("container logs", "logs"),
    flags=(
        Flag("clear", "", BOOL, "Forget what it has printed, and show nothing"),
        Flag("details", "", BOOL, "Show what the log driver was given besides"),
        Flag("follow", "f", BOOL, "Go on with what it prints"),
        Flag("since", "", STRING, "From this time on: a timestamp, or 42m for 42 minutes ago"),
        Flag("tail", "n", STRING, "Number of lines from the end", "all"),
        Flag("timestamps", "t", BOOL, "Show when each line was printed"),
        Flag("until", "", STRING, "Up to this time"),
    ),
)


def logs(session: Session, values: Values, arguments: list[str]) -> int:
    if values.on("clear"):
        return _clear(session, values, arguments[0])
    container = session.engine.containers.inspect(arguments[0])
    response = session.engine.containers.logs(
        str(container["Id"]),
        follow=values.on("follow"),
        since=since_text(values.text("since"), what="since"),
        until=since_text(values.text("until"), what="until"),
        timestamps=values.on("timestamps"),
        tail=values.text("tail"),
        details=values.on("details"),
    )
    with response:
        if container["Config"]["Tty"]:
            for data in response:
                write_all(STDOUT_FD, data)
            return 0
        frames = Demultiplexer()
        for data in response:
            for stream, piece in frames.feed(data):
                write_all(STDERR_FD if stream == STDERR else STDOUT_FD, piece)
    return 0


def _clear(session: Session, values: Values, name: str) -> int:
    if values.given != {"clear"}:
        raise Failure("--clear goes alone: it forgets all of the log")
    from hakobu.cli.text.size import decimal
    from hakobu.client.url import quote_path

    answer = session.engine.system.hakobu("DELETE", f"/v1/containers/{quote_path(name)}/logs")
    session.line(f"Total reclaimed space: {decimal(answer['SpaceReclaimed'])}")
    return 0
