"""JSON between the engine and its clients.

The package `json` costs a command line eight milliseconds, nearly all of them for the regular
expressions of its pure-Python half; the scanner and the encoder in C that it wraps cost none. Where an
interpreter has them not, the package itself is used. Numbers, text and order are as `json` gives them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Json: TypeAlias = dict[str, Any]

_SPACE = " \t\n\r"


class _Plan:
    """The attributes that the C scanner reads from its owner."""

    strict = False
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def _fast_decode() -> Callable[[str], Any] | None:
    try:
        from _json import make_scanner  # pyright: ignore[reportMissingModuleSource]
    except ImportError:
        return None
    scan = make_scanner(_Plan)  # pyright: ignore[reportArgumentType]

    def decode_text(text: str) -> Any:
        start = len(text) - len(text.lstrip(_SPACE))
        try:
            value, end = scan(text, start)
        except StopIteration:
            raise ValueError(f"not JSON: {text[:60]!r}") from None
        if text[end:].strip(_SPACE):
            raise ValueError(f"more than one JSON value: {text[end : end + 60]!r}")
        return value

    return decode_text


_decode = _fast_decode()


def decode(data: bytes | str) -> Any:
    """The value of a JSON text; ValueError where it is none."""
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    if _decode is not None:
        return _decode(text)
    import json

    return json.loads(text)


def encode(value: object) -> bytes:
    """Compact JSON, as sent to the engine."""
    return _text(value).encode()


def _text(value: object) -> str:
    """The few shapes a request consists of; whatever else there is goes to `json`."""
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, dict):
        items: dict[str, object] = value  # pyright: ignore[reportUnknownVariableType]
        return "{" + ",".join([f"{_quote(k)}:{_text(v)}" for k, v in items.items()]) + "}"
    if isinstance(value, (list, tuple)):
        rows: list[object] = list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        return "[" + ",".join([_text(v) for v in rows]) + "]"
    import json

    return json.dumps(value)


def _quote(text: str) -> str:
    try:
        from _json import encode_basestring
    except ImportError:
        import json

        return json.dumps(text)
    # A lone surrogate stands for a byte of argv that was not UTF-8: Go's encoder, too, puts U+FFFD there.
    return encode_basestring(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def pretty(value: object, indent: int = 4) -> str:
    """JSON as the docker command prints it: indented by four, without escapes but for `<`, `>` and `&`."""
    import json

    return json.dumps(value, indent=indent, ensure_ascii=False)


def object_of(value: Any) -> Json:
    """A member that is an object, null or absent: engines write the last two alike."""
    return value or {}


def list_of(value: Any) -> list[Any]:
    """The same for a list."""
    return value or []
