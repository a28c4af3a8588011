"""`system df`: what images, containers, volumes and the build cache take."""

from __future__ import annotations

from hakobu.cli.kind import BOOL
from hakobu.cli.listing import FORMAT, ellipsis, short_id, show
from hakobu.cli.table import Command, Flag
from hakobu.cli.template.value import Record
from hakobu.cli.text import ago
from hakobu.cli.text.size import decimal
from hakobu.cli.text.table import render
from hakobu.client.codec import list_of, object_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

DF = Command(
    "system df",
    "[OPTIONS]",
    "Show how much space the engine takes",
    flags=(FORMAT, Flag("verbose", "v", BOOL, "Show every object")),
)
COLUMNS = (
    ("Type", "TYPE"),
    ("TotalCount", "TOTAL"),
    ("Active", "ACTIVE"),
    ("Size", "SIZE"),
    ("Reclaimable", "RECLAIMABLE"),
)


def df(session: Session, values: Values, arguments: list[str]) -> int:
    usage = session.engine.system.disk_usage()
    if values.on("verbose") and not values.text("format"):
        session.out(_verbose(usage))
        return 0
    rows = [_images(usage), _containers(usage), _volumes(usage), _cache(usage)]
    show(session, values.text("format"), rows, COLUMNS, dict(COLUMNS))
    return 0


def _row(kind: str, count: int, active: int, size: int, free: int | None, *, percent: bool = True) -> Record:
    reclaimable = decimal(free or 0)
    if percent and size > 0:
        reclaimable += f" ({(free or 0) * 100 // size}%)"
    members = {
        "Active": lambda: str(active),
        "Reclaimable": lambda: reclaimable,
        "Size": lambda: decimal(size),
        "TotalCount": lambda: str(count),
        "Type": lambda: kind,
    }
    return Record(members, "*formatter.diskUsageContext")


def _images(usage: Json) -> Record:
    images: list[Json] = list_of(usage.get("Images"))
    active = [image for image in images if image.get("Containers", 0) > 0]
    total = int(usage.get("LayersSize") or 0)
    known = [i for i in images if i.get("Containers") != 0 and -1 not in (i.get("Size", -1), i.get("SharedSize", -1))]
    used = sum(_own(image) for image in known)
    return _row("Images", len(images), len(active), total, total - used)


def _own(image: Json) -> int:
    return int(image["Size"]) - int(image["SharedSize"])


def _containers(usage: Json) -> Record:
    containers: list[Json] = list_of(usage.get("Containers"))
    active = [c for c in containers if c.get("State") in ("running", "paused", "restarting")]
    total = sum(int(c.get("SizeRw") or 0) for c in containers)
    free = sum(int(c.get("SizeRw") or 0) for c in containers if c not in active)
    return _row("Containers", len(containers), len(active), total, free)


def _volumes(usage: Json) -> Record:
    volumes: list[Json] = list_of(usage.get("Volumes"))
    known = [volume for volume in volumes if object_of(volume.get("UsageData")).get("Size", -1) != -1]
    active = [volume for volume in volumes if object_of(volume.get("UsageData")).get("RefCount", 0) > 0]
    total = sum(int(volume["UsageData"]["Size"]) for volume in known)
    free = sum(int(volume["UsageData"]["Size"]) for volume in known if not volume["UsageData"]["RefCount"])
    return _row("Local Volumes", len(volumes), len(active), total, free)


def _cache(usage: Json) -> Record:
    cache: list[Json] = list_of(usage.get("BuildCache"))
    total = sum(int(item.get("Size") or 0) for item in cache if not item.get("Shared"))
    active = [item for item in cache if item.get("InUse")]
    used = sum(int(item.get("Size") or 0) for item in active if not item.get("Shared"))
    return _row("Build Cache", len(cache), len(active), total, total - used, percent=False)


def _verbose(usage: Json) -> str:
    from hakobu.cli.command.images import names_of

    images = [
        [
            *name[:2],
            short_id(image["Id"]),
            ago.ago(image["Created"]),
            decimal(image["Size"], 3),
            decimal(max(image.get("SharedSize", 0), 0)),
            decimal(_own(image)),
            str(max(image.get("Containers", 0), 0)),
        ]
        for image in list_of(usage.get("Images"))
        for name in names_of(image, digests=False)
    ]
    text = "Images space usage:\n\n"
    text += render(
        ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"],
        images,
    )
    text += "\nContainers space usage:\n\n" + render(
        ["CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES"],
        [_container(container) for container in list_of(usage.get("Containers"))],
    )
    text += "\nLocal Volumes space usage:\n\n" + render(
        ["VOLUME NAME", "LINKS", "SIZE"],
        [
            [volume["Name"], str(volume["UsageData"]["RefCount"]), decimal(volume["UsageData"]["Size"])]
            for volume in list_of(usage.get("Volumes"))
            if volume.get("UsageData")
        ],
    )
    cache: list[Json] = list_of(usage.get("BuildCache"))
    text += f"\nBuild cache usage: {decimal(sum(int(i.get('Size') or 0) for i in cache if not i.get('Shared')))}\n\n"
    header = ["CACHE ID", "CACHE TYPE", "SIZE", "CREATED", "LAST USED", "USAGE", "SHARED"]
    return text + render(header, [_cached(item) for item in cache])


def _container(container: Json) -> list[str]:
    from hakobu.cli.text.json_text import encoded

    local = sum(1 for mount in list_of(container.get("Mounts")) if mount.get("Driver") == "local")
    return [
        short_id(container["Id"]),
        container.get("Image", ""),
        encoded(ellipsis(str(container.get("Command", "")), 20)),
        str(local),
        decimal(container.get("SizeRw") or 0, 3),
        ago.ago(int(container.get("Created", 0))),
        container.get("Status", ""),
        ",".join(name.removeprefix("/") for name in list_of(container.get("Names"))),
    ]


def _cached(item: Json) -> list[str]:
    def since(name: str) -> str:
        text = item.get(name)
        return ago.ago(ago.parse_rfc3339(text)[0]) if text else ""

    return [
        short_id(str(item.get("ID", ""))),
        str(item.get("Type", "")),
        decimal(item.get("Size") or 0, 3),
        since("CreatedAt"),
        since("LastUsedAt"),
        str(item.get("UsageCount", 0)),
        "true" if item.get("Shared") else "false",
    ]
