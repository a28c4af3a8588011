"""From nodes to plain values: strings, numbers, durations, sizes, lists and mappings, each refused by its path.

A reader takes the node, the path to name in an error (`services.web.ports`) and gives the value. A string that
came out of an interpolation may stand for a number or a boolean; any other string may not.
"""

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from hakobu.compose.failure import BadComposeFile, raise_mistakes
from hakobu.compose.model.words import Unfinished, split
from hakobu.compose.node import MappingNode, Node, Scalar, Sequence, Value, resolve_plain
from hakobu.spec.step import Json

Reader: TypeAlias = Callable[[Node, str], Any]
"""Takes a node and its path, gives a value; `Any` because one mapping holds values of many types."""

_SIZE = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)\s*([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_SIZE_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50}
_DURATION_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "h": 3600 * 1_000_000_000,
    "d": 86400 * 1_000_000_000,
    "w": 7 * 86400 * 1_000_000_000,
}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h|d|w)")
_MAX_INT = 2**63 - 1
_BOOLEANS = {**dict.fromkeys(("true", "yes", "on", "y"), True), **dict.fromkeys(("false", "no", "off", "n"), False)}


def wanted(node: Node, path: str, what: str) -> BadComposeFile:
    """The error for a node of the wrong type."""
    return BadComposeFile(node.mark, f"must be {what}", path=path)


def typed(node: Node, path: str, what: str) -> Value:
    """The value of a scalar; that of an interpolated string is what its text says."""
    if not isinstance(node, Scalar):
        raise wanted(node, path, what)
    return resolve_plain(node.text) if node.cast and isinstance(node.value, str) else node.value


def read_string(node: Node, path: str) -> str:
    if isinstance(node, Scalar):
        if isinstance(node.value, str):
            return node.value
        if node.value is None:
            return ""
    raise wanted(node, path, "a string")


def read_text(node: Node, path: str) -> str:
    """A string, or a number or boolean as the text it stands for (environment, labels, options)."""
    if not isinstance(node, Scalar):
        raise wanted(node, path, "a string, number, boolean or null")
    return format_value(node.value)


def format_value(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _format_float(value) if isinstance(value, float) else str(value)


def _format_float(value: float) -> str:
    """The shortest digits that mean the value, with an exponent from a million on, as Go prints them."""
    if not math.isfinite(value):
        return "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    power = len(digits) + exponent - 1
    if value == 0 or -5 < power < 6:
        return f"{Decimal(repr(value)).normalize():f}"
    text = "".join(map(str, digits))
    mantissa = f"{text[0]}.{text[1:]}" if text[1:] else text
    return f"{'-' if sign else ''}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def read_bool(node: Node, path: str) -> bool:
    value = typed(node, path, "a boolean")
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    if isinstance(node, Scalar) and node.cast and node.text in ("0", "1"):
        return node.text == "1"
    raise wanted(node, path, "a boolean")


def read_int(node: Node, path: str) -> int:
    value = typed(node, path, "an integer")
    if isinstance(node, Scalar) and isinstance(value, str):
        value = resolve_plain(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MAX_INT:
        raise wanted(node, path, "an integer")
    return value


def read_number(node: Node, path: str) -> float:
    value = typed(node, path, "a number")
    if isinstance(value, str):
        value = resolve_plain(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or abs(value) > 1e15:
        raise wanted(node, path, "a number")
    return float(value)


def read_size(node: Node, path: str) -> int:
    """Bytes: `64m`, `1.5gb`, `1048576`, 1048576; -1 for no limit."""
    value = typed(node, path, "a size in bytes")
    match = _SIZE.fullmatch(format_value(value).strip()) if not isinstance(value, bool) else None
    if not match:
        raise BadComposeFile(node.mark, f"is not a size: {format_value(value)!r}", path=path)
    size = int(float(match.group(1)) * (1 << _SIZE_UNITS[match.group(2).lower()]))
    if abs(size) > _MAX_INT:
        raise BadComposeFile(node.mark, f"is too large: {format_value(value)!r}", path=path)
    return size


def read_duration(node: Node, path: str) -> int:
    """Nanoseconds of `1m30s`, `500ms`, `1.5h`, `2d`."""
    text = read_text(node, path)
    if text == "0":
        return 0
    parts = list(_DURATION.finditer(text))
    if not parts or "".join(part.group() for part in parts) != text:
        raise BadComposeFile(node.mark, f"is not a duration: {text!r}", path=path, hint="write it as 1m30s or 500ms")
    return sum(round(float(part.group(1)) * _DURATION_UNITS[part.group(2)]) for part in parts)


def format_duration(ns: int) -> str:
    """A duration as Go prints it: `1m30s`, `500ms`, `1h0m0s`."""
    if ns == 0:
        return "0s"
    if ns < 1_000_000_000:
        for unit, size in (("ms", 1_000_000), ("µs", 1000), ("ns", 1)):
            if ns >= size:
                return f"{ns / size:.9f}".rstrip("0").rstrip(".") + unit
    minutes, rest = divmod(ns, _DURATION_UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest // 10**9}.{rest % 10**9:09d}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def items_of(node: Node, path: str, what: str = "a list") -> tuple[Node, ...]:
    if isinstance(node, Sequence):
        return node.items
    if isinstance(node, Scalar) and node.is_null:
        return ()
    raise wanted(node, path, what)


def read_each(node: Node, path: str, read: Reader) -> list[Any]:
    """What `read` makes of each item of a list; the mistakes of all of them at once."""
    found: list[Any] = []
    mistakes: list[BadComposeFile] = []
    for i, item in enumerate(items_of(node, path)):
        try:
            found.append(read(item, f"{path}.{i}"))
        except BadComposeFile as e:
            mistakes.append(e)
    raise_mistakes(mistakes)
    return found


def read_list(node: Node, path: str) -> tuple[str, ...]:
    """A list of strings; numbers in it become text."""
    return tuple(read_each(node, path, read_text))


def read_string_or_list(node: Node, path: str) -> tuple[str, ...]:
    if isinstance(node, Scalar) and not node.is_null:
        return (read_text(node, path),)
    return read_list(node, path)


def read_mapping(node: Node, path: str) -> MappingNode:
    if isinstance(node, MappingNode):
        return node
    if isinstance(node, Scalar) and node.is_null:
        return MappingNode({}, {}, node.mark)
    raise wanted(node, path, "a mapping")


def read_options(node: Node, path: str) -> dict[str, str]:
    """A mapping of names to texts, sorted."""
    return {key: read_text(value, f"{path}.{key}") for key, value in sorted(read_mapping(node, path))}


def read_variables(node: Node, path: str) -> dict[str, str | None]:
    """A mapping, or a list of `NAME=value`; None for a name alone."""
    if isinstance(node, Sequence):
        pairs = [read_text(item, f"{path}.{i}").partition("=") for i, item in enumerate(node.items)]
        found: dict[str, str | None] = {name: value if equals else None for name, equals, value in pairs}
    else:
        found = {
            key: None if isinstance(value, Scalar) and value.is_null else read_text(value, f"{path}.{key}")
            for key, value in read_mapping(node, path)
        }
    return dict(sorted(found.items()))


def read_labels(node: Node, path: str) -> dict[str, str]:
    """Like variables, but a label without a value is the empty one."""
    return {name: value or "" for name, value in read_variables(node, path).items()}


def read_hosts(node: Node, path: str) -> tuple[tuple[str, str], ...]:
    """Pairs of host and address, sorted; `host:ip`, `host=ip`, `host=[::1]`, or a mapping (addresses may be lists)."""
    if isinstance(node, Sequence):
        return tuple(sorted(read_each(node, path, _split_host)))
    pairs: list[tuple[str, str]] = []
    for host, value in read_mapping(node, path):
        pairs += [(host, ip.strip("[]")) for ip in read_string_or_list(value, f"{path}.{host}")]
    return tuple(sorted(pairs))


def _split_host(node: Node, path: str) -> tuple[str, str]:
    text = read_string(node, path)
    host, separator, ip = text.partition("=") if "=" in text else text.partition(":")
    if not separator or not host or not ip:
        raise BadComposeFile(node.mark, f"is not a host and an address: {text!r}", path=path, hint="write host=1.2.3.4")
    return host, ip.strip("[]")


def read_host_list(node: Node, path: str) -> Json:
    """Hosts and addresses as canonical text: `host=ip`."""
    return [f"{host}={ip}" for host, ip in read_hosts(node, path)]


def read_size_text(node: Node, path: str) -> Json:
    """Bytes as text, empty for none: sizes are texts in the canonical form."""
    size = read_size(node, path)
    return str(size) if size else ""


def read_texts(node: Node, path: str) -> Json:
    """A list of texts as a document."""
    return list[Json](read_list(node, path))


def read_command(node: Node, path: str) -> tuple[str, ...] | None:
    """argv: a list, or a line split as a shell would; None where nothing is said, empty to clear the image's."""
    if isinstance(node, Scalar):
        if node.is_null:
            return None
        try:
            return split(read_string(node, path))
        except Unfinished as e:
            raise BadComposeFile(node.mark, f"is not a command line: {e}", path=path) from e
    return read_list(node, path)


def read_choice(node: Node, path: str, choices: tuple[str, ...]) -> str:
    text = read_string(node, path)
    if text not in choices:
        raise BadComposeFile(node.mark, f"must be one of {', '.join(choices)}; it is {text!r}", path=path)
    return text


def read_fields(node: Node, path: str, readers: Mapping[str, Reader], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The values of a mapping by the reader of each key; all that is wrong in it, each with its place."""
    mapping = read_mapping(node, path)
    found: dict[str, Any] = {}
    mistakes: list[BadComposeFile] = []
    for key, value in mapping:
        try:
            if key in readers:
                found[key] = readers[key](value, f"{path}.{key}" if path else key)
            elif not key.startswith("x-"):
                raise unknown_key(mapping, key, path, tuple(readers))
        except BadComposeFile as e:
            mistakes.append(e)
    mistakes += [
        BadComposeFile(node.mark, f"missing property {key!r}", path=path)
        for key in required
        if key not in mapping.entries
    ]
    raise_mistakes(mistakes)
    return found


def read_shape(
    node: Node, path: str, shape: Mapping[str, Reader], *, required: tuple[str, ...] = (), kept: tuple[str, ...] = ()
) -> dict[str, Json]:
    """A mapping as a document: keys in the order of the shape, empty values left out but for the `kept`."""
    found = read_fields(node, path, shape, required)
    return {key: found[key] for key in shape if key in found and (found[key] or key in kept)}


def unknown_key(mapping: MappingNode, key: str, path: str, known: tuple[str, ...]) -> BadComposeFile:
    """A key of no meaning; with the one that was probably meant."""
    import difflib

    near = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else ""
    text = f"additional properties {key!r} not allowed"
    return BadComposeFile(mapping.mark_of(key), text, path=path, hint=hint)
