"""Variables in Compose files: `$V ${V} ${V:-d} ${V-d} ${V:?e} ${V?e} ${V:+r} ${V+r}`, nested, `$$` for a dollar.

Pure: a lookup function in, text out. Keys of mappings are not interpolated. A scalar that held a variable
stays a string, but may stand for a number or a boolean where an attribute wants one.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from hakobu.compose.failure import BadComposeFile, Mark
from hakobu.compose.node import Node, Scalar, Sequence

Lookup: TypeAlias = Callable[[str], "str | None"]
Warn: TypeAlias = Callable[[str], None]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
_MAX_DEPTH = 32


class BadTemplate(ValueError):
    """Text that is no template, or one that demands a variable; the message says which."""


def substitute(text: str, lookup: Lookup, warn: Warn = lambda _: None) -> str:
    """`text` with its variables replaced; `warn` is given the names that are set nowhere."""
    return _expand(text, lookup, warn, 0)


def _expand(text: str, lookup: Lookup, warn: Warn, depth: int) -> str:
    if depth > _MAX_DEPTH:
        raise BadTemplate("variables are nested too deeply")
    out: list[str] = []
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        out.append(text[position:dollar])
        piece, position = _expand_one(text, dollar, lookup, warn, depth)
        out.append(piece)
    out.append(text[position:])
    return "".join(out)


def _expand_one(text: str, dollar: int, lookup: Lookup, warn: Warn, depth: int) -> tuple[str, int]:
    """What stands at the dollar, and where to go on."""
    following = text[dollar + 1 : dollar + 2]
    if following == "$":
        return "$", dollar + 2
    if following == "{":
        end = _closing(text, dollar + 2)
        return _expand_braced(text[dollar + 2 : end], text, lookup, warn, depth), end + 1
    name = _NAME.match(text, dollar + 1)
    if not name:
        raise BadTemplate(f"invalid interpolation format {text!r}. You may need to escape any $ with another $")
    return _value(name.group(), lookup, warn), name.end()


def _closing(text: str, start: int) -> int:
    """The brace that closes the one before `start`, nested ones skipped."""
    depth, position = 1, start
    while position < len(text):
        if text.startswith("$$", position):
            position += 2
            continue
        if text.startswith("${", position):
            depth, position = depth + 1, position + 2
            continue
        if text[position] == "}":
            depth -= 1
            if not depth:
                return position
        position += 1
    raise BadTemplate(f"invalid interpolation format {text!r}. You may need to escape any $ with another $")


def _expand_braced(inner: str, whole: str, lookup: Lookup, warn: Warn, depth: int) -> str:
    match = _NAME.match(inner)
    operator, argument = _operator(inner[match.end() :]) if match else ("", inner)
    if not match or (argument and not operator):
        raise BadTemplate(f"invalid interpolation format {whole!r}. You may need to escape any $ with another $")
    name = match.group()
    value = lookup(name)
    present = value is not None and (value != "" or not operator.startswith(":"))
    if operator.endswith("-"):
        return value if present and value is not None else _expand(argument, lookup, warn, depth + 1)
    if operator.endswith("+"):
        return _expand(argument, lookup, warn, depth + 1) if present else ""
    if operator.endswith("?"):
        if present and value is not None:
            return value
        reason = _expand(argument, lookup, warn, depth + 1)
        raise BadTemplate(f"required variable {name} is missing a value" + (f": {reason}" if reason else ""))
    return _value(name, lookup, warn)


def _operator(rest: str) -> tuple[str, str]:
    for operator in _OPERATORS:
        if rest.startswith(operator):
            return operator, rest[len(operator) :]
    return "", rest


def _value(name: str, lookup: Lookup, warn: Warn) -> str:
    value = lookup(name)
    if value is None:
        warn(name)
        return ""
    return value


def interpolate(node: Node, lookup: Lookup, warn: Warn = lambda _: None) -> Node:
    """The node with every string in it expanded; `BadComposeFile` names the place of what cannot be."""
    if isinstance(node, Scalar):
        return _interpolate_scalar(node, lookup, warn)
    if isinstance(node, Sequence):
        return replace(node, items=tuple(interpolate(item, lookup, warn) for item in node.items))
    return node.with_entries({key: interpolate(value, lookup, warn) for key, value in node})


def _interpolate_scalar(node: Scalar, lookup: Lookup, warn: Warn) -> Scalar:
    if not isinstance(node.value, str) or "$" not in node.value:
        return node
    text = _substitute_at(node.mark, node.value, lookup, warn)
    return Scalar(text, text, node.mark, node.tag, cast=True)


def _substitute_at(mark: Mark, text: str, lookup: Lookup, warn: Warn) -> str:
    try:
        return substitute(text, lookup, warn)
    except BadTemplate as e:
        raise BadComposeFile(mark, str(e)) from e


@dataclass(frozen=True, slots=True)
class Use:
    """One variable as files use it: whether it must be set, its default, and what stands in for it when it is set."""

    name: str
    required: bool = False
    default: str = ""
    alternative: str = ""


def variables_in(node: Node) -> tuple[Use, ...]:
    """The variables in every text of a document, by name; of several uses the first that says more counts."""
    found: dict[str, Use] = {}
    for text in _texts(node):
        for use in _uses(text):
            kept = found.get(use.name)
            if kept is None or kept == Use(use.name):
                found[use.name] = use
    return tuple(found[name] for name in sorted(found))


def _texts(node: Node) -> Iterator[str]:
    if isinstance(node, Scalar):
        if isinstance(node.value, str) and "$" in node.value:
            yield node.value
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _texts(item)
    else:
        for _, value in node:
            yield from _texts(value)


def _uses(text: str) -> Iterator[Use]:
    """The uses in one text, those inside of defaults among them; what is no template is passed over."""
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        following = text[dollar + 1 : dollar + 2]
        plain = _NAME.match(text, dollar + 1)
        if following == "{":
            try:
                end = _closing(text, dollar + 2)
            except BadTemplate:
                return
            yield from _braced_uses(text[dollar + 2 : end])
            position = end + 1
        elif plain:
            yield Use(plain.group())
            position = plain.end()
        else:
            position = dollar + 2


def _braced_uses(inner: str) -> Iterator[Use]:
    name = _NAME.match(inner)
    if not name:
        return
    operator, argument = _operator(inner[name.end() :])
    yield Use(
        name.group(),
        operator.endswith("?"),
        argument if operator.endswith("-") else "",
        argument if operator.endswith("+") else "",
    )
    yield from _uses(argument)
