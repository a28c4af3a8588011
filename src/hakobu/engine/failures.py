"""The engine's own refusals, named as facts. Docker's text is what users see, so Docker's text it is."""

from hakobu.errors import HakobuError, Invalid, Kind


class NoSuchContainer(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, ref: str) -> None:
        super().__init__(f"No such container: {ref}")
        self.ref = ref


class AmbiguousPrefix(HakobuError):
    kind = Kind.INVALID

    def __init__(self, what: str, ref: str) -> None:
        super().__init__(f"multiple IDs found with provided prefix: {ref}", hint=f"give more of the {what}'s id")
        self.ref = ref


class NameInUse(HakobuError):
    kind = Kind.CONFLICT

    def __init__(self, name: str, holder: str) -> None:
        super().__init__(
            f'Conflict. The container name "/{name}" is already in use by container "{holder}". '
            "You have to remove (or rename) that container to be able to reuse that name."
        )
        self.name, self.holder = name, holder


class BadName(Invalid):
    def __init__(self, name: str) -> None:
        super().__init__(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", field="name")


class AlreadyStarted(HakobuError):
    kind = Kind.NOT_MODIFIED

    def __init__(self, ref: str) -> None:
        super().__init__(f"container {ref} is already running")


class AlreadyStopped(HakobuError):
    kind = Kind.NOT_MODIFIED

    def __init__(self, ref: str) -> None:
        super().__init__(f"container {ref} is not running")


class NotRunning(HakobuError):
    kind = Kind.CONFLICT

    def __init__(self, container_id: str) -> None:
        super().__init__(f"container {container_id} is not running")
        self.container_id = container_id


class WrongStatus(HakobuError):
    """The operation does not fit the container's status; the message is Docker's for this pair."""

    kind = Kind.CONFLICT


class NoSuchExec(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, exec_id: str) -> None:
        super().__init__(f"No such exec instance: {exec_id}")
        self.exec_id = exec_id


class NoCommand(Invalid):
    def __init__(self) -> None:
        super().__init__("no command specified", field="Cmd", hint="the image names no command: give one")


class StartFailed(HakobuError):
    """What stopped a container from starting, wrapped in the words Docker's clients look for.

    `exit_code` follows the shell: 127 no such command, 126 not executable, 128 everything else.
    """

    def __init__(self, message: str, exit_code: int, *, kind: Kind = Kind.INTERNAL, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code
        self.kind = kind
