"""Error kinds and the base class of every error the engine raises on purpose.

A concrete error stands beside the code that raises it, is named as a fact (`NoSuchContainer`) and carries
its facts as attributes. Only the edges translate: `api/` maps a kind to an HTTP status, `cli/` to an exit
code. `kernel/` raises nothing of this, only `OSError`.
"""

from enum import StrEnum


class Kind(StrEnum):
    """The closed set of ways in which an operation fails; each edge maps all of them."""

    INVALID = "invalid"
    UNAUTHORIZED = "unauthorized"
    DENIED = "denied"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    NOT_MODIFIED = "not-modified"
    EXHAUSTED = "exhausted"
    NOT_IMPLEMENTED = "not-implemented"
    UNAVAILABLE = "unavailable"
    DATA_LOSS = "data-loss"
    INTERNAL = "internal"


class HakobuError(Exception):
    """An expected failure: what is wrong (`message`), and what to do about it (`hint`, may be empty)."""

    kind: Kind = Kind.INTERNAL

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class Invalid(HakobuError):
    """A value that came from outside is not acceptable; `field` names it in the outside's own words."""

    kind = Kind.INVALID

    def __init__(self, message: str, *, field: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field
