"""Paths and queries of requests, encoded; without `urllib`, whose import costs more than a request."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    QueryValue = str | int | bool | list[str] | None

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
_PATH = _PLAIN | frozenset(b"/:@")


def quote(text: str, plain: frozenset[int] = _PLAIN) -> str:
    """Percent-encodes all but unreserved characters; bytes that are not UTF-8 come through unharmed."""
    raw = text.encode("utf-8", "surrogateescape")
    if plain.issuperset(raw):
        return text
    return "".join([chr(c) if c in plain else f"%{c:02X}" for c in raw])


def quote_path(text: str) -> str:
    """A name as part of a path: slashes of an image's name stay what they are."""
    return quote(text, _PATH)


def target(path: str, query: Mapping[str, QueryValue] | None = None) -> str:
    """The request target. None and False leave a parameter out, True is `1`, lists repeat it."""
    pairs: list[str] = []
    for name, value in (query or {}).items():
        if value is None or value is False:
            continue
        for item in value if isinstance(value, list) else [value]:
            text = "1" if item is True else str(item)
            pairs.append(f"{name}={quote(text)}")
    return f"{path}?{'&'.join(pairs)}" if pairs else path
