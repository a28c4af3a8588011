"""What a form does not say, and what a reader passes over: facts for standard error, each with its place."""

from dataclasses import dataclass

from hakobu.compose.failure import NOWHERE, BadComposeFile, Mark
from hakobu.compose.node import Node
from hakobu.errors import Kind


@dataclass(frozen=True, slots=True)
class Note:
    """`path` is `services.web.depends_on`, `spec.nodeSelector`, `Container.AutoUpdate`; `text` why it is not taken."""

    path: str
    text: str
    mark: Mark = NOWHERE

    def __str__(self) -> str:
        place = "" if self.mark == NOWHERE else f"{self.mark}: "
        return f"{place}{self.path}: {self.text}"


class UnsupportedField(BadComposeFile):
    """A field of the format that is not carried out: refused with its place, as dropping it changes things."""

    kind = Kind.NOT_IMPLEMENTED

    def __init__(self, mark: Mark, path: str, reason: str) -> None:
        super().__init__(mark, f"is not supported: {reason}", path=path, hint="docs/formats.md lists what works")


def refuse(node: Node, path: str, reason: str) -> UnsupportedField:
    """The refusal of a field where it stands."""
    return UnsupportedField(node.mark, path, reason)
