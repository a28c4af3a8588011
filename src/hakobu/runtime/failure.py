"""Why a container did not start, as facts: the child's words carried to the engine with their exit code."""

from hakobu.errors import HakobuError, Kind


class StepFailed(HakobuError):
    """A step could not be done; `step` is its name. `exit_code` is what a shell would say."""

    def __init__(self, step: str, reason: str, *, exit_code: int = 128, kind: Kind = Kind.INTERNAL) -> None:
        super().__init__(reason)
        self.step, self.exit_code, self.kind = step, exit_code, kind


class NoShim(HakobuError):
    """There is no process that holds the container: it was killed, or the machine restarted."""

    kind = Kind.NOT_FOUND

    def __init__(self, container_id: str) -> None:
        super().__init__(f"no process holds container {container_id}")
        self.container_id = container_id


class PortInUse(HakobuError):
    kind = Kind.INTERNAL

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.exit_code = 125


class ProgramNotFound(Exception):
    """Within a child: the message is Docker's, `exit_code` 127 (not there) or 126 (not executable)."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UserNotFound(Exception):
    """Within a child: the image knows no such user or group."""
