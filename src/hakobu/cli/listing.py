"""What all lists share: the default table, `-q`, `--format`, filters, and the formats of docker's configuration."""

from __future__ import annotations

from hakobu.cli.kind import BOOL, FILTER, STRING
from hakobu.cli.table import Flag
from hakobu.cli.text.table import render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.cli.template.value import Record

FORMAT = Flag("format", "", STRING, "Format of the output: table, table TEMPLATE, json, or a Go template")
OBJECT_FORMAT = Flag("format", "f", STRING, "Format of the output: json or a Go template")
FILTERS = Flag("filter", "f", FILTER, "Show only what this is true of: NAME=VALUE")
NO_TRUNC = Flag("no-trunc", "", BOOL, "Do not shorten the output")
PLATFORM = Flag(
    "platform", "", STRING, "Of this platform, where the image has several: OS[/ARCH[/VARIANT]]", since="1.48"
)
QUIET = Flag("quiet", "q", BOOL, "Show the IDs only")

Column = tuple[str, str]


def filters_of(values: Values) -> dict[str, list[str]]:
    """`--filter` items by name."""
    found: dict[str, list[str]] = {}
    for item in values.texts("filter"):
        name, _, value = item.partition("=")
        found.setdefault(name.strip().lower(), []).append(value.strip())
    return found


def chosen_format(session: Session, values: Values, configured: str) -> str:
    """The flag's format, else the one of docker's configuration, else the table."""
    if values.text("format"):
        return values.text("format")
    if "quiet" in values.given:
        return "table"
    return str(session.config().get(configured) or "table")


def show(
    session: Session,
    form: str,
    rows: Sequence[Record],
    columns: Sequence[Column],
    headers: dict[str, object],
) -> None:
    """The rows as their default table, or by a format."""
    if form in ("", "table"):
        body = [[str(row.members[member]()) for member, _ in columns] for row in rows]
        session.out(render([title for _, title in columns], body))
        return
    from hakobu.cli.template.output import print_list

    print_list(session, form, rows, headers)


def show_ids(session: Session, ids: Sequence[str]) -> None:
    session.out("".join(f"{item}\n" for item in ids))


def short_id(text: str, *, full: bool = False) -> str:
    """Twelve digits of an id, its algorithm left out; all of it with `full`."""
    if full:
        return text
    return text.rpartition(":")[2][:12]


def ellipsis(text: str, size: int) -> str:
    """Shortened to `size` characters, the last one telling so."""
    return text if len(text) <= size else text[: size - 1] + "…"


def labels_text(labels: dict[str, str] | None) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted((labels or {}).items()))
