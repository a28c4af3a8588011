"""docs/compose.md's table, from the table of attributes that the reader itself uses."""

from hakobu.compose.command import REFUSED_VERBS, VERBS
from hakobu.compose.model.attribute import ATTRIBUTES, REFUSED
from hakobu.compose.model.build import TOP_LEVEL, TOP_LEVEL_REFUSED


def attribute_table() -> str:
    """Markdown: each attribute of a service, whether it works, and what to know of it."""
    rows = [(a.name, "works", a.note) for a in ATTRIBUTES] + [(name, "refused", why) for name, why in REFUSED.items()]
    lines = ["| attribute | | |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {state} | {note} |" for name, state, note in sorted(rows))]) + "\n"


def top_level_table() -> str:
    """Markdown: each key of a file."""
    rows = [(name, "works", "ignored, with a warning" if name == "version" else "") for name in TOP_LEVEL]
    rows += [(name, "refused", why) for name, why in TOP_LEVEL_REFUSED.items()]
    rows.append(("x-…", "works", "kept for anchors, shown by `config`"))
    lines = ["| key | | |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {state} | {note} |" for name, state, note in rows)]) + "\n"


def verb_table() -> str:
    """Markdown: each verb."""
    rows = [(name, "works", line) for name, (_, line, _) in VERBS.items()]
    rows += [(name, "refused", why.format(verb=name).replace("|", "\\|")) for name, why in REFUSED_VERBS.items()]
    lines = ["| verb | | |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {state} | {note} |" for name, state, note in sorted(rows))]) + "\n"
