"""`stop`, `restart`, `kill`."""

from __future__ import annotations

from hakobu.cli.each import for_each
from hakobu.cli.kind import INT, STRING
from hakobu.cli.table import MANY, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

_SEVERAL = "[OPTIONS] CONTAINER [CONTAINER...]"
_SIGNAL = Flag("signal", "s", STRING, "Signal to send")
_TIMEOUT = Flag("timeout", "t", INT, "Seconds to wait before the container is killed", aliases=("time",))
STOP = Command(
    "stop",
    _SEVERAL,
    "Stop running containers",
    least=1,
    most=MANY,
    flags=(_SIGNAL, _TIMEOUT),
    aliases=("container stop", "stop"),
)
RESTART = Command(
    "restart",
    _SEVERAL,
    "Stop containers and start them again",
    least=1,
    most=MANY,
    flags=(_SIGNAL, _TIMEOUT),
    aliases=("container restart", "restart"),
)
KILL = Command(
    "kill",
    _SEVERAL,
    "Send a signal to containers, KILL unless told otherwise",
    least=1,
    most=MANY,
    flags=(_SIGNAL,),
    aliases=("container kill", "kill"),
)


def _timeout(values: Values) -> int | None:
    return values.number("timeout") if "timeout" in values.given else None


def stop(session: Session, values: Values, arguments: list[str]) -> int:
    containers = session.engine.containers

    def call(name: str) -> None:
        containers.stop(name, timeout_s=_timeout(values), signal=values.text("signal"))

    return for_each(session, arguments, call)


def restart(session: Session, values: Values, arguments: list[str]) -> int:
    containers = session.engine.containers

    def call(name: str) -> None:
        containers.restart(name, timeout_s=_timeout(values), signal=values.text("signal"))

    return for_each(session, arguments, call)


def kill(session: Session, values: Values, arguments: list[str]) -> int:
    containers = session.engine.containers

    def call(name: str) -> None:
        containers.kill(name, values.text("signal"))

    return for_each(session, arguments, call)
