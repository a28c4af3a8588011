"""Refusals of a scoped socket: 403 with what is missing, and what its owner would have to name."""

from hakobu.errors import HakobuError, Kind


class NotPermitted(HakobuError):
    """`missing` is a permission of `spec.policy`, or `owner` for what no scoped socket may."""

    kind = Kind.DENIED

    def __init__(self, socket: str, missing: str) -> None:
        hint = "" if missing == "owner" else f"its owner may make one with --allow {missing}"
        super().__init__(f"the socket {socket} does not permit this: it needs {missing}", hint=hint)
        self.missing = missing


class NotGranted(HakobuError):
    """A container, network or volume would reach further than the policy says; `field` is Docker's name."""

    kind = Kind.DENIED

    def __init__(self, socket: str, field: str, needed: str) -> None:
        super().__init__(f"the socket {socket} does not permit {field}: it needs {needed}")
        self.field, self.needed = field, needed


class OutOfScope(HakobuError):
    """A name that exists, shown by the policy, and is not to be changed by it."""

    kind = Kind.DENIED

    def __init__(self, socket: str, what: str, name: str) -> None:
        super().__init__(f"the socket {socket} may use the {what} {name}, not change it")


class NoSuchObject(HakobuError):
    """What is out of scope looks as if it were not there: the text is the engine's own for that."""

    kind = Kind.NOT_FOUND


class NameTaken(HakobuError):
    """Names are the engine's, not a scope's: that one is taken is all that is told."""

    kind = Kind.CONFLICT

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"the {what} name {name!r} is not free")
