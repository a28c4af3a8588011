"""systemd's unit files: sections of `Key=value` lines, quoting, and the way back. Pure (systemd.syntax(7))."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from hakobu.compose.failure import BadComposeFile, Mark

_SECTION = re.compile(r"\[([^\[\]]+)\]")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}
_ENDS = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line, continuations joined."""

    section: str
    key: str
    value: str
    mark: Mark

    @property
    def path(self) -> str:
        return f"{self.section}.{self.key}"


@dataclass(frozen=True, slots=True)
class Unit:
    """`name` is the file's, `web.container`; `directory` where it lies."""

    name: str
    entries: tuple[Entry, ...]
    directory: str = ""

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def kind(self) -> str:
        return self.name.rpartition(".")[2]

    def of(self, section: str) -> tuple[Entry, ...]:
        """The section's lines, without those that an empty assignment takes back."""
        found: list[Entry] = []
        for entry in self.entries:
            if entry.section == section:
                if entry.value == "":
                    found = [e for e in found if e.key != entry.key]
                else:
                    found.append(entry)
        return tuple(found)

    def values(self, section: str, key: str) -> list[str]:
        return [e.value for e in self.of(section) if e.key == key]

    def last(self, section: str, key: str, default: str = "") -> str:
        return next(iter(reversed(self.values(section, key))), default)


def parse_unit(text: str, name: str, *, file: str = "", directory: str = "") -> Unit:
    """The unit in `text`; `BadComposeFile` names the line that is none."""
    entries: list[Entry] = []
    section, held, start = "", "", 0
    for number, line in enumerate(text.split("\n"), 1):  # no other character ends a line
        if line.lstrip()[:1] in ("#", ";"):
            continue
        if held:
            line = held + line.strip()
        else:
            start = number
        if line.endswith("\\"):
            held = line[:-1] + " "
            continue
        held, line = "", line.strip()
        mark = Mark(file or name, start)
        if not line:
            continue
        if match := _SECTION.fullmatch(line):
            section = match[1]
            continue
        key, equals, value = line.partition("=")
        if not equals or not section:
            raise BadComposeFile(mark, f"is no line of a unit: {line!r}", hint="write [Section] and Key=value")
        entries.append(Entry(section, key.strip(), value.strip(), mark))
    return Unit(name, tuple(entries), directory)


def split_words(text: str) -> list[str]:
    """Words as systemd splits them: at spaces, with quotes and C's escapes."""
    words: list[str] = []
    word, begun, quote, i = "", False, "", 0
    while i < len(text):
        c = text[i]
        if c == "\\" and i + 1 < len(text):
            i += 1
            if text[i] == "x" and re.fullmatch("[0-9a-fA-F]{2}", text[i + 1 : i + 3]):
                word, i = word + chr(int(text[i + 1 : i + 3], 16)), i + 2
            else:
                word += _ESCAPES.get(text[i], text[i])
            begun = True
        elif quote:
            quote, word = ("", word) if c == quote else (quote, word + c)
        elif c in "'\"" and not word:
            quote, begun = c, True
        elif c in " \t":
            words += [word] if begun else []
            word, begun = "", False
        else:
            word, begun = word + c, True
        i += 1
    return words + ([word] if begun else [])


def quote_word(text: str) -> str:
    """One word that `split_words`, and systemd, read as this text."""
    if text and not re.search(r"[\s\"'\\]", text):
        return text
    return '"' + "".join(_ENDS.get(c, c) for c in text) + '"'


def join_words(words: Iterable[str]) -> str:
    return " ".join(quote_word(word) for word in words)


def escape_percent(text: str) -> str:
    """Percent signs that are no specifiers."""
    return text.replace("%", "%%")


@dataclass(slots=True)
class UnitText:
    """A unit about to be written; sections keep the order in which they begin."""

    sections: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def add(self, section: str, key: str, value: str) -> None:
        self.sections.setdefault(section, []).append(f"{key}={value}")

    def __str__(self) -> str:
        texts = [
            "".join(f"{line}\n" for line in (f"[{name}]", *lines)) for name, lines in self.sections.items() if lines
        ]
        return "\n".join(texts)
