"""`image diff`: what one image has that another has not, file by file. Hakobu's own; docker has no word for it."""

from __future__ import annotations

from hakobu.cli.listing import FORMAT, show
from hakobu.cli.table import Command
from hakobu.cli.template.value import Record
from hakobu.cli.text.size import decimal
from hakobu.client.codec import list_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

DIFF = Command(
    "image diff",
    "[OPTIONS] IMAGE IMAGE",
    "Show what the second image has otherwise than the first, file by file",
    least=2,
    most=2,
    flags=(FORMAT,),
    about="A: added, C: changed (in what), D: deleted; with the size before and after.",
)
_KINDS = ("C", "A", "D")
COLUMNS = (("Kind", ""), ("Path", "PATH"), ("Why", "CHANGED IN"), ("Before", "BEFORE"), ("After", "AFTER"))


def diff(session: Session, values: Values, arguments: list[str]) -> int:
    found = session.engine.system.image_diff(arguments[0], arguments[1])
    show(session, values.text("format"), [_row(item) for item in found], COLUMNS, dict(COLUMNS))
    return 0


def _row(item: Json) -> Record:
    members = {
        "Kind": lambda: _KINDS[int(item["Kind"])],
        "Path": lambda: item["Path"],
        "Why": lambda: ", ".join(list_of(item.get("Why"))),
        "Before": lambda: _size(item["Before"]),
        "After": lambda: _size(item["After"]),
    }
    return Record(members, "*formatter.imageDiffContext")


def _size(size: int) -> str:
    return "" if size < 0 else decimal(size)
