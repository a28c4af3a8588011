"""`attach`: our standard streams to those of a running container."""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.cli.kind import BOOL, STRING
from hakobu.cli.table import Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

ATTACH = Command(
    "attach",
    "[OPTIONS] CONTAINER",
    "Connect our input and output to a running container's",
    least=1,
    most=1,
    aliases=("container attach", "attach"),
    flags=(
        Flag("detach-keys", "", STRING, "Keys that leave an attached terminal"),
        Flag("no-stdin", "", BOOL, "Leave its standard input alone"),
        Flag("sig-proxy", "", BOOL, "Pass signals on to the container", True),
    ),
)


def attach(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.attach_keys import keys_text
    from hakobu.cli.command.run import follow
    from hakobu.cli.terminal import is_terminal

    containers = session.engine.containers
    found = containers.inspect(arguments[0])
    state = found["State"]
    if not state["Running"]:
        raise Failure("You cannot attach to a stopped container, start it first")
    if state["Paused"]:
        raise Failure("You cannot attach to a paused container, unpause it first")
    if state["Restarting"]:
        raise Failure("You cannot attach to a restarting container, wait until it is running")
    tty = bool(found["Config"]["Tty"])
    stdin = bool(found["Config"]["OpenStdin"]) and not values.on("no-stdin")
    if tty and stdin and not is_terminal(0):
        raise Failure("the input device is not a TTY")
    keys = keys_text(session, values.text("detach-keys")) if tty else values.text("detach-keys")
    container = str(found["Id"])
    waiter = containers.wait(container)
    stream = containers.attach(container, stdin=stdin, detach_keys=keys)
    proxy = values.on("sig-proxy") and not tty
    return follow(session, stream, waiter, container, stdin=stdin, tty=tty, proxy=proxy, keys=keys, redraw=tty)
