"""A command line as words, split as docker compose splits it, which decides what is in a service's hash.

Quotes of both kinds group; a backslash takes the next character as it is, but inside single quotes; `$(…)` and
backquotes stay one word, uninterpreted. An unquoted `;`, `&`, `|`, `<` or `>` ends the line: no shell reads it. Pure.
"""


class Unfinished(ValueError):
    """A quote that is not closed, or a backslash at the end."""


def split(line: str) -> tuple[str, ...]:
    """The words of a line; `Unfinished` where it ends too early."""
    return _Splitter(line).words()


class _Splitter:
    def __init__(self, line: str) -> None:
        self._line = line
        self._words: list[str] = []
        self._word = ""
        self._begun = False
        self._closing = ""  # what ends the quote that is open

    def words(self) -> tuple[str, ...]:
        position = 0
        while position < len(self._line):
            character = self._line[position]
            if character == "\\" and self._closing != "'":
                if position + 1 == len(self._line):
                    raise Unfinished("it ends with a backslash")
                self._add(self._line[position + 1])
                position += 2
                continue
            if not self._take(character, position):
                break
            position += 1
        if self._closing:
            raise Unfinished(f"{self._closing} is missing")
        self._end_word()
        return tuple(self._words)

    def _add(self, text: str) -> None:
        self._word += text
        self._begun = True

    def _end_word(self) -> None:
        if self._begun:
            self._words.append(self._word)
        self._word, self._begun = "", False

    def _take(self, character: str, position: int) -> bool:
        """One character; False where the line ends for us."""
        if self._closing:
            self._take_quoted(character)
        elif character in " \t\r\n":
            self._end_word()
        elif character in "'\"":
            self._closing, self._begun = character, True
        elif character == "`" or (character == "(" and self._line[position - 1 : position] == "$"):
            self._add(character)
            self._closing = "`" if character == "`" else ")"
        elif character in ";&|<>":
            return False
        else:
            self._add(character)
        return True

    def _take_quoted(self, character: str) -> None:
        if character != self._closing:
            self._add(character)
            return
        if character in "`)":
            self._add(character)
        self._closing = ""
