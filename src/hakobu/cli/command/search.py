"""`search`: repositories of Docker Hub, or of a registry that can be searched."""

from __future__ import annotations

from hakobu.cli.kind import FILTER, INT, STRING
from hakobu.cli.listing import NO_TRUNC, ellipsis, filters_of, show
from hakobu.cli.table import Command, Flag
from hakobu.cli.template.value import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

SEARCH = Command(
    "search",
    "[OPTIONS] TERM",
    "Search a registry for repositories",
    least=1,
    most=1,
    flags=(
        Flag("filter", "f", FILTER, "Show only what this is true of: stars=N, is-official=BOOL"),
        Flag("format", "", STRING, "Format of the output: a Go template"),
        Flag("limit", "", INT, "Show at most this many"),
        NO_TRUNC,
    ),
)
COLUMNS = (("Name", "NAME"), ("Description", "DESCRIPTION"), ("StarCount", "STARS"), ("IsOfficial", "OFFICIAL"))
HEADERS: dict[str, object] = {**dict(COLUMNS), "IsAutomated": "AUTOMATED"}
_WIDTH = 45


def search(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.client.credential import registry_auth

    term = arguments[0]
    first, slash, _ = term.partition("/")
    host = first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"
    hits = session.engine.images.search(
        term,
        limit=values.number("limit"),
        filters=filters_of(values),
        registry_auth=registry_auth(session.config(), host),
    )
    show(session, values.text("format"), [_row(hit, full=values.on("no-trunc")) for hit in hits], COLUMNS, HEADERS)
    return 0


def _row(hit: Json, *, full: bool) -> Record:
    text = str(hit.get("description", "")).replace("\n", " ").replace("\r", " ")
    members = {
        "Name": lambda: hit.get("name", ""),
        "Description": lambda: text if full else ellipsis(text, _WIDTH),
        "StarCount": lambda: str(hit.get("star_count", 0)),
        "IsOfficial": lambda: "[OK]" if hit.get("is_official") else "",
        "IsAutomated": lambda: "[OK]" if hit.get("is_automated") else "",
    }
    return Record(members, "*registry.searchContext")
