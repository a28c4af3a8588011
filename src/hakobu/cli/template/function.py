"""The functions a template may call: Go's own and those docker adds."""

from __future__ import annotations

from hakobu.cli.template.lexer import TemplateError
from hakobu.cli.template.value import Record, compare, is_true, plain, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _json(value: object = None) -> str:
    from hakobu.cli.text.json_text import encoded

    # Rows encode themselves in Go, and that encoding escapes for HTML.
    return encoded(value.to_json(), html=value.is_row) if isinstance(value, Record) else encoded(plain(value))


def _text(value: object) -> str:
    return value if isinstance(value, str) else shown(value)


def _split(text: object, separator: object) -> list[str]:
    return _text(text).split(_text(separator)) if separator else list(_text(text))


def _join(items: object, separator: object = "") -> str:
    if items is None:
        return ""
    if not isinstance(items, (list, tuple)):
        raise TemplateError(f"error calling join: wrong type for value; expected []string; got {type_name(items)}")
    return _text(separator).join(_text(item) for item in items)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _title(text: object) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in _text(text).split(" "))


def _pad(text: object, before: object = 0, after: object = 0) -> str:
    return " " * int(_text(before)) + _text(text) + " " * int(_text(after)) if text else ""


def _truncate(text: object, size: object) -> str:
    return _text(text)[: int(_text(size))]


def _len(value: object) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, (list, tuple, dict)):
        return len(value)  # pyright: ignore[reportUnknownArgumentType]
    raise TemplateError(f"error calling len: len of {'nil pointer' if value is None else 'type ' + type_name(value)}")


def type_name(value: object) -> str:
    """Go's name for the type of a value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, dict):
        return "map[string]interface {}"
    if isinstance(value, (list, tuple)):
        return "[]interface {}"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (int, float)):
        return "int" if isinstance(value, int) else "float64"
    return "<nil>" if value is None else "interface {}"


def _index(value: object, *keys: object) -> object:
    for key in keys:
        if isinstance(value, dict):
            value = value.get(str(key))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        elif isinstance(value, (list, tuple, str)):
            if not isinstance(key, int):
                raise TemplateError(f"error calling index: cannot index slice/array with type {type_name(key)}")
            if not 0 <= key < len(value):  # pyright: ignore[reportUnknownArgumentType]
                raise TemplateError(f"error calling index: index out of range: {key}")
            value = value[key]  # pyright: ignore[reportUnknownVariableType]
        else:
            raise TemplateError(
                "error calling index: index of untyped nil"
                if value is None
                else f"error calling index: can't index item of type {type_name(value)}"  # pyright: ignore[reportUnknownArgumentType]
            )
    return value  # pyright: ignore[reportUnknownVariableType]


def _slice(value: object, *bounds: object) -> object:
    if not isinstance(value, (str, list)):
        raise TemplateError(f"error calling slice: can't slice item of type {type_name(value)}")
    low, high = [*bounds, None, None][:2]
    end = len(value) if not isinstance(high, int) else high  # pyright: ignore[reportUnknownArgumentType]
    start = low if isinstance(low, int) else 0
    if end > len(value) or start > end:  # pyright: ignore[reportUnknownArgumentType]
        raise TemplateError(f"error calling slice: index out of range: {end}")
    return value[start:end]  # pyright: ignore[reportUnknownVariableType]


def _printf(form: object, *values: object) -> str:
    from hakobu.cli.template.format import go_printf

    return go_printf(_text(form), values)


def _print(*values: object) -> str:
    out = ""
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            out += " "
        out += shown(value)
    return out


def _println(*values: object) -> str:
    return " ".join(shown(value) for value in values) + "\n"


def _html(*values: object) -> str:
    text = _print(*values)
    for letter, escape in (("&", "&amp;"), ("'", "&#39;"), ('"', "&#34;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(letter, escape)
    return text


def _urlquery(*values: object) -> str:
    from hakobu.client.url import quote

    return quote(_print(*values)).replace("%20", "+")


def _comparison(accepts: Callable[[int], bool], name: str) -> Callable[..., bool]:
    def function(left: object, right: object) -> bool:
        return accepts(compare(left, right, name))

    return function


def _eq(first: object, *others: object) -> bool:
    if not others:
        raise TemplateError("error calling eq: missing argument for comparison")
    return any(compare(first, other, "eq") == 0 for other in others)


def _not(value: object) -> bool:
    return not is_true(value)


def _lower(text: object) -> str:
    return _text(text).lower()


def _upper(text: object) -> str:
    return _text(text).upper()


def _and(*values: object) -> object:
    return next((value for value in values if not is_true(value)), values[-1])


def _or(*values: object) -> object:
    return next((value for value in values if is_true(value)), values[-1])


FUNCTIONS: dict[str, Callable[..., object]] = {
    "and": _and,
    "eq": _eq,
    "ge": _comparison(lambda order: order >= 0, "ge"),
    "gt": _comparison(lambda order: order > 0, "gt"),
    "html": _html,
    "index": _index,
    "join": _join,
    "js": lambda *values: _json(_print(*values))[1:-1],
    "json": _json,
    "le": _comparison(lambda order: order <= 0, "le"),
    "len": _len,
    "lower": _lower,
    "lt": _comparison(lambda order: order < 0, "lt"),
    "ne": _comparison(lambda order: order != 0, "ne"),
    "not": _not,
    "or": _or,
    "pad": _pad,
    "print": _print,
    "printf": _printf,
    "println": _println,
    "slice": _slice,
    "split": _split,
    "title": _title,
    "truncate": _truncate,
    "upper": _upper,
    "urlquery": _urlquery,
}
