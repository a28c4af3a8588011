"""`images --tree`: each image with its variants, what they take, and whether they are in use."""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.cli.listing import short_id
from hakobu.cli.reference import familiar
from hakobu.cli.session import STDOUT_FD
from hakobu.cli.terminal import is_terminal
from hakobu.cli.text.size import decimal
from hakobu.client.codec import list_of, object_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

    Row = tuple[str, str, str, str, str]

_HEADER: Row = ("IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "EXTRA")
_EMPTY: Row = ("", "", "", "", "")
_LEGEND = "Info ->  U In Use"
_UNFIT = {"quiet": "--quiet", "no-trunc": "--no-trunc", "digests": "--show-digest", "format": "--format"}


def show_tree(session: Session, values: Values, filters: dict[str, list[str]]) -> int:
    for flag, shown in _UNFIT.items():
        if flag in values.given:
            raise Failure(f"{shown} is not yet supported with --tree")
    images = session.engine.images.list(all=values.on("all"), filters=filters, manifests=True)
    rows = [_HEADER, *(row for image in images for row in (*_rows(image), _EMPTY))]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    width = sum(widths) + 12
    bold, plain = ("\x1b[1m", "\x1b[0m") if is_terminal(STDOUT_FD) else ("", "")
    lines = [_LEGEND.rjust(width), "", bold + _line(rows[0], widths) + plain, *(_line(r, widths) for r in rows[1:-1])]
    session.out("".join(f"{line.rstrip() if not bold else line}\n" for line in lines))
    return 0


def _line(row: Row, widths: list[int]) -> str:
    name, id, disk, content, extra = row
    return "   ".join(
        (name.ljust(widths[0]), id.ljust(widths[1]), disk.rjust(widths[2]), content.rjust(widths[3]), extra)
    )


def _rows(image: Json) -> list[Row]:
    """A line for each name, the last of them with the figures; then the variants."""
    variants: list[Json] = [m for m in list_of(image.get("Manifests")) if m.get("Kind") == "image"]
    names = [familiar(tag) for tag in list_of(image.get("RepoTags"))] or ["<untagged>"]
    content = sum(int(object_of(m.get("Size")).get("Content", 0)) for m in variants)
    used = any(_used(m) for m in variants)
    rows: list[Row] = [(name, "", "", "", "") for name in names[:-1]]
    rows.append((names[-1], short_id(image["Id"]), decimal(image["Size"], 3), decimal(content, 3), "U" if used else ""))
    for number, item in enumerate(variants):
        sizes = object_of(item.get("Size"))
        rows.append(
            (
                ("└─ " if number == len(variants) - 1 else "├─ ") + _platform(item),
                short_id(item["ID"]),
                decimal(int(sizes.get("Total", 0)), 3),
                decimal(int(sizes.get("Content", 0)), 3),
                "U" if _used(item) else "",
            )
        )
    return rows


def _used(item: Json) -> bool:
    return bool(object_of(item.get("ImageData")).get("Containers"))


def _platform(item: Json) -> str:
    platform = object_of(object_of(item.get("ImageData")).get("Platform"))
    return "/".join(str(platform[k]) for k in ("os", "architecture", "variant") if platform.get(k)) or "<unknown>"
