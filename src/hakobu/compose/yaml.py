"""YAML text → nodes, from the events of libyaml's parser (PyYAML), composed here.

Composing it ourselves gives every key its line, refuses duplicate keys, resolves scalars by Compose's rules
and bounds depth and size; nothing is ever constructed from a tag. Aliases share their node; the bound on the
expanded size counts them each time, so a small text cannot stand for a huge document.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

import yaml

from hakobu.compose.failure import BadComposeFile, Mark
from hakobu.compose.node import MappingNode, Node, Scalar, Sequence, resolve_plain

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 200_000

_LOADER: type[yaml.Loader] = getattr(yaml, "CLoader", yaml.Loader)
_KNOWN_TAGS = {"!reset", "!override"}
_CORE = "tag:yaml.org,2002:"
_CORE_TAGS = {_CORE + name for name in ("str", "int", "float", "bool", "null", "map", "seq", "merge", "timestamp")}
_Events: TypeAlias = Iterator[yaml.Event]


def parse_all(text: str, file: str) -> tuple[Node, ...]:
    """The documents of `text`; `BadComposeFile` with the place where there can be none."""
    if len(text) > MAX_BYTES:
        raise BadComposeFile(Mark(file), f"is larger than {MAX_BYTES} bytes")
    try:
        return _Composer(file).documents(_events(text))
    except yaml.MarkedYAMLError as e:
        at = e.problem_mark or e.context_mark
        mark = Mark(file, at.line + 1, at.column + 1) if at else Mark(file)
        raise BadComposeFile(mark, f"is not valid YAML: {e.problem or e.context}") from e
    except yaml.YAMLError as e:
        raise BadComposeFile(Mark(file), f"is not valid YAML: {e}") from e


def _events(text: str) -> _Events:
    return yaml.parse(text, Loader=_LOADER)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


class _Composer:
    """Builds the documents; holds the anchors and what was counted so far."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._open: set[str] = set()
        self._nodes = 0

    def documents(self, events: _Events) -> tuple[Node, ...]:
        """Anchors hold in their own document only."""
        found: list[Node] = []
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                found.append(self._node(next(events), events, 0))
        return tuple(found)

    def _mark(self, event: yaml.Event) -> Mark:
        at = event.start_mark
        return Mark(self._file, at.line + 1, at.column + 1) if at else Mark(self._file)

    def _node(self, event: yaml.Event, events: _Events, depth: int) -> Node:
        mark = self._mark(event)
        if depth > MAX_DEPTH:
            raise BadComposeFile(mark, f"is nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), mark)
        anchor = getattr(event, "anchor", None)
        before = self._nodes
        self._count(1, mark)
        if anchor:
            self._open.add(anchor)
        node = self._compose(event, events, depth, mark)
        if anchor:
            self._open.discard(anchor)
            self._anchors[anchor] = (node, self._nodes - before)
        return node

    def _count(self, nodes: int, mark: Mark) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise BadComposeFile(mark, f"has more than {MAX_NODES} nodes, aliases expanded")

    def _alias(self, name: str, mark: Mark) -> Node:
        if name in self._open:
            raise BadComposeFile(mark, f"anchor {name!r} contains itself")
        if name not in self._anchors:
            raise BadComposeFile(mark, f"unknown anchor {name!r}")
        node, size = self._anchors[name]
        self._count(size, mark)
        return node

    def _compose(self, event: yaml.Event, events: _Events, depth: int, mark: Mark) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, mark)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, events, depth, mark)
        assert isinstance(event, yaml.MappingStartEvent)
        return self._mapping(event, events, depth, mark)

    def _tag(self, tag: str | None, mark: Mark) -> str:
        """Only our own tags and YAML's core ones mean something; any other would call for an object."""
        if tag is None or tag == "!" or tag in _KNOWN_TAGS or tag in _CORE_TAGS:
            return tag or ""
        raise BadComposeFile(mark, f"unknown tag {tag!r}")

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> Scalar:
        tag, text = self._tag(event.tag, mark), str(event.value)
        plain = bool(event.implicit[0]) or tag in _KNOWN_TAGS
        if plain and event.style in (None, ""):
            return Scalar(text, resolve_plain(text), mark, tag)
        if tag in (f"{_CORE}int", f"{_CORE}float", f"{_CORE}bool", f"{_CORE}null"):
            return Scalar(text, resolve_plain(text), mark)
        return Scalar(text, text, mark, tag if tag in _KNOWN_TAGS else "")

    def _sequence(self, event: yaml.SequenceStartEvent, events: _Events, depth: int, mark: Mark) -> Sequence:
        items: list[Node] = []
        while not isinstance(following := next(events), yaml.SequenceEndEvent):
            items.append(self._node(following, events, depth + 1))
        return Sequence(tuple(items), mark, self._tag(event.tag, mark))

    def _mapping(self, event: yaml.MappingStartEvent, events: _Events, depth: int, mark: Mark) -> MappingNode:
        entries: dict[str, Node] = {}
        marks: dict[str, Mark] = {}
        merges: list[MappingNode] = []
        while not isinstance(following := next(events), yaml.MappingEndEvent):
            key_mark, key = self._key(following)
            value = self._node(next(events), events, depth + 1)
            if key == "<<" and getattr(following, "style", None) in (None, ""):
                merges += self._merged(value, key_mark)
                continue
            if key in entries:
                raise BadComposeFile(key_mark, f"mapping key {key!r} already defined at line {marks[key].line}")
            entries[key], marks[key] = value, key_mark
        node = MappingNode(entries, marks, mark, self._tag(event.tag, mark))
        return _with_merges(node, merges) if merges else node

    def _key(self, event: yaml.Event) -> tuple[Mark, str]:
        mark = self._mark(event)
        if isinstance(event, yaml.AliasEvent):
            node = self._alias(str(event.anchor), mark)
            if isinstance(node, Scalar):
                return mark, node.text
        if not isinstance(event, yaml.ScalarEvent):
            raise BadComposeFile(mark, "a mapping's key must be a string")
        self._count(1, mark)
        if event.anchor:
            self._anchors[str(event.anchor)] = (self._scalar(event, mark), 1)
        return mark, str(event.value)

    def _merged(self, value: Node, mark: Mark) -> list[MappingNode]:
        candidates = value.items if isinstance(value, Sequence) else (value,)
        merged = [node for node in candidates if isinstance(node, MappingNode)]
        if len(merged) != len(candidates):
            raise BadComposeFile(mark, "map merge requires a mapping or a list of mappings as the value")
        return merged


def _with_merges(node: MappingNode, merges: list[MappingNode]) -> MappingNode:
    """What `<<` brings in: a mapping's own keys win, then the earlier of the merged mappings."""
    entries, marks = dict(node.entries), dict(node.marks)
    for source in merges:
        for key, value in source:
            if key not in entries:
                entries[key], marks[key] = value, source.mark_of(key)
    return replace(node, entries=entries, marks=marks)
