"""What the program says of itself: help, version, and the answers to lines that name no command."""

from __future__ import annotations

import sys

from hakobu import __version__
from hakobu.cli import help
from hakobu.cli.failure import BadArguments, BadFlags, Failure, HelpWanted
from hakobu.cli.front import GLOBAL_FLAGS
from hakobu.cli.registry import FOREIGN_GROUPS, GROUPS, PASSED, home_of, names
from hakobu.client.error import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hakobu.cli.session import Session
    from hakobu.cli.table import Command

_COMMON = ["run", "exec", "ps", "pull", "images", "compose", "explain", "version", "info"]


def table_of(name: str) -> Command | None:
    """A command's table, its module loaded; None for commands of other parts of the program."""
    if name in PASSED:
        return None
    module_name, function = home_of(name)
    module = __import__(f"hakobu.cli.command.{module_name}", fromlist=[function])
    return getattr(module, function.upper())


def _short(name: str) -> str:
    table = table_of(name)
    return table.short if table else PASSED[name][1]


def show_help(program: str, words: list[str]) -> int:
    """The first page, or a group's."""
    groups = {**GROUPS, **FOREIGN_GROUPS}
    if words and words[0] in groups:
        group = words[0]
        members = {n.split(" ")[1]: _short(n) for n in names() if n.startswith(f"{group} ")}
        sys.stdout.write(help.group_page(program, group, groups[group], members))
        return 0
    single = [name for name in names() if " " not in name]
    blocks = {
        "Common Commands": {name: _short(name) for name in _COMMON},
        "Management Commands": dict(sorted({**GROUPS, **_plugins()}.items())),
        "Commands": {name: _short(name) for name in single if name not in _COMMON},
    }
    lines = [f"Usage:  {program} [OPTIONS] COMMAND", "", "Containers, and what happens below them", ""]
    for title, rows in blocks.items():
        lines += [f"{title}:", *(f"  {name.ljust(11)} {text}" for name, text in rows.items()), ""]
    lines += ["Global Options:", *help.flag_lines(GLOBAL_FLAGS, help.width()), ""]
    lines.append(f"Run '{program} COMMAND --help' for more information on a command.")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _plugins() -> dict[str, str]:
    """docker's plugins of this user, marked as docker marks them."""
    import os

    from hakobu.cli.plugins import installed
    from hakobu.client.credential import read_config
    from hakobu.client.endpoint import docker_config_dir

    config_dir = docker_config_dir(os.environ)
    return {f"{plugin.name}*": plugin.about for plugin in installed(read_config(config_dir), config_dir)}


def show_version(program: str) -> int:
    sys.stdout.write(f"{program.capitalize()} version {__version__}, build hakobu\n")
    return 0


def foreign_command(session: Session, words: list[str]) -> int:
    """A word that is no command here: a plugin of docker's, else an answer that says so."""
    name = words[0]
    if name not in GROUPS and name not in FOREIGN_GROUPS and name != "help":
        from hakobu.cli import plugins

        if path := plugins.find(session, name):
            return guard(session, lambda: plugins.run(session, path, words))
    if name == "help" and len(words) > 1:
        from hakobu.cli import plugins
        from hakobu.cli.registry import resolve

        path = "" if resolve(words[1:])[0] else plugins.find(session, words[1])
        if path:
            return guard(session, lambda: plugins.run(session, path, [*words[1:], "--help"]))
    return no_such_command(session.program, words)


def no_such_command(program: str, words: list[str]) -> int:
    """A group alone shows its help; anything else is an unknown command, status 1."""
    word = words[0]
    if word == "help":
        return _help_command(program, words[1:])
    if word in GROUPS or word in FOREIGN_GROUPS:
        rest = [w for w in words[1:] if w not in ("--help", "-h")]
        if not rest:
            return show_help(program, words)
        if rest[0].startswith("-"):
            message = f"unknown flag: {rest[0]}\n\nUsage:  {program} {word}"
            sys.stderr.write(f"{message}\n\nRun '{program} {word} --help' for more information\n")
            return 125
        message = f"{program}: unknown command: {program} {word} {rest[0]}\n\nUsage:  {program} {word}"
        sys.stderr.write(f"{message}\n\nRun '{program} {word} --help' for more information\n")
        return 1
    message = f"{program}: unknown command: {program} {word}"
    sys.stderr.write(f"{message}\n\nRun '{program} --help' for more information\n")
    return 1


def _help_command(program: str, words: list[str]) -> int:
    from hakobu.cli.registry import resolve

    name, _ = resolve(words)
    table = table_of(name) if name else None
    if table is None:
        return show_help(program, words)
    table.name = name
    sys.stdout.write(help.command_page(program, table))
    return 0


def bad_global_flags(program: str, error: BadFlags) -> int:
    usage = f"Usage:  {program} [OPTIONS] COMMAND [ARG...]"
    sys.stderr.write(f"{error.message}\n\n{usage}\n\nRun '{program} --help' for more information\n")
    return 125


def unparsed(session: Session, command: Command, error: Exception) -> int:
    """Help, wrong flags and wrong arguments; anything else is a defect and shown as one."""
    program = session.program
    if isinstance(error, HelpWanted):
        session.out(help.command_page(program, command))
        return 0
    usage = f"Usage:  {help.usage(program, command)}"
    more = f"'{program} {command.name} --help' for more information"
    if isinstance(error, BadFlags):
        session.error(f"{error.message}\n\n{usage}\n\nRun {more}")
        return 125
    if isinstance(error, BadArguments):
        what = f"{program}: '{program} {command.name}' {error.wanted}"
        session.error(f"{what}\n\n{usage}\n\n{error.see} {more}")
        return 1
    raise error


def guard(session: Session, call: Callable[[], int]) -> int:
    """Runs a command of another part, with the same words for the same failures."""
    try:
        return call()
    except Failure as e:
        if e.message:
            session.error(e.message)
        return e.status
    except ClientError as e:
        session.error(str(e))
        if e.hint:
            session.error(f"({e.hint})")
        return 1
