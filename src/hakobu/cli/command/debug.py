"""`debug CONTAINER`: a toolbox beside a container that has no tools of its own.

The toolbox is a container of another image in the namespaces of the first: it sees its processes, its network
and its shared memory; the first one's files are below /proc/1/root. Nothing is put into the debugged container.
"""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.cli.kind import BOOL, LIST, STRING
from hakobu.cli.table import MANY, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

_IMAGE = "busybox"
DEBUG = Command(
    "debug",
    "[OPTIONS] CONTAINER [COMMAND] [ARG...]",
    "Run a toolbox in a running container's namespaces",
    least=1,
    most=MANY,
    aliases=("container debug", "debug"),
    interspersed=False,
    about="Its processes, network and shared memory are the container's own; the container's files are below\n"
    "/proc/1/root. The toolbox is removed when its command ends.",
    flags=(
        Flag("env", "e", LIST, "Set an environment variable"),
        Flag("image", "", STRING, "Image of the toolbox", _IMAGE),
        Flag("interactive", "i", BOOL, "Keep STDIN open", None),
        Flag("privileged", "", BOOL, "Give the toolbox all that the engine may do"),
        Flag("tty", "t", BOOL, "Give the toolbox a terminal", None),
    ),
)


def debug(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.command.run import RUN, run
    from hakobu.cli.flag import parse_command
    from hakobu.cli.terminal import is_terminal

    name, *command = arguments
    found = session.engine.containers.inspect(name)
    if not found["State"]["Running"]:
        raise Failure(f"container {name} is not running: debug looks into a running one (its files: `cp`, `export`)")
    container, host = str(found["Id"]), found["HostConfig"]
    there = f"container:{container}"
    words = ["--rm", "--pid", there, "--network", there, "--cap-add", "SYS_PTRACE"]
    if host.get("IpcMode") in ("shareable", "host"):
        words += ["--ipc", there if host["IpcMode"] == "shareable" else "host"]
    words += ["--privileged"] if values.on("privileged") else []
    at_terminal = is_terminal(0) and not command
    words += ["-i"] if values.on("interactive") or at_terminal else []
    words += ["-t"] if values.on("tty") or at_terminal else []
    for item in values.texts("env"):
        words += ["-e", item]
    parsed, rest = parse_command(RUN, [*words, values.text("image"), *command])
    return run(session, parsed, rest)
