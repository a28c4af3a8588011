"""`history`: the layers of an image and what made them."""

from __future__ import annotations

import time

from hakobu.cli.kind import BOOL
from hakobu.cli.listing import FORMAT, NO_TRUNC, PLATFORM, QUIET, ellipsis, short_id, show, show_ids
from hakobu.cli.table import Command, Flag
from hakobu.cli.template.value import Record
from hakobu.cli.text import ago, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

HISTORY = Command(
    "history",
    "[OPTIONS] IMAGE",
    "Show the layers of an image",
    least=1,
    most=1,
    aliases=("image history", "history"),
    flags=(FORMAT, Flag("human", "H", BOOL, "Show sizes and times rounded", True), NO_TRUNC, PLATFORM, QUIET),
)
COLUMNS = (
    ("ID", "IMAGE"),
    ("CreatedSince", "CREATED"),
    ("CreatedBy", "CREATED BY"),
    ("Size", "SIZE"),
    ("Comment", "COMMENT"),
)


def history(session: Session, values: Values, arguments: list[str]) -> int:
    full, human = values.on("no-trunc"), values.on("human")
    layers = session.engine.images.history(arguments[0], platform=values.text("platform"))
    if values.on("quiet") and not values.text("format"):
        show_ids(session, [short_id(layer["Id"], full=full) for layer in layers])
        return 0
    columns = (
        COLUMNS if human else [(("CreatedAt", "CREATED AT") if m == "CreatedSince" else (m, t)) for m, t in COLUMNS]
    )
    headers: dict[str, object] = {**dict(COLUMNS), "CreatedAt": "CREATED AT"}
    show(session, values.text("format"), [_row(layer, full=full, human=human) for layer in layers], columns, headers)
    return 0


def _row(layer: Json, *, full: bool, human: bool) -> Record:
    created = int(layer.get("Created", 0))
    by = str(layer.get("CreatedBy", "")).replace("\t", " ")
    members = {
        "Comment": lambda: layer.get("Comment", ""),
        "CreatedAt": lambda: _stamp(created),
        "CreatedBy": lambda: by if full else ellipsis(by, 45),
        "CreatedSince": lambda: (ago.ago(created) if human else _stamp(created)) if created > 0 else "N/A",
        "ID": lambda: short_id(layer["Id"], full=full),
        "Size": lambda: size.decimal(layer["Size"], 3) if human else str(layer["Size"]),
    }
    return Record(members, "*image.historyContext")


def _stamp(unix: int) -> str:
    local = time.localtime(unix)
    zone = time.strftime("%z", local)
    return time.strftime("%Y-%m-%dT%H:%M:%S", local) + ("Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}")
