"""A pod's volumes: what each is made of, and where its containers mount it. Pure.

ConfigMaps and Secrets become files of the project (`configs`) that are put into a volume of the pod's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.reading import (
    Reader,
    read_bool,
    read_choice,
    read_each,
    read_int,
    read_string,
)
from hakobu.compose.node import MappingNode, Node, Scalar
from hakobu.formats.kube.field import Notes, all_refused, fields, only, refused
from hakobu.formats.kube.object import FileSet
from hakobu.formats.kube.quantity import read_bytes
from hakobu.formats.note import refuse
from hakobu.spec.step import Json

FILES = "/volumes"
"""Where the anchor of a pod mounts the volumes that it fills."""
KIND_LABEL = "io.hakobu.kube"
"""On volumes of the engine: `emptyDir`; on `configs`: `Secret`; so that what was read can be written again."""


@dataclass(frozen=True, slots=True)
class File:
    """One key of a ConfigMap or Secret, at a path below its mount."""

    source: FileSet
    key: str
    path: str
    mode: int

    @property
    def config(self) -> str:
        """Its name among the project's configs; `_` is in no object's name."""
        return f"{self.source.name}_{self.key}"


@dataclass(frozen=True, slots=True)
class PodVolume:
    """`mount` gives the source of a mount in a Compose file's words, empty where `files` fill the volume."""

    name: str
    mount: Mapping[str, Json]
    definition: dict[str, Json] | None = None
    files: tuple[File, ...] | None = None
    claim: str = ""
    device: str = ""


_NOT_HERE = "volumes are emptyDir, hostPath, configMap, secret, persistentVolumeClaim, projected and image"
_OTHERS = (
    *("nfs", "csi", "ephemeral", "downwardAPI", "iscsi", "cephfs", "glusterfs", "rbd", "fc", "flexVolume", "gitRepo"),
    *("awsElasticBlockStore", "azureDisk", "azureFile", "gcePersistentDisk", "portworxVolume", "quobyte", "scaleIO"),
    *("storageos", "vsphereVolume", "photonPersistentDisk", "cinder", "flocker"),
)


def volume_reader(pod: str, files: Mapping[tuple[str, bool], FileSet], notes: Notes) -> Reader:
    """A reader for an item of `spec.volumes`."""

    def read(node: Node, path: str) -> PodVolume:
        readers: dict[str, Reader] = {
            "name": read_string,
            "emptyDir": _empty_dir(pod),
            "hostPath": _host_path,
            "configMap": lambda n, p: _file_set(n, p, False, files),
            "secret": lambda n, p: _file_set(n, p, True, files),
            "projected": lambda n, p: _projected(n, p, files),
            "persistentVolumeClaim": _claim,
            "image": lambda n, p: _image(n, p, notes),
            **all_refused(_NOT_HERE, *_OTHERS),
        }
        said = fields(_whole(node), path, readers, "name")
        name = str(said.pop("name"))
        makers: list[Callable[[str], PodVolume]] = list(said.values()) or [_empty_dir(pod)(node, path)]
        if len(makers) != 1:
            raise BadComposeFile(node.mark, "must be of one kind", path=path)
        return makers[0](name)

    return read


def _whole(node: Node) -> Node:
    """`emptyDir:` without anything is an emptyDir all the same."""
    if isinstance(node, MappingNode) and isinstance(empty := node.get("emptyDir"), Scalar) and empty.is_null:
        return node.with_entries({**node.entries, "emptyDir": MappingNode({}, {}, empty.mark)})
    return node


def _empty_dir(pod: str) -> Callable[[Node, str], Callable[[str], PodVolume]]:
    def read(node: Node, path: str) -> Callable[[str], PodVolume]:
        readers: dict[str, Reader] = {
            "medium": lambda n, p: read_choice(n, p, ("", "Memory")),
            "sizeLimit": read_bytes,
        }
        said: dict[str, Any] = fields(node, path, readers) if path.endswith("emptyDir") else {}
        memory, size = said.get("medium") == "Memory", int(said.get("sizeLimit") or 0)
        if size and not memory:
            raise refuse(node, f"{path}.sizeLimit", "only an emptyDir in memory has a limit")
        definition: dict[str, Json] = {"labels": {KIND_LABEL: "emptyDir"}}
        if memory:
            options: dict[str, Json] = {"type": "tmpfs", "device": "tmpfs"}
            definition["driver_opts"] = options | ({"o": f"size={size}"} if size else {})

        def make(name: str) -> PodVolume:
            key = f"{pod}-{name}"
            return PodVolume(name, own_volume(key), {"name": key, **definition})

        return make

    return read


def own_volume(key: str) -> dict[str, Json]:
    """The mount of a volume that begins empty: nothing of the image is copied there."""
    return {"type": "volume", "source": key, "volume": {"nocopy": True}}


_MISSING_IS_MADE = ("DirectoryOrCreate",)
_MUST_BE = ("", "Directory", "File", "Socket")


def _host_path(node: Node, path: str) -> Callable[[str], PodVolume]:
    said = fields(node, path, {"path": read_string, "type": read_string}, "path")
    kind, source = said.get("type", ""), str(said["path"])
    if kind in ("CharDevice", "BlockDevice"):
        return lambda name: PodVolume(name, {}, device=source)
    if kind not in (*_MISSING_IS_MADE, *_MUST_BE):
        raise refuse(node, f"{path}.type", f"{kind}: an engine makes directories only")
    if not source.startswith("/"):
        raise BadComposeFile(node.mark, "must be absolute", path=f"{path}.path")
    bind: dict[str, Json] = {"create_host_path": kind in _MISSING_IS_MADE}
    return lambda name: PodVolume(name, {"type": "bind", "source": source, "bind": bind})


def _claim(node: Node, path: str) -> Callable[[str], PodVolume]:
    said = fields(node, path, {"claimName": read_string, "readOnly": read_bool}, "claimName")
    claim = str(said["claimName"])
    mount: dict[str, Json] = {"type": "volume", "source": claim}
    return lambda name: PodVolume(
        name,
        mount | ({"read_only": True} if said.get("readOnly") else {}),
        {"name": claim},
        claim=claim,
    )


def _image(node: Node, path: str, notes: Notes) -> Callable[[str], PodVolume]:
    readers: dict[str, Reader] = {
        "reference": read_string,
        "pullPolicy": notes.told("the image must be here, or be one of a container"),
    }
    said = fields(node, path, readers, "reference")
    return lambda name: PodVolume(name, {"type": "image", "source": str(said["reference"]), "read_only": True})


def _item(node: Node, path: str) -> tuple[str, str, int | None]:
    said = fields(node, path, {"key": read_string, "path": read_string, "mode": read_int}, "key", "path")
    if said["path"].startswith("/") or ".." in said["path"].split("/"):
        raise BadComposeFile(node.mark, "must stay below the volume", path=f"{path}.path")
    return said["key"], said["path"], said.get("mode")


def _files(node: Node, path: str, secret: bool, files: Mapping[tuple[str, bool], FileSet]) -> tuple[File, ...]:
    """The files that a `configMap` or `secret` stands for."""
    name_key = "secretName" if secret and ".sources." not in path else "name"
    readers: dict[str, Reader] = {
        name_key: read_string,
        "items": lambda n, p: read_each(n, p, _item),
        "defaultMode": read_int,
        "optional": read_bool,
    }
    said = fields(node, path, readers, name_key)
    name, mode = str(said[name_key]), said.get("defaultMode", 0o644)
    found = files.get((name, secret))
    if found is None:
        if said.get("optional"):
            return ()
        kind = "Secret" if secret else "ConfigMap"
        raise BadComposeFile(node.mark, f"names no {kind} of the file: {name!r}", path=f"{path}.{name_key}")
    items: list[tuple[str, str, int | None]] = said.get("items") or [(key, key, None) for key in found.data]
    for key, _, _ in items:
        if key not in found.data and not said.get("optional"):
            raise BadComposeFile(node.mark, f"{name} has no key {key!r}", path=f"{path}.items")
    return tuple(File(found, k, p, mode if m is None else m) for k, p, m in items if k in found.data)


def _file_set(
    node: Node, path: str, secret: bool, files: Mapping[tuple[str, bool], FileSet]
) -> Callable[[str], PodVolume]:
    found = _files(node, path, secret, files)
    return lambda name: PodVolume(name, {}, files=found)


def _projected(node: Node, path: str, files: Mapping[tuple[str, bool], FileSet]) -> Callable[[str], PodVolume]:
    def source(node: Node, path: str) -> tuple[File, ...]:
        readers: dict[str, Reader] = {
            "configMap": lambda n, p: _files(n, p, False, files),
            "secret": lambda n, p: _files(n, p, True, files),
            **all_refused("there is no cluster to ask", "downwardAPI", "serviceAccountToken", "clusterTrustBundle"),
        }
        return tuple(file for some in fields(node, path, readers).values() if some for file in some)

    readers: dict[str, Reader] = {"sources": lambda n, p: read_each(n, p, source), "defaultMode": read_int}
    said = fields(node, path, readers, "sources")
    found = tuple(
        file
        if "defaultMode" not in said or file.mode != 0o644
        else File(file.source, file.key, file.path, said["defaultMode"])
        for some in said["sources"]
        for file in some
    )
    return lambda name: PodVolume(name, {}, files=found)


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """One item of a container's `volumeMounts`."""

    name: str
    target: str
    node: Node
    read_only: bool = False
    subpath: str = ""
    propagation: str = ""


_PROPAGATION = {"None": "", "HostToContainer": "rslave", "Bidirectional": "rshared"}


def read_volume_mount(node: Node, path: str) -> VolumeMount:
    readers: dict[str, Reader] = {
        "name": read_string,
        "mountPath": read_string,
        "readOnly": read_bool,
        "subPath": read_string,
        "mountPropagation": lambda n, p: _PROPAGATION[read_choice(n, p, tuple(_PROPAGATION))],
        "recursiveReadOnly": only("mounts below a read-only one keep their own mode", "Disabled", "IfPossible"),
        "subPathExpr": refused("name the path itself in subPath"),
    }
    said = fields(node, path, readers, "name", "mountPath")
    if not said["mountPath"].startswith("/"):
        raise BadComposeFile(node.mark, "must be absolute", path=f"{path}.mountPath")
    return VolumeMount(
        said["name"],
        said["mountPath"].rstrip("/") or "/",
        node,
        said.get("readOnly", False),
        said.get("subPath", ""),
        said.get("mountPropagation", ""),
    )


def mount_document(volume: PodVolume, mount: VolumeMount, path: str) -> dict[str, Json]:
    """The mount in a Compose file's words."""
    document: dict[str, Json] = {**volume.mount, "target": mount.target}
    if mount.read_only:
        document["read_only"] = True
    if mount.subpath:
        options = document.get(str(document["type"]))
        if document["type"] == "bind":
            document["source"] = f"{document['source']}/{mount.subpath}"
        else:
            document[str(document["type"])] = {
                **(options if isinstance(options, dict) else {}),
                "subpath": mount.subpath,
            }
    if mount.propagation:
        if document["type"] != "bind":
            raise refuse(mount.node, f"{path}.mountPropagation", "only a hostPath has it")
        bind = document["bind"]
        document["bind"] = {**(bind if isinstance(bind, dict) else {}), "propagation": mount.propagation}
    return document
