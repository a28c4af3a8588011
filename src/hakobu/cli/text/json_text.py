"""JSON texts: the engine's own, indented without being re-written, and Go's encoding of values."""

from __future__ import annotations

from hakobu.client.codec import encode

_INDENT = "    "
# Go's encoder keeps JSON safe inside HTML unless told otherwise.
_HTML = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def indent(raw: str, level: int = 0) -> str:
    """Four spaces a level; every string, number and order as it came."""
    out: list[str] = []
    position, end = 0, len(raw)
    while position < end:
        letter = raw[position]
        if letter == '"':
            close = _string_end(raw, position)
            out.append(raw[position:close])
            position = close
            continue
        position += 1
        if letter in "{[":
            closing = _next(raw, position)
            if raw[closing] in "}]":
                out.append(letter + raw[closing])
                position = closing + 1
                continue
            level += 1
            out.append(f"{letter}\n{_INDENT * level}")
        elif letter in "}]":
            level -= 1
            out.append(f"\n{_INDENT * level}{letter}")
        elif letter == ",":
            out.append(f",\n{_INDENT * level}")
        elif letter == ":":
            out.append(": ")
        elif letter not in " \t\r\n":
            out.append(letter)
    return "".join(out)


def _string_end(raw: str, start: int) -> int:
    position = start + 1
    while raw[position] != '"':
        position += 2 if raw[position] == "\\" else 1
    return position + 1


def _next(raw: str, position: int) -> int:
    while raw[position] in " \t\r\n":
        position += 1
    return position


def html_safe(text: str) -> str:
    """JSON text with the three letters escaped that Go escapes; they stand in strings only."""
    for letter, escape in _HTML.items():
        text = text.replace(letter, escape)
    return text


def encoded(value: object, *, html: bool = False) -> str:
    """A value as compact JSON."""
    text = encode(value).decode()
    return html_safe(text) if html else text
