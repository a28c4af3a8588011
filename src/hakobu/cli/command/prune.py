"""`prune` of containers, images, networks, volumes, and of all of them."""

from __future__ import annotations

from hakobu.cli import prunable
from hakobu.cli.failure import Silent
from hakobu.cli.kind import BOOL, FILTER
from hakobu.cli.listing import filters_of
from hakobu.cli.table import Command, Flag
from hakobu.cli.text.size import decimal
from hakobu.client.codec import list_of, object_of
from hakobu.client.error import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.prunable import Prunable
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

_FILTER = Flag("filter", "", FILTER, "Remove only what this is true of")
_DRY_RUN = Flag("dry-run", "", BOOL, "Show what would be removed, and remove nothing")
_FORCE = Flag("force", "f", BOOL, "Do not ask")
_FLAGS = (_DRY_RUN, _FILTER, _FORCE)
CONTAINER_PRUNE = Command("container prune", "[OPTIONS]", "Remove all stopped containers", flags=_FLAGS)
IMAGE_PRUNE = Command(
    "image prune",
    "[OPTIONS]",
    "Remove images without a name",
    flags=(Flag("all", "a", BOOL, "Remove all that no container uses"), _DRY_RUN, _FILTER, _FORCE),
)
NETWORK_PRUNE = Command("network prune", "[OPTIONS]", "Remove networks that nobody uses", flags=_FLAGS)
VOLUME_PRUNE = Command(
    "volume prune",
    "[OPTIONS]",
    "Remove volumes that nobody uses",
    flags=(Flag("all", "a", BOOL, "Those with a name, too", since="1.42"), _DRY_RUN, _FILTER, _FORCE),
)
SYSTEM_PRUNE = Command(
    "system prune",
    "[OPTIONS]",
    "Remove all that nobody uses",
    flags=(
        Flag("all", "a", BOOL, "All images that no container uses, not only those without a name"),
        _DRY_RUN,
        _FILTER,
        _FORCE,
        Flag("volumes", "", BOOL, "Anonymous volumes, too"),
    ),
)
_WARNING = "WARNING! This will remove "


def _confirmed(session: Session, values: Values, warning: str) -> bool:
    if values.on("force"):
        return True
    session.out(f"{warning}\nAre you sure you want to continue? [y/N] ")
    import sys

    answer = sys.stdin.readline()
    return answer.strip().lower() in ("y", "yes")


def _cancelled(session: Session, what: str) -> Silent:
    session.error(f"{what} prune has been cancelled")
    return Silent(1)


def _told(session: Session, title: str, items: list[str] | None) -> None:
    if items:
        session.out(f"{title}:\n" + "".join(f"{item}\n" for item in items) + "\n")


def _reclaimed(session: Session, size: int) -> None:
    session.line(f"Total reclaimed space: {decimal(size)}")


def _rehearsed(session: Session, *found: tuple[str, list[Prunable]]) -> int:
    """What would go, under the titles of a real prune."""
    for title, items in found:
        _told(session, f"Would delete {title}", [item.name for item in items])
    total = sum(item.size for _, items in found for item in items)
    session.line(f"Total reclaimable space: {decimal(total)}")
    return 0


def container_prune(session: Session, values: Values, arguments: list[str]) -> int:
    if values.on("dry-run"):
        return _rehearsed(session, ("Containers", prunable.containers(session, filters_of(values))))
    if not _confirmed(session, values, f"{_WARNING}all stopped containers."):
        raise _cancelled(session, "container")
    _reclaimed(session, _containers(session, filters_of(values)))
    return 0


def _containers(session: Session, filters: dict[str, list[str]]) -> int:
    report = session.engine.containers.prune(filters)
    _told(session, "Deleted Containers", report.get("ContainersDeleted"))
    return int(report.get("SpaceReclaimed") or 0)


def image_prune(session: Session, values: Values, arguments: list[str]) -> int:
    every = values.on("all")
    if values.on("dry-run"):
        found = prunable.images(session, filters_of(values), every=every, without=[])
        return _rehearsed(session, ("Images", found))
    what = "all images without at least one container associated to them." if every else "all dangling images."
    if not _confirmed(session, values, _WARNING + what):
        raise _cancelled(session, "image")
    _reclaimed(session, _images(session, filters_of(values), every))
    return 0


def _images(session: Session, filters: dict[str, list[str]], every: bool) -> int:
    filters = {**filters, "dangling": ["false" if every else "true"]}
    report = session.engine.images.prune(filters)
    deleted: list[Json] = list_of(report.get("ImagesDeleted"))
    lines = [f"untagged: {i['Untagged']}" if i.get("Untagged") else f"deleted: {i['Deleted']}" for i in deleted]
    _told(session, "Deleted Images", lines)
    return int(report.get("SpaceReclaimed") or 0)


def network_prune(session: Session, values: Values, arguments: list[str]) -> int:
    if values.on("dry-run"):
        return _rehearsed(session, ("Networks", prunable.networks(session, filters_of(values))))
    if not _confirmed(session, values, f"{_WARNING}all custom networks not used by at least one container."):
        raise _cancelled(session, "network")
    _networks(session, filters_of(values))
    return 0


def _networks(session: Session, filters: dict[str, list[str]]) -> None:
    report = session.engine.networks.prune(filters)
    _told(session, "Deleted Networks", report.get("NetworksDeleted"))


def volume_prune(session: Session, values: Values, arguments: list[str]) -> int:
    every = values.on("all")
    if every and not session.engine.transport.at_least("1.42"):
        from hakobu.cli.failure import Failure

        version = session.engine.transport.version
        raise Failure(f'"--all" requires API version 1.42, but the Docker daemon API version is {version}')
    if values.on("dry-run"):
        return _rehearsed(session, ("Volumes", prunable.volumes(session, filters_of(values), every=every, without=[])))
    kind = "all" if every else "anonymous"
    if not session.engine.transport.at_least("1.42"):
        kind = "all"
    if not _confirmed(session, values, f"{_WARNING}{kind} local volumes not used by at least one container."):
        raise _cancelled(session, "volume")
    filters = filters_of(values)
    if every:
        filters["all"] = ["true"]
    _reclaimed(session, _volumes(session, filters))
    return 0


def _volumes(session: Session, filters: dict[str, list[str]]) -> int:
    report = session.engine.volumes.prune(filters)
    _told(session, "Deleted Volumes", report.get("VolumesDeleted"))
    return int(report.get("SpaceReclaimed") or 0)


def system_prune(session: Session, values: Values, arguments: list[str]) -> int:
    every, volumes = values.on("all"), values.on("volumes")
    if values.on("dry-run"):
        return _rehearsed_system(session, filters_of(values), every, volumes)
    items = ["all stopped containers", "all networks not used by at least one container"]
    if volumes:
        items.append("all anonymous volumes not used by at least one container")
    items.append("all images without at least one container associated to them" if every else "all dangling images")
    items.append("all build cache" if every else "unused build cache")
    lines = "".join(f"  - {item}\n" for item in items)
    if not _confirmed(session, values, f"{_WARNING[:-1]}:\n{lines}"):
        raise _cancelled(session, "system")
    filters = filters_of(values)
    total = _containers(session, filters)
    _networks(session, filters)
    if volumes:
        total += _volumes(session, filters)
    total += _images(session, filters, every) + _build_cache(session)
    _reclaimed(session, total)
    return 0


def _rehearsed_system(session: Session, filters: dict[str, list[str]], every: bool, volumes: bool) -> int:
    containers = prunable.containers(session, filters)
    gone = [item.name for item in containers]
    found = [("Containers", containers), ("Networks", prunable.networks(session, filters))]
    if volumes:
        found.append(("Volumes", prunable.volumes(session, filters, every=False, without=gone)))
    found.append(("Images", prunable.images(session, filters, every=every, without=gone)))
    return _rehearsed(session, *found)


def _build_cache(session: Session) -> int:
    """The build cache, where the engine has one."""
    try:
        report: Json = object_of(session.engine.transport.call("POST", "/build/prune"))
    except EngineError as e:
        if e.status in (404, 501):
            return 0
        raise
    _told(session, "Deleted build cache objects", report.get("CachesDeleted"))
    return int(report.get("SpaceReclaimed") or 0)
