"""How a command ends other than well: what goes to standard error, and the exit status."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.table import Command


class Failure(Exception):
    """A command's failure: `message` is printed as it is, `status` is the exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class Silent(Failure):
    """Ends with a status and without a word: the container's own, or an error told already."""

    def __init__(self, status: int) -> None:
        super().__init__("", status)


class BadFlags(Exception):
    """Flags that cannot be parsed: told with the command's usage line, status 125 as docker's."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadArguments(Exception):
    """Too few or too many arguments: told with the usage line, status 1."""

    def __init__(self, command: Command, wanted: str, *, see: str = "See") -> None:
        super().__init__(wanted)
        self.command = command
        self.wanted = wanted
        self.see = see


class HelpWanted(Exception):
    """`--help` was among the flags."""
