"""What a prune would remove, found by looking only: `--dry-run` of each prune.

The engine's lists and disk usage tell what nobody uses; docker's prune filters (`label`, `label!`, `until`)
are applied here, as the engine applies them.
"""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.client.codec import list_of, object_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hakobu.cli.session import Session
    from hakobu.client.codec import Json

    Filters = Mapping[str, list[str]]

_ENDED = ["created", "exited", "dead"]
_ANONYMOUS = "com.docker.volume.anonymous"


class Prunable:
    """What would go: a name for people, and its size in bytes where it is known."""

    __slots__ = ("name", "size")

    def __init__(self, name: str, size: int = 0) -> None:
        self.name = name
        self.size = size


def matches(labels: Mapping[str, str], created_s: float, filters: Filters) -> bool:
    """docker's prune filters on one object: every `label`, no `label!`, created before every `until`."""
    for name, values in filters.items():
        for value in values:
            if name == "label" and not _has(labels, value):
                return False
            if name == "label!" and _has(labels, value):
                return False
            if name == "until" and created_s > until_s(value):
                return False
            if name not in ("label", "label!", "until"):
                raise Failure(f"Error response from daemon: invalid filter '{name}'")
    return True


def _has(labels: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in labels and (not equals or labels[key] == value)


def until_s(text: str) -> float:
    """A time as docker's `until` takes it, in seconds since the epoch: a duration before now, or a point in time."""
    from hakobu.cli.timestamp import since_text

    return float(since_text(text, what="until"))


def containers(session: Session, filters: Filters) -> list[Prunable]:
    found = session.engine.containers.list(all=True, size=True, filters={"status": _ENDED})
    return [
        Prunable(f"{str(item['Id'])[:12]} {', '.join(_names(item))}".strip(), int(item.get("SizeRw") or 0))
        for item in found
        if matches(object_of(item.get("Labels")), float(item["Created"]), filters)
    ]


def _names(item: Json) -> list[str]:
    return [str(name).lstrip("/") for name in list_of(item.get("Names"))]


def networks(session: Session, filters: Filters) -> list[Prunable]:
    found = session.engine.networks.list({"dangling": ["true"], "type": ["custom"]})
    return [
        Prunable(str(item["Name"]))
        for item in found
        if matches(object_of(item.get("Labels")), _seconds(str(item["Created"])), filters)
    ]


def _seconds(stamp: str) -> float:
    """RFC 3339 with Go's nanoseconds."""
    from hakobu.cli.text.ago import parse_rfc3339

    return parse_rfc3339(stamp)[0]


def _staying(session: Session, without: list[str]) -> list[Json]:
    """The containers but for those that go first, by their names here."""
    gone = {name.partition(" ")[0] for name in without}
    return [item for item in session.engine.containers.list(all=True) if str(item["Id"])[:12] not in gone]


def volumes(session: Session, filters: Filters, *, every: bool, without: list[str]) -> list[Prunable]:
    """Anonymous ones, or with `every` and in the API before 1.42 those with a name, too; `without` as for images."""
    every = every or not session.engine.transport.at_least("1.42")
    used = {str(m.get("Name")) for item in _staying(session, without) for m in list_of(item.get("Mounts"))}
    found = [item for item in session.engine.volumes.list() if str(item["Name"]) not in used]
    usage = list_of(object_of(session.engine.system.disk_usage(["volume"])).get("Volumes"))
    sizes = {str(item["Name"]): int(object_of(item.get("UsageData")).get("Size") or 0) for item in usage}
    return [
        Prunable(str(item["Name"]), max(0, sizes.get(str(item["Name"]), 0)))
        for item in found
        if (every or _is_anonymous(item))
        and matches(object_of(item.get("Labels")), _seconds(str(item["CreatedAt"])), filters)
    ]


def _is_anonymous(item: Json) -> bool:
    """Marked so by newer engines; the older ones' by their names."""
    name = str(item["Name"])
    return _ANONYMOUS in object_of(item.get("Labels")) or (len(name) == 64 and set(name) <= set("0123456789abcdef"))


def images(session: Session, filters: Filters, *, every: bool, without: list[str]) -> list[Prunable]:
    """Images without a name, or with `every` all that no container uses; `without` are containers that go first."""
    used = {str(item["ImageID"]) for item in _staying(session, without)}
    found = session.engine.images.list(filters=None if every else {"dangling": ["true"]})
    return [
        Prunable(", ".join(_tags(item)) or str(item["Id"]).partition(":")[2][:12], int(item.get("Size") or 0))
        for item in found
        if str(item["Id"]) not in used and matches(object_of(item.get("Labels")), float(item["Created"]), filters)
    ]


def _tags(item: Json) -> list[str]:
    return [tag for tag in list_of(item.get("RepoTags")) if tag != "<none>:<none>"]
