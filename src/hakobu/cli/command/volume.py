"""`volume ls`, `create`, `rm`."""

from __future__ import annotations

from hakobu.cli.failure import Failure, Silent
from hakobu.cli.kind import BOOL, BYTES, LIST, MAP, STRING
from hakobu.cli.listing import FILTERS, FORMAT, chosen_format, filters_of, labels_text, show, show_ids
from hakobu.cli.table import MANY, Command, Flag, key_values
from hakobu.cli.template.value import Record, label_method
from hakobu.cli.text.size import decimal
from hakobu.client.codec import object_of
from hakobu.client.error import EngineError
from hakobu.client.url import quote_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

# Of cluster volumes: accepted and refused by name, for the volumes of a swarm are not here.
_NAMES = "group scope sharing type"
_LISTS = "secret topology-preferred topology-required"
CLUSTER_FLAGS = (
    Flag("availability", "", STRING, "Of cluster volumes", "active", hidden=True),
    *(Flag(name, "", STRING, "Of cluster volumes", hidden=True) for name in _NAMES.split()),
    *(Flag(name, "", BYTES, "Of cluster volumes", hidden=True) for name in ("limit-bytes", "required-bytes")),
    *(Flag(name, "", LIST, "Of cluster volumes", hidden=True) for name in _LISTS.split()),
)
LS = Command(
    "volume ls",
    "[OPTIONS]",
    "List volumes",
    aliases=("volume ls", "volume list"),
    flags=(
        Flag("cluster", "", BOOL, "Show volumes of a swarm only", hidden=True),
        FILTERS,
        FORMAT,
        Flag("quiet", "q", BOOL, "Show the names only"),
    ),
)
CREATE = Command(
    "volume create",
    "[OPTIONS] [VOLUME]",
    "Create a volume",
    most=1,
    flags=(
        *CLUSTER_FLAGS,
        Flag("driver", "d", STRING, "Driver of the volume", "local"),
        Flag("label", "", LIST, "Set a label"),
        Flag("name", "", STRING, "Name of the volume", hidden=True),
        Flag("opt", "o", MAP, "Option of the driver"),
    ),
)
RM = Command(
    "volume rm",
    "[OPTIONS] VOLUME [VOLUME...]",
    "Remove volumes that no container uses",
    least=1,
    most=MANY,
    aliases=("volume rm", "volume remove"),
    flags=(Flag("force", "f", BOOL, "Do not mind a volume that does not exist"),),
)
UPDATE = Command(
    "volume update",
    "[OPTIONS] VOLUME",
    "Change a cluster volume",
    least=1,
    most=1,
    flags=(Flag("availability", "", STRING, "Availability: active, pause or drain", "active"),),
)
RENAME = Command("volume rename", "VOLUME NEW_NAME", "Give a volume another name", least=2, most=2)
CLONE = Command("volume clone", "VOLUME NEW_NAME", "Make a new volume with the files of another", least=2, most=2)
COLUMNS = (("Driver", "DRIVER"), ("Name", "VOLUME NAME"))
HEADERS: dict[str, object] = {
    **dict(COLUMNS),
    "Availability": "AVAILABILITY",
    "Group": "GROUP",
    "Labels": "LABELS",
    "Links": "LINKS",
    "Mountpoint": "MOUNTPOINT",
    "Scope": "SCOPE",
    "Size": "SIZE",
    "Status": "STATUS",
}


def ls(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.command.network import natural

    # Volumes of a swarm are none here, as on any machine outside of one.
    volumes = [] if values.on("cluster") else session.engine.volumes.list(filters_of(values))
    volumes.sort(key=lambda volume: natural(str(volume["Name"])))
    form = chosen_format(session, values, "volumesFormat")
    if values.on("quiet") and form == "table":
        show_ids(session, [str(volume["Name"]) for volume in volumes])
        return 0
    show(session, form, [volume_row(volume) for volume in volumes], COLUMNS, HEADERS)
    return 0


def volume_row(volume: Json) -> Record:
    labels: dict[str, str] = object_of(volume.get("Labels"))
    usage: Json = object_of(volume.get("UsageData"))
    members = {
        "Availability": lambda: "N/A",
        "Driver": lambda: volume.get("Driver", ""),
        "Group": lambda: "N/A",
        "Label": lambda: label_method(labels),
        "Labels": lambda: labels_text(labels),
        "Links": lambda: str(usage["RefCount"]) if usage else "N/A",
        "Mountpoint": lambda: volume.get("Mountpoint", ""),
        "Name": lambda: volume.get("Name", ""),
        "Scope": lambda: volume.get("Scope", ""),
        "Size": lambda: decimal(usage["Size"]) if usage else "N/A",
        "Status": lambda: "N/A",
    }
    return _VolumeRow(members, "*formatter.volumeContext")


class _VolumeRow(Record):
    __slots__ = ()

    def to_json(self) -> dict[str, object]:
        return {name: self.members[name]() for name in sorted(self.members) if name != "Label"}


def create(session: Session, values: Values, arguments: list[str]) -> int:
    for flag in CLUSTER_FLAGS:
        if flag.long in values.given:
            raise Failure(f"--{flag.long} is for cluster volumes, and this engine is in no swarm")
    body: Json = {
        "Name": arguments[0] if arguments else values.text("name"),
        "Driver": values.text("driver"),
        "DriverOpts": values.pairs("opt"),
        "Labels": key_values(values.texts("label")),
    }
    session.line(str(session.engine.volumes.create(body)["Name"]))
    return 0


def rm(session: Session, values: Values, arguments: list[str]) -> int:
    failed = False
    for name in arguments:
        try:
            session.engine.volumes.remove(name, force=values.on("force"))
        except EngineError as e:
            session.error(str(e))
            failed = True
            continue
        session.line(name)
    if failed:
        raise Silent(1)
    return 0


def update(session: Session, values: Values, arguments: list[str]) -> int:
    session.engine.volumes.inspect(arguments[0])
    raise Failure("Can only update cluster volumes")


def rename(session: Session, values: Values, arguments: list[str]) -> int:
    return _to_new_name(session, "rename", *arguments)


def clone(session: Session, values: Values, arguments: list[str]) -> int:
    return _to_new_name(session, "clone", *arguments)


def _to_new_name(session: Session, verb: str, name: str, new: str) -> int:
    """Both are calls under `/hakobu/`: Docker has no word for them."""
    path = f"/v1/volumes/{quote_path(name)}/{verb}"
    session.line(str(session.engine.system.hakobu("POST", path, {"name": new})["Name"]))
    return 0
