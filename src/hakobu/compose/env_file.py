"""Files of variables: `.env` and what `env_file` names.

`NAME=value` a line; `export` before it, comments, quotes of both kinds. Variables are expanded in unquoted
and double-quoted values, in what the file said before and then in the lookup; never in single-quoted ones.
A name alone stands for the variable of the environment (`None` here). Pure.
"""

import re
from collections.abc import Callable, Mapping

from hakobu.compose.failure import BadComposeFile, Mark
from hakobu.compose.interpolation import BadTemplate, substitute

_LINE = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_.\-\[\]][A-Za-z0-9_.\-\[\]]*)[ \t]*(?:([=:])[ \t]*)?")
_BLANK = re.compile(r"(?:[ \t\r]*(?:#[^\n]*)?(?:\n|\Z))+")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", '"': '"'}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def parse_env(
    text: str, file: str, lookup: Callable[[str], str | None], before: Mapping[str, str | None] | None = None
) -> dict[str, str | None]:
    """The variables in the order in which they stand; `before` is what earlier files said, looked up last."""
    return _Reader(text.removeprefix("\ufeff"), file, lookup, before or {}).read()


class _Reader:
    def __init__(
        self, text: str, file: str, lookup: Callable[[str], str | None], before: Mapping[str, str | None]
    ) -> None:
        self._text = text
        self._file = file
        self._outer = lookup
        self._before = before
        self._at = 0
        self.values: dict[str, str | None] = {}

    def read(self) -> dict[str, str | None]:
        while self._skip_blank() < len(self._text):
            self._entry()
        return self.values

    def _skip_blank(self) -> int:
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at
        return self._at

    def _fail(self, text: str) -> BadComposeFile:
        return BadComposeFile(Mark(self._file, self._text.count("\n", 0, self._at) + 1), text)

    def _entry(self) -> None:
        head = _LINE.match(self._text, self._at)
        if not head:
            raise self._fail(f"is not a variable: {self._text[self._at :].splitlines()[0]!r}")
        name, separator = head.group(1), head.group(2)
        self._at = head.end()
        if separator:
            self.values[name] = self._value()
        else:
            if self._rest_of_line().strip(" \t\r"):
                raise self._fail(f"unexpected characters after the variable name {name!r}")
            self.values[name] = self._outer(name)

    def _rest_of_line(self) -> str:
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end
        line, self._at = self._text[self._at : end], end
        return line

    def _value(self) -> str:
        quote = self._text[self._at : self._at + 1]
        if quote in ("'", '"'):
            return self._quoted(quote)
        line = self._rest_of_line().rstrip("\r")
        comment = re.search(r"(?:^|[ \t])#", line)
        return self._expand((line[: comment.start()] if comment else line).strip(" \t"))

    def _quoted(self, quote: str) -> str:
        end = self._at + 1
        while (end := self._text.find(quote, end)) >= 0 and self._escaped(end):
            end += 1
        if end < 0:
            raise self._fail("unterminated quoted value")
        inner = self._text[self._at + 1 : end]
        self._at = end + 1
        rest = self._rest_of_line().strip(" \t\r")
        if rest and not rest.startswith("#"):
            raise self._fail(f"unexpected characters after the quoted value: {rest!r}")
        if quote == "'":
            return inner.replace("\\'", "'")
        return self._expand(_ESCAPE.sub(lambda m: _ESCAPES.get(m.group(1), m.group()), inner))

    def _escaped(self, position: int) -> bool:
        backslashes = len(self._text[:position]) - len(self._text[:position].rstrip("\\"))
        return backslashes % 2 == 1

    def _expand(self, text: str) -> str:
        if "$" not in text:
            return text
        try:
            return substitute(text, self._lookup)
        except BadTemplate as e:
            raise self._fail(str(e)) from e

    def _lookup(self, name: str) -> str | None:
        outer = self._outer(name)
        return self.values.get(name, self._before.get(name)) if outer is None else outer
