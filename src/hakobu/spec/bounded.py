"""Documents from outside, read once and with bounds: size, depth, numbers, types.

`load_json` turns bytes into JSON values or raises `Invalid`; `Fields` walks the result and names, in every error, the
field it stumbled over. Numbers are integers of at most 64 bits; floats, NaN, duplicate keys and lone surrogates are
refused, because two readers of one document must never see two things.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar, cast

from hakobu.errors import Invalid
from hakobu.spec.step import Json

MAX_MANIFEST_BYTES = 4 << 20
MAX_CONFIG_BYTES = 16 << 20
MAX_DEPTH = 256
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,18})\Z", re.ASCII)
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
T = TypeVar("T")


class BadDocument(Invalid):
    """A document is not what it claims to be; `field` names the place."""


def load_json(
    data: bytes, *, what: str = "document", max_bytes: int = MAX_CONFIG_BYTES, max_depth: int = MAX_DEPTH
) -> Json:
    """The JSON value in `data`. Raises `BadDocument` for everything else, whatever an attacker put there."""
    if len(data) > max_bytes:
        raise BadDocument(f"{what} is larger than {max_bytes} bytes", field=what)
    _check_depth(data, what, max_depth)
    try:
        text = data.decode("utf-8")
        value: Json = json.loads(
            text, object_pairs_hook=_no_duplicates, parse_int=_integer, parse_float=_float, parse_constant=_refuse
        )
    except (ValueError, RecursionError) as error:
        raise BadDocument(f"{what} is not valid JSON: {error}", field=what) from error
    if "\\u" in text and _LONE_SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise BadDocument(f"{what} contains half of a surrogate pair", field=what)
    return value


def _check_depth(data: bytes, what: str, max_depth: int) -> None:
    depth = 0
    if data.count(b"[") + data.count(b"{") <= max_depth:
        return
    for byte in _STRINGS.sub(b"", data):
        if byte in b"[{":
            depth += 1
            if depth > max_depth:
                raise BadDocument(f"{what} is nested deeper than {max_depth}", field=what)
        elif byte in b"]}":
            depth -= 1


def _no_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has the same key twice")
    return found


def _integer(text: str) -> int:
    if not _INTEGER.match(text) or not -(1 << 63) <= (value := int(text)) < 1 << 63:
        raise ValueError("a number is out of range")
    return value


def _float(text: str) -> float:
    if len(text) > 64:
        raise ValueError("a number is too long")
    return float(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of a document and the name of its place. Absent and null are the same: the default."""

    values: Mapping[str, Json]
    place: str = ""

    @classmethod
    def of(cls, value: Json, place: str) -> "Fields":
        if not isinstance(value, dict):
            raise BadDocument(f"{place} must be an object", field=place)
        return cls(value, place)

    def at(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def _typed(self, key: str, kind: type[T], word: str, default: T) -> T:
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise BadDocument(f"{self.at(key)} must be {word}", field=self.at(key))
        return value

    def string(self, key: str, default: str = "") -> str:
        return self._typed(key, str, "a string", default)

    def integer(self, key: str, default: int = 0, *, low: int = 0, high: int = (1 << 63) - 1) -> int:
        value = self._typed(key, int, "an integer", default)
        if not low <= value <= high:
            raise BadDocument(f"{self.at(key)} must be from {low} to {high}", field=self.at(key))
        return value

    def boolean(self, key: str, default: bool = False) -> bool:
        return self._typed(key, bool, "true or false", default)

    def fields(self, key: str) -> "Fields | None":
        value = self.values.get(key)
        return None if value is None else Fields.of(value, self.at(key))

    def items(self, key: str, limit: int = 10_000) -> Sequence[Json]:
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise BadDocument(f"{self.at(key)} must be a list", field=self.at(key))
        if len(value) > limit:
            raise BadDocument(f"{self.at(key)} has more than {limit} items", field=self.at(key))
        return value

    def objects(self, key: str, limit: int = 10_000) -> "tuple[Fields, ...]":
        return tuple(Fields.of(v, f"{self.at(key)}[{i}]") for i, v in enumerate(self.items(key, limit)))

    def strings(self, key: str, limit: int = 10_000) -> tuple[str, ...]:
        values = self.items(key, limit)
        for index, value in enumerate(values):
            if not isinstance(value, str):
                place = f"{self.at(key)}[{index}]"
                raise BadDocument(f"{place} must be a string", field=place)
        return cast("tuple[str, ...]", tuple(values))

    def string_map(self, key: str) -> dict[str, str]:
        inner = self.fields(key)
        return {} if inner is None else {name: inner.string(name) for name in inner.values}

    def require(self, key: str) -> None:
        if self.values.get(key) is None:
            raise BadDocument(f"{self.at(key)} is missing", field=self.at(key))
