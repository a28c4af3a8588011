"""A container of a list, member by member, as `ps` and its formats name them."""

from __future__ import annotations

from hakobu.cli.listing import ellipsis, labels_text, short_id
from hakobu.cli.ports_text import ports_text
from hakobu.cli.template.value import Record, label_method
from hakobu.cli.text import ago, size
from hakobu.client.codec import list_of, object_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.codec import Json

COLUMNS = (
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("RunningFor", "CREATED"),
    ("Status", "STATUS"),
    ("Ports", "PORTS"),
    ("Names", "NAMES"),
)
HEADERS: dict[str, object] = {
    **dict(COLUMNS),
    "CreatedAt": "CREATED AT",
    "Labels": "LABELS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Mounts": "MOUNTS",
    "Networks": "NETWORKS",
    "Platform": "PLATFORM",
    "Size": "SIZE",
    "State": "STATE",
}


def container_row(container: Json, *, full: bool, virtual: bool = False) -> Record:
    """The row; `full` shortens nothing, `virtual` tells the image's size too."""
    labels: dict[str, str] = object_of(container.get("Labels"))
    created = int(container.get("Created", 0))
    members = {
        "Command": lambda: _command(container, full),
        "CreatedAt": lambda: ago.local(created),
        "ID": lambda: short_id(container["Id"], full=full),
        "Image": lambda: _image(container, full),
        "Label": lambda: label_method(labels),
        "Labels": lambda: labels_text(labels),
        "LocalVolumes": lambda: str(sum(1 for m in _mounts(container) if m.get("Driver") == "local")),
        "Mounts": lambda: _mounts_text(container, full),
        "Names": lambda: _names(container, full),
        "Networks": lambda: ",".join(sorted(object_of(object_of(container.get("NetworkSettings")).get("Networks")))),
        "Platform": lambda: container.get("ImageManifestDescriptor", {}).get("platform"),
        "Ports": lambda: ports_text(list_of(container.get("Ports"))),
        "RunningFor": lambda: ago.ago(created),
        "Size": lambda: _size(container, virtual),
        "State": lambda: container.get("State", ""),
        "Status": lambda: container.get("Status", ""),
    }
    return _Row(members, "*formatter.ContainerContext")


class _Row(Record):
    """Its JSON leaves out what takes an argument."""

    __slots__ = ()

    def to_json(self) -> dict[str, object]:
        return {name: self.members[name]() for name in sorted(self.members) if name != "Label"}


def _command(container: Json, full: bool) -> str:
    from hakobu.cli.text.json_text import encoded

    command = str(container.get("Command", ""))
    return encoded(command if full else ellipsis(command, 20))


def _image(container: Json, full: bool) -> str:
    image = str(container.get("Image", ""))
    if not image:
        return "<no image>"
    if full:
        return image
    if image == container.get("ImageID"):
        return short_id(image)
    if image.rpartition(":")[2] == str(container.get("ImageID", "")).rpartition(":")[2]:
        return short_id(image)
    return image.partition("@")[0] if "@" in image else image


def _names(container: Json, full: bool) -> str:
    names = [name.removeprefix("/") for name in list_of(container.get("Names"))]
    # Names below another container's are links to it, which only the whole output shows.
    return ",".join(names if full else [name for name in names if "/" not in name])


def _mounts(container: Json) -> list[Json]:
    return list_of(container.get("Mounts"))


def _mounts_text(container: Json, full: bool) -> str:
    names = [str(mount.get("Name") or mount.get("Source", "")) for mount in _mounts(container)]
    return ",".join(names if full else [ellipsis(name, 15) for name in names])


def _size(container: Json, virtual: bool) -> str:
    own = size.decimal(container.get("SizeRw") or 0, 3)
    root = container.get("SizeRootFs") or 0
    return f"{own} (virtual {size.decimal(root, 3)})" if root or virtual else own
