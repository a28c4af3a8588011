"""Commands of swarm: answered as docker answers them on a machine that is in no swarm.

Hakobu runs the containers of one machine. Whatever flags such a command has, its first request is refused
there; so they are not parsed here. An engine that does manage a swarm is told from the others by `/info`.
"""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.cli.table import MANY, Command
from hakobu.client.codec import object_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

_NOT_A_MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm'
    " and try again."
)
_INSTEAD = "(no swarm in this engine; `compose` runs services on one machine, `compose up --scale` several of one)"

NOT_A_MANAGER = Command("", "[OPTIONS] [ARG...]", "Of swarm, which this engine has not", most=MANY, raw=True)
NO_SWARM = Command("", "[OPTIONS] [ARG...]", "Of swarm, which this engine has not", most=MANY, raw=True)
LEAVE = Command("", "[OPTIONS]", "Leave the swarm", most=MANY, raw=True)


def not_a_manager(session: Session, values: Values, arguments: list[str]) -> int:
    """Services, nodes, secrets, stacks and configurations: they are a manager's."""
    _require_no_swarm(session)
    raise Failure(f"Error response from daemon: {_NOT_A_MANAGER}\n{_INSTEAD}")


def no_swarm(session: Session, values: Values, arguments: list[str]) -> int:
    """`init` and `join`: what nobody can do with this engine."""
    _require_no_swarm(session)
    raise Failure(f"`{session.name}` is not supported: this engine has no swarm\n{_INSTEAD}")


def leave(session: Session, values: Values, arguments: list[str]) -> int:
    _require_no_swarm(session)
    raise Failure("Error response from daemon: This node is not part of a swarm")


def _require_no_swarm(session: Session) -> None:
    swarm = object_of(session.engine.system.info().get("Swarm"))
    if swarm.get("LocalNodeState", "inactive") != "inactive":
        raise Failure(f"`{session.name}`: {session.endpoint.url} is in a swarm; manage that with docker's own command")
