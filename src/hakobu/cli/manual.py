"""Manual pages in man(7)'s language, from the commands' own tables."""

from __future__ import annotations

from hakobu.cli.front import GLOBAL_FLAGS
from hakobu.cli.front_page import table_of
from hakobu.cli.registry import COMMANDS, GROUPS, PASSED, SAME, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.table import Command, Flag


def escape(text: str) -> str:
    """Text for troff: plain letters, a minus and no hyphen, no escape, no request at the start of a line."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in text)
    return "\n".join(f"\\&{line}" if line[:1] in (".", "'") else line for line in text.split("\n"))


def pages(program: str, version: str) -> dict[str, str]:
    """All pages by file name: one for the program, one a command (`hakobu-network-ls.1`)."""
    found = {f"{program}.1": front(program, version)}
    for name in names():
        table = table_of(name)
        if table is None or table.raw:
            continue
        table.name = name
        found[f"{program}-{name.replace(' ', '-')}.1"] = page(program, table, version)
    return found


def _head(title: str, version: str) -> str:
    return f'.TH "{escape(title.upper())}" "1" "" "{escape(version)}" "User commands"\n'


def front(program: str, version: str) -> str:
    """The page of the program: every command with its line, and the options before them."""
    lines = [_head(program, version), ".SH NAME\n", f"{program} \\- containers, and what happens below them\n"]
    lines += [".SH SYNOPSIS\n", f".B {program}\n[OPTIONS] COMMAND [ARG...]\n", ".SH OPTIONS\n", *_flags(GLOBAL_FLAGS)]
    lines.append(".SH COMMANDS\n")
    for name in names():
        table = table_of(name)
        if table is not None and table.raw:
            continue
        about = table.short if table else PASSED[name][1]
        reference = f".BR {escape(f'{program}-{name}'.replace(' ', '-'))} (1)" if table else f".B {escape(name)}"
        lines.append(f".TP\n{reference}\n{escape(about)}.\n")
    return "".join(lines)


def page(program: str, table: Command, version: str) -> str:
    """The page of one command."""
    full = f"{program} {table.name}"
    lines = [_head(full.replace(" ", "-"), version), ".SH NAME\n"]
    lines.append(f"{escape(full.replace(' ', '-'))} \\- {escape(table.short)}\n.SH SYNOPSIS\n")
    forms = [f".B {escape(full)}\n" + (f"{escape(form)}\n" if form else "") for form in table.usage.split("\n")]
    lines.append(".br\n".join(forms))
    if table.about:
        lines.append(f".SH DESCRIPTION\n.nf\n{escape(table.about)}\n.fi\n")
    if any(not flag.hidden for flag in table.flags):
        lines += [".SH OPTIONS\n", *_flags(table.flags)]
    others = sorted(name for name in {**COMMANDS, **SAME} if _is_same(name, table.name))
    if others:
        lines.append(f".SH OTHER NAMES\n{escape(', '.join(f'{program} {name}' for name in others))}\n")
    lines.append(f".SH SEE ALSO\n.BR {escape(program)} (1)\n")
    return "".join(lines)


def _is_same(name: str, other: str) -> bool:
    return name != other and SAME.get(name, name) == SAME.get(other, other) and name.partition(" ")[0] not in GROUPS


def _flags(flags: tuple[Flag, ...]) -> list[str]:
    return [_flag(flag) for flag in sorted(flags, key=lambda flag: flag.long) if not flag.hidden]


def _flag(flag: Flag) -> str:
    label = f" \\fI{escape(flag.kind.label)}\\fR" if flag.kind.label else ""
    since = f" Since API {flag.since}." if flag.since else ""
    shown = "" if flag.default in (None, "", 0, False) else f" Default: {flag.default}."
    return f".TP\n\\fB{escape(flag.shown)}\\fR{label}\n{escape(f'{flag.help}.{shown}{since}')}\n"
