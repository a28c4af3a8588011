"""Help pages, from the commands' tables. Loaded only when one is asked for."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.table import Command, Flag


def width() -> int:
    """Columns to fill: the terminal's, 80 where there is none, and never more than 120."""
    try:
        return max(40, min(os.get_terminal_size(sys.stdout.fileno()).columns, 120))
    except (OSError, ValueError, AttributeError):
        return 80


def wrap(text: str, size: int) -> list[str]:
    """Lines of at most `size` characters; line breaks in the text stay."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            if line and len(line) + 1 + len(word) > size:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines


def flag_lines(flags: tuple[Flag, ...], columns: int) -> list[str]:
    """The `Options:` block's lines, names in one column, help in the next."""
    rows = [(_flag_name(flag), _flag_help(flag)) for flag in sorted(flags, key=lambda f: f.long) if not flag.hidden]
    left = max((len(name) for name, _ in rows), default=0) + 3
    lines: list[str] = []
    for name, text in rows:
        first, *more = wrap(text, max(30, columns - left))
        lines.append(f"{name.ljust(left)}{first}".rstrip())
        lines.extend((" " * left + line).rstrip() for line in more)
    return lines


def _flag_name(flag: Flag) -> str:
    short = f"-{flag.short}, " if flag.short else "    "
    label = flag.kind.label
    return f"  {short}--{flag.long}{' ' + label if label else ''}"


def _flag_help(flag: Flag) -> str:
    if flag.default in (None, "", 0, False):
        return flag.help
    shown = flag.default if not isinstance(flag.default, str) else f'"{flag.default}"'
    return f"{flag.help} (default {str(shown).lower() if isinstance(shown, bool) else shown})"


def command_page(program: str, command: Command) -> str:
    """The page of one command."""
    parts = [f"Usage:  {usage(program, command)}", command.short]
    if command.about:
        parts.append(command.about)
    if command.aliases:
        parts.append("Aliases:\n  " + ", ".join(f"{program} {alias}" for alias in command.aliases))
    if any(not flag.hidden for flag in command.flags):
        parts.append("Options:\n" + "\n".join(flag_lines(command.flags, width())))
    return "\n\n".join(parts) + "\n"


def usage(program: str, command: Command) -> str:
    """The usage line: two of them for a command that has two forms."""
    return "\n\t".join(f"{program} {command.name} {form}".rstrip() for form in command.usage.split("\n"))


def group_page(program: str, group: str, short: str, members: dict[str, str]) -> str:
    """The page of a management command such as `network`."""
    rows = "\n".join(f"  {name.ljust(11)} {text}" for name, text in sorted(members.items()))
    tail = f"Run '{program} {group} COMMAND --help' for more information on a command."
    return f"Usage:  {program} {group} COMMAND\n\n{short}\n\nCommands:\n{rows}\n\n{tail}\n"
