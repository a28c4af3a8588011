"""The functions a template may call: Go's own and those docker adds."""

from __future__ import annotations

from hakobu.cli.template.lexer import TemplateError
from hakobu.cli.template.value import Record, compare, is_true, plain, shown, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _json(value: object) -> str:
    from hakobu.cli.text.json_text import encoded

    # Rows encode themselves in Go, and that encoding escapes for HTML.
    return encoded(value.to_json(), html=value.is_row) if isinstance(value, Record) else encoded(plain(value))


def _split(text: str, separator: str) -> list[str]:
    return text.split(separator) if separator else list(text)


def _join(items: list[object] | None, separator: str) -> str:
    return separator.join(item if isinstance(item, str) else shown(item) for item in items or [])


def _title(text: str) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in text.split(" "))


def _pad(text: str, before: int, after: int) -> str:
    return " " * before + text + " " * after if text else ""


def _truncate(text: str, size: int) -> str:
    return text[:size]


def _len(value: object) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, (list, tuple, dict)):
        return len(value)  # pyright: ignore[reportUnknownArgumentType]
    if value is None:
        raise TemplateError("error calling len: reflect: call of reflect.Value.Type on zero Value")
    raise TemplateError(f"error calling len: len of type {type_name(value)}")


def _index(value: object, *keys: object) -> object:
    for key in keys:
        if isinstance(value, dict):
            value = _of_map(value, key)  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(value, (list, tuple, str)):
            if not isinstance(key, int):
                raise TemplateError(f"error calling index: cannot index slice/array with type {type_name(key)}")
            if not 0 <= key < len(value):  # pyright: ignore[reportUnknownArgumentType]
                raise TemplateError(f"error calling index: index out of range: {key}")
            # Go's strings are bytes to an index.
            value = value.encode()[key] if isinstance(value, str) else value[key]  # pyright: ignore[reportUnknownVariableType]
        else:
            raise TemplateError(
                "error calling index: index of untyped nil"
                if value is None
                else f"error calling index: can't index item of type {type_name(value)}"  # pyright: ignore[reportUnknownArgumentType]
            )
    return value  # pyright: ignore[reportUnknownVariableType]


def _of_map(value: dict[str, object], key: object) -> object:
    """A map's value; for a key it has not the zero of its kind, as far as the others tell it."""
    if not isinstance(key, str):
        raise TemplateError(f"error calling index: value has type {type_name(key)}; should be string")
    if key in value:
        return value[key]
    return "" if all(isinstance(item, str) for item in value.values()) else None


def _slice(value: object, *bounds: object) -> object:
    if not isinstance(value, (str, list)):
        raise TemplateError(f"error calling slice: can't slice item of type {type_name(value)}")
    limit = len(value)  # pyright: ignore[reportUnknownArgumentType]
    for bound in bounds:
        if not isinstance(bound, int):
            raise TemplateError(f"error calling slice: cannot index slice/array with type {type_name(bound)}")
        if not 0 <= bound <= limit:
            raise TemplateError(f"error calling slice: index out of range: {bound}")
    low, high = [*bounds, *(0, limit)[len(bounds) :]][:2]
    assert isinstance(low, int) and isinstance(high, int)
    if low > high:
        raise TemplateError(f"error calling slice: invalid slice index: {low} > {high}")
    return value[low:high]  # pyright: ignore[reportUnknownVariableType]


def _printf(form: str, *values: object) -> str:
    from hakobu.cli.template.format import go_printf

    return go_printf(form, values)


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


# Go's JSEscape: what could end a string, a script or an attribute.
_JS = {
    "\\": "\\\\",
    "'": "\\'",
    '"': '\\"',
    "<": "\\u003C",
    ">": "\\u003E",
    "&": "\\u0026",
    "=": "\\u003D",
}


def _js(*values: object) -> str:
    return "".join(_JS.get(c) or (f"\\u{ord(c):04X}" if c < " " else c) for c in _print(*values))


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


def _lower(text: str) -> str:
    return text.lower()


def _upper(text: str) -> str:
    return text.upper()


def _call(function: object, *_: object) -> object:
    """Formats hold no functions to call; the message says what was there instead."""
    raise TemplateError(f"error calling call: non-function {{function}} of type {type_name(function)}")


def _and(*values: object) -> object:
    return next((value for value in values if not is_true(value)), values[-1])


def _or(*values: object) -> object:
    return next((value for value in values if is_true(value)), values[-1])


FUNCTIONS: dict[str, Callable[..., object]] = {
    "and": _and,
    "call": _call,
    "eq": _eq,
    "ge": _comparison(lambda order: order >= 0, "ge"),
    "gt": _comparison(lambda order: order > 0, "gt"),
    "html": _html,
    "index": _index,
    "join": _join,
    "js": _js,
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

# What each takes, one letter an argument: s string, i int, l list of strings, a anything; `*` more of the last.
SIGNATURES = {
    "and": "aa*",
    "call": "aa*",
    "eq": "aa*",
    "ge": "aa",
    "gt": "aa",
    "html": "a*",
    "index": "aa*",
    "join": "ls",
    "js": "a*",
    "json": "a",
    "le": "aa",
    "len": "a",
    "lower": "s",
    "lt": "aa",
    "ne": "aa",
    "not": "a",
    "or": "aa*",
    "pad": "sii",
    "print": "a*",
    "printf": "sa*",
    "println": "a*",
    "slice": "aa*",
    "split": "ss",
    "title": "s",
    "truncate": "si",
    "upper": "s",
    "urlquery": "a*",
}
_TYPES = {"s": ("string", str), "i": ("int", int), "l": ("[]string", (list, tuple))}


def count_error(name: str, given: int) -> str:
    """Go's words where there are too few or too many arguments; empty where their number is right."""
    signature = SIGNATURES[name]
    if signature.endswith("*"):
        least = len(signature) - 2
        return "" if given >= least else f"wrong number of args for {name}: want at least {least} got {given}"
    return "" if given == len(signature) else f"wrong number of args for {name}: want {len(signature)} got {given}"


def wanted_type(name: str, index: int) -> tuple[str, type | tuple[type, ...]] | None:
    """Go's name of the type a function's argument must have, and ours; None where anything will do."""
    signature = SIGNATURES[name]
    letter = "a" if index >= len(signature) else signature[index]
    return _TYPES.get(letter)
