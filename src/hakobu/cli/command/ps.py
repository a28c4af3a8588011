"""`ps`: the containers."""

from __future__ import annotations

from hakobu.cli.container_row import COLUMNS, HEADERS, container_row
from hakobu.cli.failure import Failure
from hakobu.cli.kind import BOOL, INT
from hakobu.cli.listing import FILTERS, FORMAT, NO_TRUNC, QUIET, chosen_format, filters_of, short_id, show, show_ids
from hakobu.cli.table import Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

PS = Command(
    "ps",
    "[OPTIONS]",
    "List containers",
    aliases=("container ls", "container list", "container ps", "ps"),
    flags=(
        Flag("all", "a", BOOL, "Show those that do not run, too"),
        FILTERS,
        FORMAT,
        Flag("last", "n", INT, "Show the last ones created, in any state", -1),
        Flag("latest", "l", BOOL, "Show the last one created, in any state"),
        NO_TRUNC,
        QUIET,
        Flag("size", "s", BOOL, "Show sizes"),
    ),
)


def ps(session: Session, values: Values, arguments: list[str]) -> int:
    full = values.on("no-trunc")
    form = chosen_format(session, values, "psFormat")
    last = 1 if values.on("latest") and values.number("last") == -1 else values.number("last")
    sizes = values.on("size") or (not values.on("quiet") and form not in ("table", "json") and _asks_for_size(form))
    containers = session.engine.containers.list(
        all=values.on("all"), limit=last if last != -1 else None, size=sizes, filters=filters_of(values)
    )
    if values.on("quiet") and form == "table":
        show_ids(session, [short_id(c["Id"], full=full) for c in containers])
        return 0
    rows = [container_row(container, full=full, virtual=sizes) for container in containers]
    columns = [*COLUMNS, ("Size", "SIZE")] if values.on("size") else COLUMNS
    show(session, form, rows, columns, HEADERS)
    return 0


def _asks_for_size(form: str) -> bool:
    """Whether a format shows sizes, which cost the engine a walk; a wrong format fails here, even without a row."""
    from hakobu.cli.template.evaluate import TemplateError
    from hakobu.cli.template.output import parse_list_format

    row = container_row({"Id": ""}, full=False)
    asked: list[bool] = []
    row.members = {**row.members, "Size": lambda: asked.append(True) or ""}
    try:
        parse_list_format(form)[0].execute(row)
    except TemplateError as e:
        raise Failure(f"failed to execute template: {e}") from None
    return bool(asked)
