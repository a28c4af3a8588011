"""Go's Printf verbs, as far as formats use them: %s %v %d %q %x %t %f %e %g %c %%, with flags and widths."""

from __future__ import annotations

from hakobu.cli.template.function import type_name
from hakobu.cli.template.value import shown

_FLAGS = "+-# 0"


def go_printf(form: str, values: tuple[object, ...]) -> str:
    """The formatted text; mistakes are told in it, as Go does."""
    out, position, used = "", 0, 0
    while position < len(form):
        letter = form[position]
        position += 1
        if letter != "%":
            out += letter
            continue
        start = position
        while position < len(form) and form[position] in _FLAGS:
            position += 1
        flags, start = form[start:position], position
        while position < len(form) and (form[position].isdigit() or form[position] in ".*"):
            position += 1
        spec = form[start:position]
        verb = form[position : position + 1]
        position += 1
        if verb == "%":
            out += "%"
        elif not verb:
            out += "%!(NOVERB)"
        elif used >= len(values):
            out += f"%!{verb}(MISSING)"
        else:
            out += _verb(verb, flags, spec, values[used])
            used += 1
    if used < len(values):
        rest = ", ".join(f"{type_name(value)}={shown(value)}" for value in values[used:])
        out += f"%!(EXTRA {rest})"
    return out


def _verb(verb: str, flags: str, spec: str, value: object) -> str:
    width_text, _, precision_text = spec.partition(".")
    precision = int(precision_text or "0") if "." in spec else None
    text = _converted(verb, flags, precision, value)
    width = int(width_text or "0")
    if "-" in flags:
        return text.ljust(width)
    return text.rjust(width, "0" if "0" in flags and verb in "dxXfeg" else " ")


def _converted(verb: str, flags: str, precision: int | None, value: object) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if verb == "v":
        return shown(value)
    if verb == "s":
        text = value if isinstance(value, str) else shown(value)
        if number:
            return f"%!s({type_name(value)}={text})"
        return text if precision is None else text[:precision]
    if verb == "q" and isinstance(value, str):
        from hakobu.cli.text.json_text import encoded

        return encoded(value)
    if verb == "t" and isinstance(value, bool):
        return shown(value)
    if verb in "xX" and isinstance(value, (int, str)):
        text = value.encode().hex() if isinstance(value, str) else f"{value:x}"
        return text.upper() if verb == "X" else text
    if verb in "dobc" and isinstance(value, int) and number:
        text = chr(value) if verb == "c" else format(value, verb)
        return f"+{text}" if "+" in flags and value >= 0 and verb != "c" else text
    if verb in "feg" and isinstance(value, float):
        return format(value, f".{6 if precision is None else precision}{verb}")
    return f"%!{verb}({type_name(value)}={shown(value)})"
