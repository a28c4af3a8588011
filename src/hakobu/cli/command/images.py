"""`images`: one row a tag (or a digest), and one for an image without either."""

from __future__ import annotations

from hakobu.cli.kind import BOOL
from hakobu.cli.listing import FILTERS, FORMAT, NO_TRUNC, QUIET, chosen_format, filters_of, short_id, show, show_ids
from hakobu.cli.reference import familiar, split
from hakobu.cli.table import Command, Flag
from hakobu.cli.template.value import Record
from hakobu.cli.text import ago, size
from hakobu.client.codec import list_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

IMAGES = Command(
    "images",
    "[OPTIONS] [REPOSITORY[:TAG]]",
    "List images",
    most=1,
    aliases=("image ls", "image list", "images"),
    flags=(
        Flag("all", "a", BOOL, "Show intermediate images, too"),
        Flag("digests", "", BOOL, "Show digests"),
        FILTERS,
        FORMAT,
        NO_TRUNC,
        QUIET,
        Flag("tree", "", BOOL, "Show the platforms of each image below it", since="1.47"),
    ),
)
COLUMNS = (
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("ID", "IMAGE ID"),
    ("CreatedSince", "CREATED"),
    ("Size", "SIZE"),
)
HEADERS: dict[str, object] = {
    **dict(COLUMNS),
    "Containers": "CONTAINERS",
    "CreatedAt": "CREATED AT",
    "Digest": "DIGEST",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
    "VirtualSize": "SIZE",
}
_NONE = "<none>"


def images(session: Session, values: Values, arguments: list[str]) -> int:
    filters = filters_of(values)
    if arguments:
        filters.setdefault("reference", []).append(arguments[0])
    if values.on("tree"):
        from hakobu.cli.command.image_tree import show_tree

        return show_tree(session, values, filters)
    full = values.on("no-trunc")
    form = chosen_format(session, values, "imagesFormat")
    found = session.engine.images.list(all=values.on("all"), filters=filters)
    if values.on("quiet") and form == "table":
        show_ids(session, [short_id(image["Id"], full=full) for image in found for _ in names_of(image, digests=False)])
        return 0
    digests = values.on("digests") or ".Digest" in form
    rows = [image_row(image, name, full=full) for image in found for name in names_of(image, digests=digests)]
    columns = list(COLUMNS)
    if values.on("digests"):
        columns.insert(2, ("Digest", "DIGEST"))
    show(session, form, rows, columns, HEADERS)
    return 0


def names_of(image: Json, *, digests: bool) -> list[tuple[str, str, str]]:
    """Repository, tag and digest of each row an image makes."""
    tags = [split(familiar(tag))[:2] for tag in list_of(image.get("RepoTags")) if tag != "<none>:<none>"]
    known: dict[str, list[str]] = {}
    for item in list_of(image.get("RepoDigests")):
        name, _, digest = familiar(item).partition("@")
        if name != _NONE:
            known.setdefault(name, []).append(digest)
    rows: list[tuple[str, str, str]] = []
    for repository, tag in tags:
        if not digests:
            rows.append((repository, tag, _NONE))
            continue
        rows += [(repository, tag, digest) for digest in known.get(repository) or [_NONE]]
    tagged = {repository for repository, _ in tags}
    for name, values in known.items():
        if name not in tagged:
            rows += [(name, _NONE, digest) for digest in (values if digests else values[:1])]
    return rows or [(_NONE, _NONE, _NONE)]


def image_row(image: Json, name: tuple[str, str, str], *, full: bool) -> Record:
    repository, tag, digest = name
    created = int(image.get("Created", 0))
    members = {
        "Containers": lambda: _count(image.get("Containers", -1)),
        "CreatedAt": lambda: ago.local(created),
        "CreatedSince": lambda: ago.ago(created) if created > 0 else "N/A",
        "Digest": lambda: digest,
        "ID": lambda: short_id(image["Id"], full=full),
        "Repository": lambda: repository,
        "SharedSize": lambda: _shared(image),
        "Size": lambda: size.decimal(image.get("Size", 0), 3),
        "Tag": lambda: tag,
        "UniqueSize": lambda: _unique(image),
        "VirtualSize": lambda: size.decimal(image.get("VirtualSize") or image.get("Size", 0)),
    }
    return Record(members, "*formatter.imageContext")


def _count(number: int) -> str:
    return "N/A" if number == -1 else str(number)


def _shared(image: Json) -> str:
    shared = image.get("SharedSize", -1)
    return "N/A" if shared == -1 else size.decimal(shared)


def _unique(image: Json) -> str:
    shared = image.get("SharedSize", -1)
    return "N/A" if shared == -1 else size.decimal(image.get("Size", 0) - shared)
