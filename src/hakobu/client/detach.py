"""Detach keys: leaving an attached terminal by a sequence of keys, `ctrl-p,ctrl-q` unless told otherwise.

The client looks for them in what is typed; where they come whole they are swallowed and the session ends,
where a sequence breaks off its keys are sent on, late but complete.
"""

from __future__ import annotations

DEFAULT = b"\x10\x11"
_CTRL = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}


class BadDetachKeys(ValueError):
    """A sequence that names no key; `text` is what was given."""


def parse_keys(text: str) -> bytes:
    """`ctrl-p,ctrl-q`, `a,b`, `ctrl-@` as the bytes a terminal sends; empty text gives the default."""
    if not text:
        return DEFAULT
    return bytes([_parse_key(part, text) for part in text.split(",")])


def _parse_key(part: str, text: str) -> int:
    if len(part) == 1 and part.isascii():
        return ord(part)
    kind, _, name = part.lower().partition("-")
    if kind == "ctrl" and len(name) == 1 and "a" <= name <= "z":
        return ord(name) - ord("a") + 1
    if kind == "ctrl" and name in _CTRL:
        return _CTRL[name]
    raise BadDetachKeys(f'invalid detach keys ({text}): unknown character: "{part}"')


class DetachKeys:
    """Watches typed bytes for the sequence."""

    __slots__ = ("_keys", "_matched")

    def __init__(self, keys: bytes = DEFAULT) -> None:
        self._keys = keys
        self._matched = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What to send on, and whether the sequence has come."""
        out = bytearray()
        for byte in data:
            if byte == self._keys[self._matched]:
                self._matched += 1
                if self._matched == len(self._keys):
                    return bytes(out), True
                continue
            out += self._keys[: self._matched]
            self._matched = 1 if byte == self._keys[0] else 0
            if not self._matched:
                out.append(byte)
        return bytes(out), False
