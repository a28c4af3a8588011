"""Parses flags as docker does: short clusters, `--flag=value`, `--`, and its error texts."""

from __future__ import annotations

from hakobu.cli.failure import BadArguments, BadFlags, HelpWanted
from hakobu.cli.table import MANY, Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.table import Command, Flag


class _Parser:
    def __init__(self, flags: tuple[Flag, ...]) -> None:
        self.long = {flag.long: flag for flag in flags}
        for flag in flags:
            for alias in flag.aliases:
                self.long[alias] = flag
        self.short = {flag.short: flag for flag in flags if flag.short}
        self.values: dict[str, object] = {}
        self.given: set[str] = set()
        for flag in flags:
            default = flag.kind.zero if flag.default is None else flag.default
            self.values[flag.long] = [] if flag.kind.repeats else default

    def parse(self, argv: list[str], *, interspersed: bool) -> list[str]:
        arguments: list[str] = []
        position = 0
        while position < len(argv):
            word = argv[position]
            position += 1
            if word == "--":
                return arguments + argv[position:]
            if len(word) < 2 or word[0] != "-":
                if not interspersed:
                    return [word, *argv[position:]]
                arguments.append(word)
            elif word.startswith("--"):
                position = self._long(word, argv, position)
            else:
                position = self._cluster(word, argv, position)
        return arguments

    def _long(self, word: str, argv: list[str], position: int) -> int:
        name, equals, value = word[2:].partition("=")
        if not name or name[0] == "-":
            raise BadFlags(f"bad flag syntax: {word}")
        flag = self.long.get(name)
        if flag is None:
            if name == "help":
                raise HelpWanted
            raise BadFlags(f"unknown flag: --{name}")
        if not equals:
            if flag.kind.bare:
                value = flag.kind.bare
            elif position < len(argv):
                value = argv[position]
                position += 1
            else:
                raise BadFlags(f"flag needs an argument: --{name}")
        self._set(flag, value)
        return position

    def _cluster(self, word: str, argv: list[str], position: int) -> int:
        letters = word[1:]
        while letters:
            flag = self.short.get(letters[0])
            if flag is None:
                if letters[0] == "h":
                    raise HelpWanted
                raise BadFlags(f"unknown shorthand flag: {_letter(letters[0])} in -{letters}")
            rest = letters[1:]
            if rest.startswith("="):
                self._set(flag, rest[1:])
                return position
            if flag.kind.bare:
                self._set(flag, flag.kind.bare)
                letters = rest
                continue
            if rest:
                self._set(flag, rest)
            elif position < len(argv):
                self._set(flag, argv[position])
                position += 1
            else:
                raise BadFlags(f"flag needs an argument: {_letter(letters[0])} in -{letters}")
            return position
        return position

    def _set(self, flag: Flag, text: str) -> None:
        try:
            value = flag.kind.parse(text)
        except ValueError as e:
            message = f'invalid argument "{_escaped(text)}" for "{flag.shown}" flag: {e}'
            raise BadFlags(message) from None
        current = self.values[flag.long]
        if flag.kind.repeats and isinstance(current, list):
            current.append(value)  # pyright: ignore[reportUnknownMemberType]
        else:
            self.values[flag.long] = value
        self.given.add(flag.long)


def _letter(letter: str) -> str:
    return f"'{letter}'"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def parse_flags(flags: tuple[Flag, ...], argv: list[str], *, interspersed: bool = True) -> tuple[Values, list[str]]:
    """Values and arguments of a command line; BadFlags or HelpWanted otherwise."""
    parser = _Parser(flags)
    arguments = parser.parse(argv, interspersed=interspersed)
    return Values(parser.values, parser.given), arguments


def parse_command(command: Command, argv: list[str]) -> tuple[Values, list[str]]:
    """Parses a command's own part of the line, and holds it to its number of arguments."""
    if command.raw:
        if "--help" in argv or "-h" in argv:
            raise HelpWanted
        return Values({}, set()), argv
    values, arguments = parse_flags(command.flags, argv, interspersed=command.interspersed)
    _check_count(command, len(arguments))
    return values, arguments


def _check_count(command: Command, count: int) -> None:
    least, most = command.least, command.most
    if least <= count <= most:
        return
    if most == 0:
        raise BadArguments(command, "accepts no arguments", see="Run")
    if least == most:
        raise BadArguments(command, f"requires {_arguments(least)}", see="Run")
    if most == MANY:
        raise BadArguments(command, f"requires at least {_arguments(least)}")
    if least == 0:
        raise BadArguments(command, f"requires at most {_arguments(most)}", see="Run")
    if count < least:
        raise BadArguments(command, f"requires at least {_arguments(least)}")
    raise BadArguments(command, f"requires at most {_arguments(most)}", see="Run")


def _arguments(count: int) -> str:
    return f"{count} argument" if count == 1 else f"{count} arguments"
