"""docs/compose.md's table, from the table of attributes that the reader itself uses."""

from hakobu.compose.model.attribute import ATTRIBUTES, ELSEWHERE
from hakobu.compose.model.build import TOP_LEVEL
from hakobu.compose.table import REFUSED_VERBS, VERBS


def attribute_table() -> str:
    """Markdown: each attribute of a service, whether it works, and what to know of it."""
    rows = [(a.name, "works", a.note) for a in ATTRIBUTES] + [(name, "works", why) for name, why in ELSEWHERE.items()]
    lines = ["| attribute | | |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {state} | {note} |" for name, state, note in sorted(rows))]) + "\n"


_KEYS = {
    "version": "ignored, with a warning",
    "include": "path, list of paths, `project_directory`, `env_file`; nested",
    "models": "shown by `config`; `up` refuses a service that uses one",
    "secrets": "`file`, `environment`; external ones belong to clusters and are refused by `up`",
    "configs": "`file`, `environment`, `content`; external ones as above",
}


def top_level_table() -> str:
    """Markdown: each key of a file."""
    rows = [*((name, "works", _KEYS.get(name, "")) for name in TOP_LEVEL), ("x-…", "works", "shown by `config`")]
    lines = ["| key | | |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {state} | {note} |" for name, state, note in rows)]) + "\n"


def verb_table() -> str:
    """Markdown: each verb."""
    rows = [(name, "works", line) for name, (_, line, _) in VERBS.items()]
    rows += [(name, "refused", why) for name, why in REFUSED_VERBS.items()]
    lines = ["| verb | | |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {state} | {note} |" for name, state, note in sorted(rows))]) + "\n"
