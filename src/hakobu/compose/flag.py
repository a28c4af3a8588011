"""How a verb's flags and arguments are declared: small functions that add one to a parser."""

import argparse
from collections.abc import Callable
from typing import TypeAlias

Adder: TypeAlias = Callable[[argparse.ArgumentParser], object]

_switches: set[str] = set()
"""The names of all flags without a value."""


def flag(*names: str, dest: str = "", help: str = "", default: bool = False) -> Adder:
    """A switch; `--name=false` turns it off."""
    _switches.update(names)

    def add(parser: argparse.ArgumentParser) -> object:
        target = dest or names[-1].lstrip("-").replace("-", "_")
        parser.set_defaults(**{target: default})
        off = [f"--no-switch-{name.lstrip('-')}" for name in names if name.startswith("--")]
        parser.add_argument(*off, dest=target, action="store_false", help=argparse.SUPPRESS)
        return parser.add_argument(*names, dest=target, action="store_true", default=default, help=help)

    return add


def text(*names: str, help: str = "", dest: str = "") -> Adder:
    target = dest or names[-1].lstrip("-").replace("-", "_")
    return lambda parser: parser.add_argument(*names, dest=target, default="", help=help)


def number(*names: str, help: str = "") -> Adder:
    return lambda parser: parser.add_argument(*names, type=int, default=None, help=help)


def texts(*names: str, help: str = "", dest: str = "") -> Adder:
    target = dest or names[-1].lstrip("-").replace("-", "_")
    return lambda parser: parser.add_argument(*names, dest=target, action="append", default=[], help=help)


def words(**metavars: str) -> Adder:
    """Arguments in their order: `service="SERVICE"` for one, `…?` for one that may be left out."""

    def add(parser: argparse.ArgumentParser) -> object:
        for name, metavar in metavars.items():
            optional = metavar.endswith("?")
            parser.add_argument(name, metavar=metavar.rstrip("?"), nargs="?" if optional else None, default="")
        return None

    return add


def many(name: str, metavar: str, *, least: int = 0) -> Adder:
    return lambda parser: parser.add_argument(name, nargs="+" if least else "*", metavar=metavar)


def rest(name: str, metavar: str) -> Adder:
    """All that is left, flags among it."""
    return lambda parser: parser.add_argument(name, nargs=argparse.REMAINDER, metavar=metavar)


def spread(argv: list[str], commands: frozenset[str]) -> list[str]:
    """`--flag=true` and `--flag=false` as switches, which argparse does not know.

    Behind one of `commands` and its first argument stands another program's command line, which is left alone.
    """
    found: list[str] = []
    foreign = False
    for i, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if word == "--" or (foreign and not word.startswith("-")):
            return [*found, *argv[i:]]
        foreign = foreign or word in commands
        if equals and name in _switches and value in ("true", "false"):
            found.append(name if value == "true" else f"--no-switch-{name.lstrip('-')}")
        else:
            found.append(word)
    return found
