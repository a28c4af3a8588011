"""How the fields of a Kubernetes object are read: by tables, with what is refused and what is only told in them."""

from dataclasses import dataclass, field
from typing import Any

from hakobu.compose.model.reading import Reader, read_fields, read_string
from hakobu.compose.node import MappingNode, Node, Scalar
from hakobu.formats.note import Note, refuse

CLUSTER = "it is for clusters of several machines"


@dataclass(frozen=True, slots=True)
class Notes:
    """What a reading has passed over so far."""

    found: list[Note] = field(default_factory=list[Note])

    def told(self, reason: str) -> Reader:
        """A reader for a field without effect here: it is told, and goes on; one that says nothing is not."""

        def read(node: Node, path: str) -> None:
            if not _says_nothing(node):
                self.found.append(Note(path, reason, node.mark))

        return read

    def all_told(self, reason: str, *names: str) -> dict[str, Reader]:
        return dict.fromkeys(names, self.told(reason))


def refused(reason: str) -> Reader:
    """A reader for a field without which the object would be another."""

    def read(node: Node, path: str) -> None:
        if not _says_nothing(node):
            raise refuse(node, path, reason)

    return read


def all_refused(reason: str, *names: str) -> dict[str, Reader]:
    return dict.fromkeys(names, refused(reason))


def only(reason: str, *values: object) -> Reader:
    """A reader for a field that may have these values, and no other."""

    def read(node: Node, path: str) -> None:
        if not (isinstance(node, Scalar) and (node.is_null or node.value in values)):
            raise refuse(node, path, reason)

    return read


def _says_nothing(node: Node) -> bool:
    if isinstance(node, Scalar):
        return node.is_null or node.value is False or node.value == ""
    return not node.entries if isinstance(node, MappingNode) else not node.items


def fields(node: Node, path: str, readers: dict[str, Reader], *required: str) -> dict[str, Any]:
    """What a mapping says, by the table; null fields are as good as not there."""
    if isinstance(node, MappingNode):
        node = node.with_entries({k: v for k, v in node if not (isinstance(v, Scalar) and v.is_null)})
    return read_fields(node, path, readers, required)


def read_name(node: Node, path: str) -> str:
    """The `name` of a reference to another object."""
    return str(fields(node, path, {"name": read_string}, "name")["name"])
