"""`include`: other projects' files as part of this one. What they bring must not clash with what is here. Pure."""

from dataclasses import dataclass

from hakobu.compose.failure import BadComposeFile, raise_mistakes
from hakobu.compose.model.reading import read_each, read_fields, read_string, read_string_or_list
from hakobu.compose.node import MappingNode, Node, Scalar, Sequence

_SECTIONS = ("services", "networks", "volumes", "secrets", "configs", "models")


@dataclass(frozen=True, slots=True)
class Include:
    """One entry, as written: several `paths` are merged with each other first."""

    paths: tuple[str, ...]
    project_directory: str = ""
    env_files: tuple[str, ...] = ()


def read_includes(document: MappingNode) -> tuple[Include, ...]:
    node = document.get("include")
    return () if node is None else tuple(read_each(node, "include", _read_one))


def _read_one(node: Node, path: str) -> Include:
    if isinstance(node, Scalar):
        return Include((read_string(node, path),))
    shape = {"path": read_string_or_list, "project_directory": read_string, "env_file": read_string_or_list}
    fields = read_fields(node, path, shape, ("path",))
    return Include(fields["path"], fields.get("project_directory", ""), fields.get("env_file", ()))


def combine(document: MappingNode, included: MappingNode) -> MappingNode:
    """The document with what was included; the same name may be in both only with the same content."""
    entries = dict(document.entries)
    mistakes: list[BadComposeFile] = []
    for section in _SECTIONS:
        theirs = included.get(section)
        if isinstance(theirs, MappingNode):
            entries[section] = _combine_section(section, entries.get(section), theirs, mistakes)
    raise_mistakes(mistakes)
    return document.with_entries(entries)


def _combine_section(
    section: str, ours: "Node | None", theirs: MappingNode, mistakes: list[BadComposeFile]
) -> MappingNode:
    if not isinstance(ours, MappingNode):
        return theirs
    entries, marks = dict(ours.entries), dict(ours.marks)
    for key, value in theirs:
        if key not in entries:
            entries[key], marks[key] = value, theirs.mark_of(key)
        elif _content(entries[key]) != _content(value):
            text = f"{section}.{key} conflicts with imported resource {theirs.mark_of(key)}"
            mistakes.append(BadComposeFile(ours.mark_of(key), text))
    return ours.with_entries(entries, marks)


def _content(node: Node) -> object:
    """What a node says, wherever it stands."""
    if isinstance(node, Scalar):
        return (node.value, node.tag)
    if isinstance(node, Sequence):
        return [_content(item) for item in node.items]
    return {key: _content(value) for key, value in node}
