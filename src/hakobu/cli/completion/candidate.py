"""The words that may stand at the end of a command line, from the commands' own tables.

The last word is the one that is being typed. What a flag or an argument names (a container, an image) comes
from the names in its usage and from `VALUES`; the engine is asked only where one of its objects is wanted.
"""

from __future__ import annotations

from hakobu.cli.front import GLOBAL_FLAGS
from hakobu.cli.front_page import table_of
from hakobu.cli.registry import ALIASES, FOREIGN_GROUPS, GROUPS, PASSED, names, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hakobu.cli.table import Command, Flag

# A candidate and what it is about.
Candidate = tuple[str, str]

FILES = "files"
# Flags by what their value is: words to choose from, or a kind of object that `live` can list.
VALUES = {
    "cgroupns": "host private",
    "context": "=context",
    "from": "=context",
    "isolation": "default",
    "log-driver": "json-file local none journald syslog fluentd gelf",
    "log-level": "debug info warn error fatal",
    "net": "=network",
    "network": "=network",
    "pull": "always missing never",
    "platform": "linux/amd64 linux/arm64 linux/arm/v7",
    "restart": "no always on-failure unless-stopped",
    "runtime": "=runtime",
    "signal": "SIGTERM SIGKILL SIGINT SIGHUP SIGQUIT SIGUSR1 SIGUSR2 SIGSTOP SIGCONT",
    "stop-signal": "SIGTERM SIGKILL SIGINT SIGHUP SIGQUIT SIGUSR1 SIGUSR2",
    "type": "container image network volume",
    "userns": "host",
    "uts": "host",
    "volume": "=volume",
    "volumes-from": "=container",
    "format": "json table",
    **dict.fromkeys(("env-file", "label-file", "cidfile", "input", "output", "config", "dir"), FILES),
    **dict.fromkeys(("tlscacert", "tlscert", "tlskey"), FILES),
}
# Arguments by the name they have in the usage.
ARGUMENTS = {
    "CONTAINER": "=container",
    "CONTEXT": "=context",
    "FILE": FILES,
    "IMAGE": "=image",
    "NAME": "=any",
    "NETWORK": "=network",
    "PATH": FILES,
    "PLUGIN": "",
    "SOCKET": "",
    "SOURCE_IMAGE": "=image",
    "TARGET_IMAGE": "=image",
    "VOLUME": "=volume",
    "SHELL": "bash zsh fish powershell",
}
# Commands for which only containers in these states make sense.
STATES = {
    "attach": "running",
    "exec": "running",
    "kill": "running",
    "pause": "running",
    "start": "created exited",
    "stop": "running restarting",
    "top": "running",
    "unpause": "paused",
}


def candidates(words: list[str], live: Callable[[str, str], list[Candidate]]) -> tuple[list[Candidate], bool]:
    """What may stand for the last word, and whether files may as well.

    `live(kind, states)` lists the engine's objects of a kind; containers only in those states, where given.
    """
    typed = words[-1] if words else ""
    found, files = _all(words[:-1], typed, live)
    prefix = _listed(typed) if "," in typed else ""
    matching = [(word, about) for word, about in found if word.startswith(typed[len(prefix) :])]
    return [(prefix + word, about) for word, about in sorted(set(matching))], files


def _listed(typed: str) -> str:
    """Of `a,b,c` what stands already."""
    return typed[: typed.rfind(",") + 1]


def _all(before: list[str], typed: str, live: Callable[[str, str], list[Candidate]]) -> tuple[list[Candidate], bool]:
    rest, open_flag = _skip_flags(GLOBAL_FLAGS, before, stop=True)
    if open_flag is not None:
        return _values(open_flag, live)
    name, count = resolve(rest)
    table = table_of(name) if name else None
    if name in GROUPS or (not name and len(rest) == 1 and (rest[0] in GROUPS or rest[0] in FOREIGN_GROUPS)):
        return _members(rest[0]), False
    if table is None:
        if rest:
            # Of another part of the program, or no command at all.
            return [], name in PASSED
        return (_flags(GLOBAL_FLAGS) if typed.startswith("-") else _first_words()), False
    return _of_command(table, name, rest[count:], typed, live)


def _first_words() -> list[Candidate]:
    single = [(name, _about(name)) for name in names() if " " not in name]
    return [*single, *GROUPS.items()]


def _about(name: str) -> str:
    table = table_of(name)
    return table.short if table else PASSED[name][1]


def _members(group: str) -> list[Candidate]:
    known = [name for name in (*names(), *ALIASES) if name.startswith(f"{group} ")]
    return [(name.partition(" ")[2], _about(ALIASES.get(name, name))) for name in known]


def _of_command(
    table: Command, name: str, given: list[str], typed: str, live: Callable[[str, str], list[Candidate]]
) -> tuple[list[Candidate], bool]:
    arguments, open_flag = _skip_flags(table.flags, given, stop=not table.interspersed)
    if open_flag is not None:
        return _values(open_flag, live)
    if typed.startswith("--") and "=" in typed:
        flag = next((flag for flag in table.flags if flag.long == typed[2:].partition("=")[0]), None)
        found, files = _values(flag, live) if flag else ([], False)
        return [(f"--{flag.long}={word}", about) for word, about in found] if flag else found, files
    ended = not table.interspersed and bool(arguments)
    if typed.startswith("-") and not ended:
        return _flags(table.flags), False
    if table.interspersed and len(arguments) >= table.most:
        return [], False
    wanted = _argument(table.usage.split("\n")[0], len(arguments))
    found, files = _choices(ARGUMENTS.get(wanted, ""), live, STATES.get(name.rpartition(" ")[2], ""))
    # A word that stands already is not offered again.
    return [(word, about) for word, about in found if word not in arguments], files


def _argument(usage: str, index: int) -> str:
    """The name of the argument at this place: `CONTAINER` of `[OPTIONS] CONTAINER [CONTAINER...]`."""
    places = [word.strip("[].") for word in usage.split(" ") if word not in ("[OPTIONS]", "|", "[ARG...]")]
    if not places:
        return ""
    repeats = usage.endswith("...]")
    if index >= len(places):
        place = places[-1] if repeats else ""
    else:
        place = places[index]
    return place.partition("|")[0].partition(":")[0].partition("[")[0]


def _skip_flags(flags: tuple[Flag, ...], words: list[str], *, stop: bool) -> tuple[list[str], Flag | None]:
    """The arguments among the words, and the flag whose value is still to come."""
    by_long = {name: flag for flag in flags for name in (flag.long, *flag.aliases)}
    by_short = {flag.short: flag for flag in flags if flag.short}
    arguments: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            return arguments + words[position:], None
        if len(word) < 2 or word[0] != "-":
            if stop:
                return [*arguments, word, *words[position:]], None
            arguments.append(word)
            continue
        flag = by_long.get(word[2:]) if word.startswith("--") else by_short.get(word[-1])
        if flag is not None and not flag.kind.bare and "=" not in word:
            if position == len(words):
                return arguments, flag
            position += 1
    return arguments, None


def _flags(flags: tuple[Flag, ...]) -> list[Candidate]:
    shown = [flag for flag in flags if not flag.hidden]
    long = [(f"--{flag.long}", flag.help) for flag in shown]
    return [*long, *((f"-{flag.short}", flag.help) for flag in shown if flag.short), ("--help", "Show the help page")]


def _values(flag: Flag, live: Callable[[str, str], list[Candidate]]) -> tuple[list[Candidate], bool]:
    if flag.kind.bare:
        return [("true", ""), ("false", "")], False
    if flag.long == "volume" and flag.short == "v":
        return live("volume", ""), True
    if flag.long == "output" or flag.long == "input":
        return [], True
    return _choices(VALUES.get(flag.long, ""), live, "")


def _choices(source: str, live: Callable[[str, str], list[Candidate]], states: str) -> tuple[list[Candidate], bool]:
    if source == FILES:
        return [], True
    if source.startswith("="):
        return live(source[1:], states), False
    return [(word, "") for word in source.split()], False
