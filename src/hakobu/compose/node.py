"""The nodes of a Compose file: scalars, sequences and mappings, each with its place in the text.

Nodes are immutable and may be shared (YAML aliases), so nothing here may be changed in place. A scalar keeps
its text as written; `value` is what Compose's rules make of it. A mapping keeps the order of its keys.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from hakobu.compose.failure import NOWHERE, Mark
from hakobu.spec.step import Json

Value: TypeAlias = "bool | int | float | str | None"

_INT = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_MOST_DIGITS = 250  # of any base: what is longer would be no float either
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_SPECIAL_FLOATS = {".inf": "inf", "-.inf": "-inf", "+.inf": "inf", ".nan": "nan"}


def resolve_plain(text: str) -> Value:
    """The value of an unquoted scalar. YAML 1.2's rules: `on`, `yes` and `22:22` are strings."""
    if text in _NULLS:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text):
        return _parse_int(text)
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    special = _SPECIAL_FLOATS.get(text.lower())
    return text if special is None else float(special)


def _parse_int(text: str) -> int | float:
    """What no machine word holds is a float."""
    sign, digits = (-1 if text[0] == "-" else 1), text.lstrip("+-").replace("_", "")
    if len(digits) > _MOST_DIGITS:
        return sign * math.inf
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        value = sign * int(digits, 8)  # `0755` is octal, as modes are written
    else:
        value = sign * int(digits, 0)
    return value if -(2**63) <= value < 2**64 else float(value)


@dataclass(frozen=True, slots=True)
class Scalar:
    """`text` as written (after interpolation); `value` typed. `cast`: a string that may stand for another type."""

    text: str
    value: Value
    mark: Mark = NOWHERE
    tag: str = ""
    cast: bool = False

    @property
    def is_null(self) -> bool:
        return self.value is None


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list; `tag` is `!reset` or `!override` where one was written."""

    items: tuple["Node", ...]
    mark: Mark = NOWHERE
    tag: str = ""


@dataclass(frozen=True, slots=True)
class MappingNode:
    """`entries` from key to value; `marks` where each key stands."""

    entries: Mapping[str, "Node"]
    marks: Mapping[str, Mark]
    mark: Mark = NOWHERE
    tag: str = ""

    def __iter__(self) -> Iterator[tuple[str, "Node"]]:
        return iter(self.entries.items())

    def get(self, key: str) -> "Node | None":
        return self.entries.get(key)

    def mark_of(self, key: str) -> Mark:
        return self.marks.get(key, self.mark)

    def with_entries(self, entries: Mapping[str, "Node"], marks: Mapping[str, Mark] | None = None) -> "MappingNode":
        return replace(self, entries=entries, marks=self.marks if marks is None else marks)


Node: TypeAlias = "Scalar | Sequence | MappingNode"


def string(text: str, mark: Mark = NOWHERE) -> Scalar:
    """A scalar that is this string, whatever it looks like."""
    return Scalar(text, text, mark)


def null(mark: Mark = NOWHERE) -> Scalar:
    return Scalar("", None, mark)


def to_plain(node: Node) -> Json:
    """The node's content as a document, keys sorted."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [to_plain(item) for item in node.items]
    return {key: to_plain(value) for key, value in sorted(node)}
