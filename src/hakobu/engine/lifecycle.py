"""The life cycle of a container as a table: which operation fits which status.

`require` is the one question; its refusals are Docker's. The test is the full product of both sets.
"""

from enum import StrEnum

from hakobu.engine.failures import AlreadyStarted, AlreadyStopped, NotRunning, WrongStatus
from hakobu.errors import HakobuError
from hakobu.spec.container import Container, Status


class Op(StrEnum):
    """An operation on an existing container that depends on its status."""

    START = "start"
    STOP = "stop"
    KILL = "kill"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    EXEC = "exec"
    ATTACH = "attach"
    RESIZE = "resize"
    REMOVE = "remove"
    FORCE_REMOVE = "force-remove"
    RENAME = "rename"
    TOP = "top"


_ALIVE = frozenset({Status.RUNNING, Status.PAUSED, Status.RESTARTING})
_EVERY = frozenset(Status)

ALLOWED: dict[Op, frozenset[Status]] = {
    Op.START: frozenset({Status.CREATED, Status.EXITED}),
    Op.STOP: _ALIVE,
    Op.KILL: _ALIVE,
    Op.PAUSE: frozenset({Status.RUNNING}),
    Op.UNPAUSE: frozenset({Status.PAUSED}),
    Op.EXEC: frozenset({Status.RUNNING}),
    Op.ATTACH: frozenset({Status.CREATED, Status.RUNNING, Status.EXITED}),
    Op.RESIZE: frozenset({Status.RUNNING}),
    Op.REMOVE: frozenset({Status.CREATED, Status.EXITED, Status.DEAD}),
    Op.FORCE_REMOVE: _EVERY - {Status.REMOVING},
    Op.RENAME: _EVERY - {Status.REMOVING, Status.DEAD},
    Op.TOP: frozenset({Status.RUNNING, Status.PAUSED}),
}


def require(op: Op, container: Container) -> None:
    """Raises the refusal that fits, when `op` does not fit the container's status."""
    if container.state.status not in ALLOWED[op]:
        raise _refusal(op, container)


def _refusal(op: Op, container: Container) -> HakobuError:
    status = container.state.status
    match op, status:
        case _, Status.REMOVING if op in (Op.REMOVE, Op.FORCE_REMOVE):
            return WrongStatus(f"removal of container {container.id} is already in progress")
        case _, Status.REMOVING | Status.DEAD if op is Op.START:
            return WrongStatus("container is marked for removal and cannot be started")
        case Op.START, Status.PAUSED:
            return WrongStatus("cannot start a paused container, try unpause instead")
        case Op.START, _:
            return AlreadyStarted(container.name)
        case Op.STOP, _:
            return AlreadyStopped(container.name)
        case Op.PAUSE, Status.PAUSED:
            return WrongStatus(f"Container {container.id} is already paused")
        case Op.PAUSE, Status.RESTARTING:
            return WrongStatus(f"Container {container.id} is restarting, wait until the container is running")
        case Op.UNPAUSE, _:
            return WrongStatus(f"Container {container.id} is not paused")
        case Op.EXEC | Op.ATTACH, Status.PAUSED:
            return WrongStatus(f"Container {container.name} is paused, unpause the container before exec")
        case Op.EXEC | Op.ATTACH | Op.TOP, Status.RESTARTING:
            return WrongStatus(f"Container {container.id} is restarting, wait until the container is running")
        case Op.REMOVE, _:
            return WrongStatus(
                f'cannot remove container "/{container.name}": container is {status.value}: '
                "stop the container before removing or force remove"
            )
        case _:
            return NotRunning(container.id)
