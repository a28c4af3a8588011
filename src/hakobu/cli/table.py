"""What a command looks like: its name, arguments and flags as data.

The parser, the help pages and everything later that needs to know the commands (completion, manual
pages) read the same tables. Plain classes: `dataclasses` would cost more than parsing the command line.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MANY = 1 << 30


class Kind:
    """A type of flag: its name in the help, its parser (ValueError with docker's text), its zero value.

    `repeats` collects values in a list; `bare` is what the flag means without a value (booleans).
    """

    __slots__ = ("bare", "label", "parse", "repeats", "zero")

    def __init__(
        self,
        label: str,
        parse: Callable[[str], object],
        zero: object = None,
        *,
        repeats: bool = False,
        bare: str = "",
    ) -> None:
        self.label = label
        self.parse = parse
        self.zero = zero
        self.repeats = repeats
        self.bare = bare


class Flag:
    """One flag: long name, one-letter name or empty, kind, help, default where it is not the kind's zero."""

    __slots__ = ("aliases", "default", "help", "hidden", "kind", "long", "short", "since")

    def __init__(
        self,
        long: str,
        short: str,
        kind: Kind,
        help: str,
        default: object = None,
        *,
        hidden: bool = False,
        since: str = "",
        aliases: tuple[str, ...] = (),
    ) -> None:
        self.long = long
        self.short = short
        self.kind = kind
        self.help = help
        self.default = default
        self.hidden = hidden
        self.since = since
        self.aliases = aliases

    @property
    def shown(self) -> str:
        """The flag as error messages name it: `-m, --memory`."""
        return f"-{self.short}, --{self.long}" if self.short else f"--{self.long}"


# Commands that change something at the engine and can be rehearsed; prunes and compose do that in ways of their own.
_EACH_APART = frozenset(
    ("kill", "network rm", "pause", "restart", "rm", "rmi", "start", "stop", "unpause", "update", "volume rm")
)
_AS_ONE = frozenset(
    (
        "checkpoint create",
        "checkpoint rm",
        "commit",
        "container edit",
        "create",
        "exec",
        "import",
        "load",
        "manifest push",
        "network connect",
        "network create",
        "network disconnect",
        "pull",
        "push",
        "rename",
        "run",
        "socket create",
        "socket rm",
        "tag",
        "volume clone",
        "volume create",
        "volume rename",
    )
)


class Command:
    """A command: `name` as typed (`network ls`), the usage behind it, one line of help, its bounds.

    `interspersed` says whether flags may follow the first argument; a command that passes arguments on
    (run, exec) ends its own flags there. A `raw` command gets its whole line as arguments.
    """

    __slots__ = (
        "about",
        "aliases",
        "apart",
        "flags",
        "interspersed",
        "least",
        "most",
        "name",
        "raw",
        "rehearsed",
        "short",
        "usage",
    )

    def __init__(
        self,
        name: str,
        usage: str,
        short: str,
        *,
        least: int = 0,
        most: int = 0,
        flags: tuple[Flag, ...] = (),
        aliases: tuple[str, ...] = (),
        interspersed: bool = True,
        raw: bool = False,
        about: str = "",
    ) -> None:
        self.name = name
        self.raw = raw
        self.usage = usage
        self.short = short
        self.least = least
        self.most = most
        self.flags = flags
        self.aliases = aliases
        self.interspersed = interspersed
        self.about = about
        self.apart = name in _EACH_APART
        self.rehearsed = self.apart or name in _AS_ONE
        if self.rehearsed:
            from hakobu.cli.kind import BOOL  # which is made of this module

            self.flags = (*flags, Flag("dry-run", "", BOOL, "Show the request that would be sent, and send nothing"))


def key_values(items: list[str]) -> dict[str, str]:
    """`key=value` items as a dictionary, in the order given; a key alone has an empty value."""
    found: dict[str, str] = {}
    for item in items:
        key, _, value = item.partition("=")
        found[key] = value
    return found


class Values:
    """Parsed flags: values by long name, and which of them were given."""

    __slots__ = ("_values", "given")

    def __init__(self, values: dict[str, object], given: set[str]) -> None:
        self._values = values
        self.given = given

    def raw(self, name: str) -> object:
        return self._values[name]

    def text(self, name: str) -> str:
        value = self._values[name]
        assert isinstance(value, str), name
        return value

    def on(self, name: str) -> bool:
        return self._values[name] is True

    def number(self, name: str) -> int:
        value = self._values[name]
        assert isinstance(value, int), name
        return value

    def texts(self, name: str) -> list[str]:
        value = self._values[name]
        assert isinstance(value, list), name
        return [str(item) for item in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]

    def pairs(self, name: str) -> dict[str, str]:
        """The `key=value` items of a map flag, in the order given."""
        return key_values(self.texts(name))
