"""What a plan is made of: actions in waves.

The actions of one wave do not depend on each other and may run side by side, a wave begins when the one before has
ended. Values alone: `plan.py` and `plan_down.py` make them, `apply.py` carries them out.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from hakobu.compose.observed import ObservedContainer


class Kind(StrEnum):
    """What an action does."""

    PULL = "pull"
    CREATE_NETWORK = "create-network"
    CREATE_VOLUME = "create-volume"
    CREATE = "create"
    RECREATE = "recreate"
    ROLL = "roll"
    START = "start"
    KEEP = "keep"
    AWAIT = "await"
    STOP = "stop"
    RESTART = "restart"
    KILL = "kill"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    REMOVE = "remove"
    REMOVE_NETWORK = "remove-network"
    REMOVE_VOLUME = "remove-volume"
    REMOVE_IMAGE = "remove-image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """`name` is what people read, `reason` why it is done; the other fields are what the kind needs."""

    kind: Kind
    name: str
    service: str = ""
    number: int = 0
    container: ObservedContainer | None = None
    condition: str = ""
    required: bool = True
    reason: str = ""


Wave: TypeAlias = "tuple[Action, ...]"
Plan: TypeAlias = "tuple[Wave, ...]"


READY = "ready"
"""What --wait waits for: healthy, running without a health check, or ended with status 0 when it is a one-shot."""

CONFIG_CHANGED = "config changed"


def on(kind: Kind, container: ObservedContainer) -> Action:
    return Action(
        kind=kind, name=container.name, service=container.service, number=container.number, container=container
    )


def because(reason: str, plan: Plan) -> Plan:
    """The plan with one reason for everything in it."""
    return tuple(tuple(replace(action, reason=reason) for action in wave) for wave in plan)
