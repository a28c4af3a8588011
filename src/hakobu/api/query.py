"""Query parameters as Docker reads them: its idea of a boolean, of a number, of a time and of filters."""

import re

import msgspec

from hakobu.api.http.exchange import Request
from hakobu.errors import Invalid

Filters = dict[str, tuple[str, ...]]

_FALSE = frozenset({"", "0", "no", "false", "none"})
_TIME = re.compile(r"(-?\d{1,18})(?:\.(\d{1,18}))?")


def text(request: Request, name: str, default: str = "") -> str:
    values = request.query.get(name)
    return values[0] if values else default


def texts(request: Request, name: str) -> tuple[str, ...]:
    return tuple(request.query.get(name, ()))


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    """Whatever is not Docker's no is a yes."""
    values = request.query.get(name)
    return default if values is None else values[0].strip().lower() not in _FALSE


def number(request: Request, name: str, default: int = 0) -> int:
    raw = text(request, name)
    if not raw:
        return default
    try:
        return int(raw)
    except ValueError as error:
        raise Invalid(f'invalid value for {name}: "{raw}" is not a number', field=name) from error


def optional_number(request: Request, name: str) -> int | None:
    return number(request, name) if text(request, name) else None


def time_ns(request: Request, name: str) -> int:
    """Seconds since the epoch, with a fraction of up to nine digits; 0 when it is not given."""
    raw = text(request, name)
    if not raw:
        return 0
    match = _TIME.fullmatch(raw)
    if match is None:
        raise Invalid(f'invalid value for {name}: failed to parse value as time or duration: "{raw}"', field=name)
    fraction = (match[2] or "").ljust(9, "0")[:9]
    whole = int(match[1])
    return whole * 1_000_000_000 + (int(fraction) if whole >= 0 else -int(fraction))


def filters(request: Request) -> Filters:
    """Both of Docker's forms: `{"label": {"a=b": true}}` and `{"label": ["a=b"]}`."""
    raw = text(request, "filters")
    if not raw:
        return {}
    try:
        decoded = msgspec.json.decode(raw.encode(), type=dict[str, list[str] | dict[str, bool]])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"invalid filter: {error}", field="filters") from error
    return {key: _values(value) for key, value in decoded.items()}


def _values(value: list[str] | dict[str, bool]) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list) else tuple(name for name, wanted in value.items() if wanted)


def platform(request: Request) -> str:
    """`os/architecture[/variant]`, of Docker's JSON object or of that form itself; empty where none is given."""
    return _platform(text(request, "platform"))


def platforms(request: Request) -> tuple[str, ...]:
    """Each of the `platforms` given."""
    return tuple(_platform(raw) for raw in texts(request, "platforms"))


def _platform(raw: str) -> str:
    if not raw.startswith("{"):
        return raw
    try:
        given = msgspec.json.decode(raw.encode(), type=dict[str, str | list[str] | None])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"failed to parse platform: {error}", field="platform") from error
    return "/".join(str(given[key]) for key in ("os", "architecture", "variant") if given.get(key))


def detach_keys(raw: str) -> bytes:
    """`ctrl-p,ctrl-q` or `a,ctrl-c` as the bytes a terminal sends; empty means the default sequence."""
    if not raw:
        return b"\x10\x11"
    return bytes(_key(part) for part in raw.split(","))


_CONTROL = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}


def _key(part: str) -> int:
    if len(part) == 1 and part.isascii():
        return ord(part)
    if part.startswith("ctrl-") and len(part) == 6:
        letter = part[5].lower()
        if "a" <= letter <= "z":
            return ord(letter) - ord("a") + 1
        if letter in _CONTROL:
            return _CONTROL[letter]
    raise Invalid(f"Invalid detach keys ({part}): Unknown character: '{part}'", field="detachKeys")
