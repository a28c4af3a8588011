"""Flags as runc takes them: `--name value`, `--name=value`, `-name` as well as `--name`, all before the operands."""

from collections.abc import Mapping, Sequence
from typing import Literal

from hakobu.errors import HakobuError, Kind
from hakobu.spec.dataclass import dataclass

Value = str | bool | list[str]


class Usage(HakobuError):
    kind = Kind.INVALID


@dataclass(frozen=True, slots=True)
class Option:
    """`names` as they are typed, without dashes; the first names the value."""

    names: tuple[str, ...]
    takes: Literal["nothing", "text", "list"] = "text"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was given: flags by their first name, and what stood behind them."""

    values: Mapping[str, Value]
    operands: tuple[str, ...]

    def text(self, name: str, default: str = "") -> str:
        value = self.values.get(name, default)
        return value if isinstance(value, str) else default

    def flag(self, name: str) -> bool:
        return self.values.get(name) is True

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.values.get(name)
        return tuple(value) if isinstance(value, list) else ()

    def number(self, name: str, default: int | None = None) -> int | None:
        given = self.text(name)
        if not given:
            return default
        try:
            return int(given)
        except ValueError:
            raise Usage(f"--{name} must be a whole number: {given}") from None

    def operand(self, index: int, name: str) -> str:
        if index >= len(self.operands):
            raise Usage(f"{name} is missing")
        return self.operands[index]


def parse(words: Sequence[str], options: Sequence[Option]) -> Parsed:
    """Up to the first operand, or behind `--`."""
    known = {name: option for option in options for name in option.names}
    values: dict[str, Value] = {}
    position = 0
    while position < len(words):
        word = words[position]
        if not word.startswith("-") or word == "-":
            break
        position += 1
        if word == "--":
            break
        name, equals, given = word.lstrip("-").partition("=")
        option = known.get(name)
        if option is None:
            raise Usage(f"flag provided but not defined: -{name}")
        if option.takes == "nothing":
            values[option.names[0]] = not equals or given.lower() in ("true", "1", "t")
            continue
        if not equals:
            if position >= len(words):
                raise Usage(f"flag needs an argument: -{name}")
            given = words[position]
            position += 1
        _keep(values, option, given)
    return Parsed(values, tuple(words[position:]))


def _keep(values: dict[str, Value], option: Option, given: str) -> None:
    name = option.names[0]
    if option.takes == "text":
        values[name] = given
        return
    listed = values.setdefault(name, [])
    if isinstance(listed, list):
        listed.append(given)
