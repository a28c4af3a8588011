"""`extends`: a service takes what another says, from its own file or another one, and adds to it.

A base may itself extend; chains are followed, and one that comes back to itself is refused with each step's place.
What comes from another file has its paths made absolute by that file's directory.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hakobu.compose.failure import BadComposeFile, Mark, raise_mistakes
from hakobu.compose.merge import merge_service
from hakobu.compose.model.reading import read_fields, read_string
from hakobu.compose.node import MappingNode, Node, Scalar
from hakobu.compose.path import Base, absolute_service


@dataclass(frozen=True, slots=True)
class _Place:
    """A service in a file: where its base is looked up, and what paths of its file are relative to."""

    services: MappingNode
    file: str
    directory: str


class Extender:
    """Resolves the `extends` of documents; `read` gives a file's documents, `has` whether there is one."""

    def __init__(self, read: Callable[[str], Sequence[MappingNode]], has: Callable[[str], bool], home: str) -> None:
        self._read = read
        self._has = has
        self._home = home

    def extended(self, document: MappingNode, file: str, directory: str) -> MappingNode:
        """The document with every service complete, and all mistakes at once."""
        services = document.get("services")
        if not isinstance(services, MappingNode):
            return document
        place = _Place(services, file, directory)
        found: dict[str, Node] = {}
        mistakes: list[BadComposeFile] = []
        for name, node in services:
            try:
                found[name] = self._service(name, node, place, ())
            except BadComposeFile as e:
                mistakes.append(e)
        raise_mistakes(mistakes)
        return document.with_entries({**document.entries, "services": services.with_entries(found)})

    def _service(self, name: str, node: Node, place: _Place, chain: tuple[tuple[str, str, Mark], ...]) -> Node:
        extends = node.get("extends") if isinstance(node, MappingNode) else None
        if extends is None or not isinstance(node, MappingNode):
            return node
        mark = node.mark_of("extends")
        if any((place.file, name) == (file, before) for file, before, _ in chain):
            trail = "".join(f"\n  {before} in {at}" for _, before, at in (*chain, (place.file, name, mark)))
            raise BadComposeFile(mark, f"extends in a circle:{trail}", path=f"services.{name}.extends")
        base_name, file = _read(extends, f"services.{name}.extends")
        base = self._base(name, mark, base_name, file, place, (*chain, (place.file, name, mark)))
        own = {key: value for key, value in node if key != "extends"}
        return merge_service(base, node.with_entries(own))

    def _base(
        self, name: str, mark: Mark, base: str, file: str, place: _Place, chain: tuple[tuple[str, str, Mark], ...]
    ) -> Node:
        other = place
        if file:
            path = Base(place.directory, self._home).path(file)
            if not self._has(path):
                raise BadComposeFile(mark, f"names a file that is not there: {path}", path=f"services.{name}.extends")
            other = _Place(_services(self._read(path)), path, os.path.dirname(path))
        node = other.services.get(base)
        if node is None:
            raise BadComposeFile(mark, f"cannot extend service {name!r} in {other.file}: service {base!r} not found")
        complete = self._service(base, node, other, chain)
        return complete if other is place else absolute_service(complete, Base(other.directory, self._home))


def _services(documents: Sequence[MappingNode]) -> MappingNode:
    """The services of a file; of several documents the last that has a service of the name counts."""
    entries: dict[str, Node] = {}
    marks: dict[str, Mark] = {}
    for document in documents:
        services = document.get("services")
        if isinstance(services, MappingNode):
            entries |= services.entries
            marks |= services.marks
    return MappingNode(entries, marks)


def _read(node: Node, path: str) -> tuple[str, str]:
    """The service and the file, which is empty for the service's own."""
    if isinstance(node, Scalar):
        return read_string(node, path), ""
    fields = read_fields(node, path, {"service": read_string, "file": read_string}, ("service",))
    return str(fields["service"]), str(fields.get("file", ""))
