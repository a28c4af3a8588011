"""Mounts of a service: short form (`./a:/b:ro`, `data:/d`, `/anonymous`) and long form."""

import re
from dataclasses import dataclass
from typing import Any

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.document import compact, mapping
from hakobu.compose.model.reading import (
    Reader,
    read_bool,
    read_choice,
    read_each,
    read_fields,
    read_int,
    read_labels,
    read_size,
    read_string,
    wanted,
)
from hakobu.compose.node import MappingNode, Node, Scalar
from hakobu.spec.step import Json

PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
TYPES = ("bind", "volume", "tmpfs", "cluster", "npipe", "image")
_LONG: dict[str, Reader] = {
    "type": lambda n, p: read_choice(n, p, TYPES),
    "source": read_string,
    "target": read_string,
    "consistency": read_string,
    "read_only": read_bool,
}
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceVolume:
    """One mount. `source` is an absolute path (bind), a key of the project's volumes, or empty."""

    type: str
    target: str
    source: str = ""
    read_only: bool = False
    consistency: str = ""
    propagation: str = ""
    selinux: str = ""
    create_host_path: bool = False
    recursive: str = ""
    no_copy: bool = False
    subpath: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    tmpfs_size: int = 0
    tmpfs_mode: int = 0
    has_options: bool = False

    def to_json(self) -> Json:
        document = compact(
            [
                ("type", self.type),
                ("source", self.source),
                ("target", self.target),
                ("read_only", self.read_only),
                ("consistency", self.consistency),
            ]
        )
        options = self._options()
        if options or self.has_options:
            document[self.type] = options
        return document

    def _options(self) -> dict[str, Json]:
        if self.type == "bind":
            return compact(
                [
                    ("selinux", self.selinux),
                    ("propagation", self.propagation),
                    ("create_host_path", self.create_host_path),
                    ("recursive", self.recursive),
                ]
            )
        if self.type == "volume":
            labels = mapping(dict(self.labels))
            return compact([("labels", labels), ("nocopy", self.no_copy), ("subpath", self.subpath)])
        if self.type == "image":
            return compact([("subpath", self.subpath)])
        size = str(self.tmpfs_size) if self.tmpfs_size else ""
        return compact([("size", size), ("mode", self.tmpfs_mode)])


def read_volumes(node: Node, path: str) -> tuple[ServiceVolume, ...]:
    return tuple(read_each(node, path, _read_one))


def _read_one(node: Node, path: str) -> ServiceVolume:
    return _read_long(node, path) if isinstance(node, MappingNode) else read_short(node, path)


def read_short(node: Node, path: str) -> ServiceVolume:
    text = read_string(node, path)
    source, target, mode = _split(text)
    if not target.startswith("/") or (source == "" and ":" in text):
        raise BadComposeFile(node.mark, f"is not a mount: {text!r}", path=path, hint="write SOURCE:/TARGET[:ro]")
    options = _Options(node, path, text, mode)
    if source and source[0] in "./~":
        return ServiceVolume(
            type="bind",
            source=source,
            target=target,
            read_only=options.read_only,
            propagation=options.propagation,
            selinux=options.selinux,
            create_host_path=True,
            has_options=True,
        )
    if source and not _NAME.fullmatch(source):
        raise BadComposeFile(node.mark, f"includes invalid characters for a volume name: {source!r}", path=path)
    return ServiceVolume(
        type="volume",
        source=source,
        target=target.rstrip("/") or "/",
        read_only=options.read_only,
        no_copy=options.no_copy,
        has_options=True,
    )


def _split(text: str) -> tuple[str, str, str]:
    """Source, target and mode; a single path is the target of an anonymous volume."""
    parts = text.split(":")
    if len(parts) == 1:
        return "", parts[0], ""
    if len(parts) == 2:
        return parts[0], parts[1], ""
    return parts[0], parts[1], ":".join(parts[2:])


class _Options:
    """The comma-separated words behind the second colon."""

    def __init__(self, node: Node, path: str, text: str, mode: str) -> None:
        self.read_only = self.no_copy = False
        self.propagation = self.selinux = ""
        for word in mode.split(",") if mode else ():
            if word in ("ro", "rw"):
                self.read_only = word == "ro"
            elif word in PROPAGATIONS:
                self.propagation = word
            elif word in ("z", "Z"):
                self.selinux = word
            elif word == "nocopy":
                self.no_copy = True
            elif word not in ("consistent", "cached", "delegated"):  # these mean nothing on Linux
                raise BadComposeFile(node.mark, f"has an unknown option {word!r}: {text!r}", path=path)


def _read_long(node: MappingNode, path: str) -> ServiceVolume:
    fields = read_fields(node, path, {**_LONG, **_OPTIONS}, ("type",))
    type_ = fields["type"]
    nested = [key for key in _OPTIONS if key in node.entries and key != type_]
    if nested:
        where = f"{path}.{nested[0]}"
        raise BadComposeFile(node.mark_of(nested[0]), f"does not belong to a mount of type {type_}", path=where)
    if not fields.get("target") and type_ != "cluster":
        raise BadComposeFile(node.mark, "needs a target", path=path)
    if type_ == "bind" and not fields.get("source"):
        raise BadComposeFile(node.mark, "needs a source", path=path)
    fields |= fields.pop(type_, {})
    fields["has_options"] = node.get(type_) is not None
    fields.setdefault("target", "")
    return ServiceVolume(**fields)


def _propagation(node: Node, path: str) -> str:
    return read_choice(node, path, PROPAGATIONS)


def _read_bind(node: Node, path: str) -> dict[str, Any]:
    readers: dict[str, Reader] = {
        "propagation": _propagation,
        "selinux": lambda n, p: read_choice(n, p, ("z", "Z")),
        "recursive": lambda n, p: read_choice(n, p, ("enabled", "disabled", "writable", "readonly")),
        "create_host_path": read_bool,
    }
    return read_fields(node, path, readers)


def _read_volume(node: Node, path: str) -> dict[str, Any]:
    readers: dict[str, Reader] = {
        "subpath": read_string,
        "nocopy": read_bool,
        "labels": lambda n, p: tuple(read_labels(n, p).items()),
    }
    fields = read_fields(node, path, readers)
    if "nocopy" in fields:
        fields["no_copy"] = fields.pop("nocopy")
    return fields


def _read_tmpfs(node: Node, path: str) -> dict[str, Any]:
    fields = read_fields(node, path, {"size": read_size, "mode": _read_mode})
    return {f"tmpfs_{key}": value for key, value in fields.items()}


def _read_mode(node: Node, path: str) -> int:
    """A number: a text would leave open whether it is octal."""
    if isinstance(node, Scalar) and isinstance(node.value, str) and not node.cast:
        raise wanted(node, path, "a number, as 0755")
    return read_int(node, path)


def _read_image(node: Node, path: str) -> dict[str, Any]:
    return read_fields(node, path, {"subpath": read_string})


_OPTIONS: dict[str, Reader] = {"bind": _read_bind, "volume": _read_volume, "tmpfs": _read_tmpfs, "image": _read_image}
