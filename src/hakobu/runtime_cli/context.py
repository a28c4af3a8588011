"""What every operation is given, and the errors that all of them share."""

from hakobu.errors import HakobuError, Kind
from hakobu.runtime_cli.log import Log
from hakobu.spec.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Context:
    """`root` is the directory of the containers' state; `systemd_cgroup` what the caller asked for."""

    root: str
    log: Log
    systemd_cgroup: bool = False


class Failed(HakobuError):
    """An operation that could not be done; the words are those that callers of runtimes look for."""


class NoSuchContainer(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, container_id: str) -> None:
        super().__init__(f"container {container_id} does not exist")
        self.container_id = container_id


class ContainerExists(HakobuError):
    kind = Kind.CONFLICT

    def __init__(self, container_id: str) -> None:
        super().__init__(f"container with given ID already exists: {container_id}")
        self.container_id = container_id


class NotRunning(HakobuError):
    kind = Kind.CONFLICT

    def __init__(self, container_id: str, status: str) -> None:
        super().__init__(f"container not running: {container_id} is {status}")
        self.container_id, self.status = container_id, status
