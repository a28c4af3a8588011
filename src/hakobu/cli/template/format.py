"""Go's Printf verbs, as far as formats use them, with their flags, widths and precisions."""

from __future__ import annotations

from hakobu.cli.template.value import Struct, shown, type_name

_FLAGS = "+-# 0"


def go_printf(form: str, values: tuple[object, ...]) -> str:
    """The formatted text; mistakes are told in it, as Go does."""
    rest = list(values)
    out, position = "", 0
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
        spec = _with_stars(form[start:position], rest)
        verb = form[position : position + 1]
        position += 1
        if verb == "%":
            out += "%"
        elif not verb:
            out += "%!(NOVERB)"
        elif not rest:
            out += f"%!{verb}(MISSING)"
        else:
            out += _verb(verb, flags, spec, rest.pop(0))
    if rest:
        told = ", ".join(f"{type_name(value)}={shown(value)}" for value in rest)
        out += f"%!(EXTRA {told})"
    return out


def _with_stars(spec: str, rest: list[object]) -> str:
    """Widths and precisions that are arguments, put in their places."""
    while "*" in spec and rest and isinstance(rest[0], int):
        spec = spec.replace("*", str(rest.pop(0)), 1)
    return spec.replace("*", "")


def _verb(verb: str, flags: str, spec: str, value: object) -> str:
    width_text, _, precision_text = spec.partition(".")
    precision = int(precision_text or "0") if "." in spec else None
    text = _converted(verb, flags, precision, value)
    width = int(width_text or "0")
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and verb in "dxXfegob" and text[:1] in ("+", "-"):
        return text[0] + text[1:].rjust(width - 1, "0")
    return text.rjust(width, "0" if "0" in flags and verb in "dxXfegob" else " ")


def _converted(verb: str, flags: str, precision: int | None, value: object) -> str:
    whole = value
    if verb == "T":
        return type_name(value)
    if verb == "v":
        return _literal(value) if "#" in flags else shown(value)
    if isinstance(value, (list, tuple)) and verb in "sqdxX":
        items: list[object] = list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        return "[" + " ".join(_converted(verb, flags, precision, item) for item in items) + "]"
    if isinstance(value, dict) and not isinstance(value, Struct) and verb in "sqd":
        return _of_map(verb, flags, precision, value)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, str):
        return _of_text(verb, flags, precision, value)
    if isinstance(value, bool):
        return shown(value) if verb == "t" else _wrong(verb, value)
    if isinstance(value, (int, float)):
        return _of_number(verb, flags, precision, value)
    return _wrong(verb, whole) if verb != "s" or whole is None else shown(whole)


def _wrong(verb: str, value: object) -> str:
    return f"%!{verb}(<nil>)" if value is None else f"%!{verb}({type_name(value)}={shown(value)})"


def _quoted(text: str) -> str:
    from hakobu.cli.text.json_text import encoded

    return encoded(text)


def _literal(value: object) -> str:
    """`%#v`: as Go's source would have it."""
    return _quoted(value) if isinstance(value, str) else shown(value)


def _of_map(verb: str, flags: str, precision: int | None, members: dict[str, object]) -> str:
    names = {key: _quoted(key) if verb == "q" else key for key in sorted(members)}
    pairs = [f"{name}:{_converted(verb, flags, precision, members[key])}" for key, name in names.items()]
    return f"map[{' '.join(pairs)}]"


def _of_text(verb: str, flags: str, precision: int | None, value: str) -> str:
    text = value if precision is None else value[:precision]
    if verb == "s":
        return text
    if verb == "q":
        return f"`{text}`" if "#" in flags and "`" not in text else _quoted(text)
    if verb in "xX":
        digits = text.encode("utf-8", "surrogateescape").hex()
        return (digits.upper() if verb == "X" else digits) if "#" not in flags else f"0{verb}{digits}"
    return _wrong(verb, value)


def _of_number(verb: str, flags: str, precision: int | None, value: float) -> str:
    if isinstance(value, float):
        if verb not in "feEgG":
            return _wrong(verb, value)
        text = (
            shown(value)
            if verb == "g" and precision is None
            else format(value, f".{6 if precision is None else precision}{verb}")
        )
        return f"+{text}" if "+" in flags and value >= 0 else text
    if verb == "c":
        return chr(value)
    if verb == "q":
        return f"'{chr(value)}'"
    if verb == "U":
        return f"U+{value:04X}"
    if verb not in "dobxX":
        return _wrong(verb, value)
    digits = format(abs(value), verb)
    prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, "") if "#" in flags else ""
    sign = "-" if value < 0 else "+" if "+" in flags else " " if " " in flags else ""
    return f"{sign}{prefix}{digits}"
