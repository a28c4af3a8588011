"""Cuts a Go template into literal text and actions, and an action into tokens."""

from __future__ import annotations


class TemplateError(Exception):
    """A template that cannot be read or executed; the text is Go's."""


# Kinds of tokens.
FIELD, VARIABLE, NAME, STRING, NUMBER, CHAR, SYMBOL = "field", "variable", "name", "string", "number", "char", "symbol"

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_SYMBOLS = (":=", "|", "(", ")", ",", "=")


class Token:
    """One token of an action: `glued` says that no space stands before it (`$x.Y`, `(f).Z`)."""

    __slots__ = ("glued", "kind", "position", "text")

    def __init__(self, kind: str, text: str, glued: bool) -> None:
        self.kind = kind
        self.text = text
        self.glued = glued
        self.position = 0


def split(text: str) -> list[tuple[int, str]]:
    """Alternating literal text and actions: `(position, text)`, actions at odd indexes, without braces.

    The trim markers `{{- ` and ` -}}` have been applied to the text around them, comments are gone.
    """
    parts: list[tuple[int, str]] = []
    literal, position = "", 0
    trim_next = False
    while True:
        start = text.find("{{", position)
        piece = text[position:] if start < 0 else text[position:start]
        if trim_next:
            piece = piece.lstrip()
        if start < 0:
            parts.append((position, literal + piece))
            return parts
        body, end, trim_left, trim_next = _action(text, start)
        literal += piece.rstrip() if trim_left else piece
        position = end
        if body.startswith("/*"):
            continue
        parts += [(start, literal), (text.index(body, start + 2), body)]
        literal = ""


def _action(text: str, start: int) -> tuple[str, int, bool, bool]:
    """The action's body, where the text goes on, and whether to trim before and after it."""
    begin = start + 2
    trim_left = text[begin : begin + 1] == "-" and text[begin + 1 : begin + 2].isspace()
    if trim_left:
        begin += 2
    stripped = text[begin:].lstrip()
    if stripped.startswith("/*"):
        close = text.find("*/", begin)
        end = text.find("}}", close) if close >= 0 else -1
        if end < 0:
            raise TemplateError("unclosed comment")
        return "/*", end + 2, trim_left, "-" in text[close:end]
    end = _action_end(text, begin)
    body = text[begin:end]
    trim_right = len(body) > 1 and body.endswith("-") and body[-2].isspace()
    return (body[:-2] if trim_right else body).strip(), end + 2, trim_left, trim_right


def _action_end(text: str, position: int) -> int:
    """Where the closing braces are, quotes respected."""
    while position < len(text):
        letter = text[position]
        if text.startswith("}}", position):
            return position
        if letter in "\"'":
            position = _quote_end(text, position)
        elif letter == "`":
            close = text.find("`", position + 1)
            if close < 0:
                raise TemplateError("unterminated raw quoted string")
            position = close + 1
        else:
            position += 1
    raise TemplateError("unclosed action")


def _quote_end(text: str, start: int) -> int:
    quote, position = text[start], start + 1
    while position < len(text) and text[position] != "\n":
        if text[position] == "\\":
            position += 2
            continue
        if text[position] == quote:
            return position + 1
        position += 1
    what = "quoted string" if quote == '"' else "character constant"
    raise TemplateError(f"unterminated {what}")


def tokens(body: str, offset: int = 0) -> list[Token]:
    """The tokens of one action, which stands at `offset` of the template."""
    out: list[Token] = []
    position = 0
    while position < len(body):
        if body[position].isspace():
            position += 1
            continue
        glued = position > 0 and not body[position - 1].isspace()
        start = position
        token, position = _token(body, position, glued)
        token.position = offset + start
        out.append(token)
    return out


def _token(body: str, start: int, glued: bool) -> tuple[Token, int]:
    letter = body[start]
    for symbol in _SYMBOLS:
        if body.startswith(symbol, start):
            return Token(SYMBOL, symbol, glued), start + len(symbol)
    if letter in "\"'":
        end = _quote_end(body, start)
        return Token(STRING if letter == '"' else CHAR, _unescape(body[start + 1 : end - 1]), glued), end
    if letter == "`":
        end = body.index("`", start + 1)
        return Token(STRING, body[start + 1 : end], glued), end + 1
    end = start + 1
    while end < len(body) and (body[end].isalnum() or body[end] == "_"):
        end += 1
    word = body[start:end]
    if letter == ".":
        if word[1:2].isdigit():
            return _number(body, start, glued)
        return Token(FIELD, word[1:], glued), end
    if letter == "$":
        return Token(VARIABLE, word, glued), end
    if letter.isdigit() or (letter in "+-" and len(word) > 1):
        return _number(body, start, glued)
    if letter.isalpha() or letter == "_":
        return Token(NAME, word, glued), end
    raise TemplateError(f"unexpected {_shown(letter)} in command")


def _number(body: str, start: int, glued: bool) -> tuple[Token, int]:
    end = start + 1
    while end < len(body) and (
        body[end].isalnum() or body[end] in "._" or (body[end] in "+-" and body[end - 1] in "eE")
    ):
        end += 1
    word = body[start:end]
    try:
        float(word) if not word.lower().startswith(("0x", "0b", "0o")) else int(word, 0)
    except ValueError:
        raise TemplateError(f"bad number syntax: {_shown(word)}") from None
    return Token(NUMBER, word, glued), end


def _shown(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


def _unescape(text: str) -> str:
    out, position = "", 0
    while position < len(text):
        letter = text[position]
        position += 1
        if letter != "\\":
            out += letter
            continue
        kind = text[position : position + 1]
        position += 1
        if kind in _ESCAPES:
            out += _ESCAPES[kind]
            continue
        if kind in "01234567" and kind:
            out += chr(int(text[position - 1 : position + 2], 8))
            position += 2
            continue
        size = {"x": 2, "u": 4, "U": 8}.get(kind)
        if size is None:
            raise TemplateError("invalid syntax")
        out += chr(int(text[position : position + size], 16))
        position += size
    return out
