"""Containers and pods of the engine as a Kubernetes file."""

import io
import tarfile
from collections.abc import Mapping
from typing import Any

from hakobu.client.codec import list_of, object_of
from hakobu.client.engine import Engine
from hakobu.client.error import EngineError
from hakobu.compose.label import DEPENDS_ON
from hakobu.formats.describe import compose_document, portraits
from hakobu.formats.document import joined, project_of
from hakobu.formats.kube.play import KUBE_NETWORK
from hakobu.formats.kube.reader import NETWORK
from hakobu.formats.kube.volume import FILES, KIND_LABEL
from hakobu.formats.kube.writer import write_kube
from hakobu.formats.note import Note
from hakobu.formats.pod import POD_LABEL
from hakobu.spec.step import Json


def generate(engine: Engine, names: list[str], kind: str = "") -> tuple[str, list[Note]]:
    """The file's text, and what it does not say; `names` are pods' or containers'."""
    made = {str(m["Name"]).lstrip("/"): m for name in names for m in _containers(engine, name)}
    services = portraits(engine, [*made])
    for name, document in made.items():
        labels = services[name].get("labels")
        if isinstance(labels, dict):
            services[name]["labels"] = {k: v for k, v in labels.items() if not k.startswith(POD_LABEL)}
        services[name] = _on_default(services[name])
        if waits := _depends_on(document, services):
            services[name]["depends_on"] = waits
    document = compose_document(services)
    volumes, configs = _own_volumes(engine, made, services)
    known = object_of(document.get("volumes"))
    whole = joined(document, {"volumes": joined(known, volumes), "configs": configs})
    return write_kube(project_of(whole, "generated"), kind=kind)


def _on_default(service: dict[str, Json]) -> dict[str, Json]:
    """The service with the pods' network under the name that a file's pods know it by."""
    said = service.get("networks")
    networks: dict[str, Json] = said if isinstance(said, dict) else dict.fromkeys(map(str, list_of(said)))
    if KUBE_NETWORK not in networks:
        return service
    return {**service, "networks": {NETWORK if n == KUBE_NETWORK else n: value for n, value in networks.items()}}


def _containers(engine: Engine, name: str) -> list[Mapping[str, Any]]:
    """Those of a pod, or the one of that name."""
    found = engine.containers.list(all=True, filters={"label": [f"{POD_LABEL}={name}"]})
    ids = [str(c["Id"]) for c in found] or [name]
    return [engine.containers.inspect(container) for container in ids]


def _depends_on(made: Mapping[str, Any], services: Mapping[str, object]) -> dict[str, Json]:
    """What Compose's label says a container waits for, among those that are written."""
    text = str(object_of(made["Config"].get("Labels")).get(DEPENDS_ON) or "")
    parts = [part.split(":") for part in text.split(",") if part.count(":") == 2]
    return {n: {"condition": c, "restart": restart == "true"} for n, c, restart in parts if n in services}


def _own_volumes(
    engine: Engine, made: Mapping[str, Mapping[str, Any]], services: dict[str, dict[str, Json]]
) -> tuple[dict[str, Json], dict[str, Json]]:
    """Volumes that are a pod's own, by what their label says they are; and the files that fill some of them."""
    volumes: dict[str, Json] = {}
    configs: dict[str, Json] = {}
    for name, document in made.items():
        for mount in list_of(document.get("Mounts")):
            if mount.get("Type") != "volume" or not mount.get("Name"):
                continue
            volume = _volume(engine, str(mount["Name"]))
            labels = object_of(volume.get("Labels"))
            if KIND_LABEL not in labels or labels[KIND_LABEL] == "PersistentVolumeClaim":
                continue
            definition: dict[str, Json] = {"name": mount["Name"], "labels": {KIND_LABEL: labels[KIND_LABEL]}}
            volumes[mount["Name"]] = joined(definition, {"driver_opts": dict(object_of(volume.get("Options")))})
            target = str(mount["Destination"])
            is_filled_here = target.startswith(f"{FILES}/") or object_of(services[name]).get("network_mode") is None
            if labels[KIND_LABEL] == "files" and is_filled_here:
                files = _files(engine, name, target)
                configs |= {_config(mount["Name"], path): {"content": text} for path, (text, _) in files.items()}
                services[name]["configs"] = [
                    {"source": _config(mount["Name"], path), "target": f"{target}/{path}", "mode": f"{mode:o}"}
                    for path, (_, mode) in files.items()
                ]
    return volumes, configs


def _volume(engine: Engine, name: str) -> Mapping[str, Any]:
    try:
        return engine.volumes.inspect(name)
    except EngineError as e:
        if e.status != 404:
            raise
        return {}


def _config(volume: str, path: str) -> str:
    """The volume becomes a ConfigMap of its own name: what its files came from is nowhere said."""
    return f"{volume}_{path.replace('/', '.')}"


def _files(engine: Engine, container: str, folder: str) -> dict[str, tuple[str, int]]:
    """Text and mode of the files below a folder of a container, by their paths in it."""
    response, _ = engine.containers.get_archive(container, f"{folder}/.")
    with response:
        data = response.read()
    found: dict[str, tuple[str, int]] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for entry in tar:
            stream = tar.extractfile(entry) if entry.isfile() else None
            if stream is not None:
                path = entry.name.removeprefix("./")
                found[path] = stream.read().decode("utf-8", "replace"), entry.mode & 0o7777
    return found
