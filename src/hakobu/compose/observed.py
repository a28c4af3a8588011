"""What the engine has of a project: containers, networks, volumes and images, as values for the planner."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hakobu.client.codec import object_of
from hakobu.client.engine import Engine
from hakobu.client.error import EngineError
from hakobu.compose import label
from hakobu.compose.listing import epoch_of
from hakobu.compose.model.attribute import pull_interval_s
from hakobu.compose.model.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedContainer:
    """`state` as Docker's list has it; `anonymous` maps a place in the container to its nameless volume."""

    id: str
    name: str
    service: str
    number: int = 1
    state: str = "running"
    status: str = ""
    image_id: str = ""
    config_hash: str = ""
    oneoff: bool = False
    depends_on: tuple[str, ...] = ()
    restarts_with: tuple[str, ...] = ()
    anonymous: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def is_running(self) -> bool:
        return self.state in ("running", "paused", "restarting")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Networks and volumes by the engine's name, with the hash in their labels; images by what services call them.

    `image_ages_s`: how long ago those with a pull policy that asks for it were pulled.
    """

    containers: tuple[ObservedContainer, ...] = ()
    networks: Mapping[str, str] = field(default_factory=dict[str, str])
    volumes: Mapping[str, str] = field(default_factory=dict[str, str])
    images: Mapping[str, str] = field(default_factory=dict[str, str])
    image_ages_s: Mapping[str, float] = field(default_factory=dict[str, float])

    def of_service(self, service: str) -> tuple[ObservedContainer, ...]:
        """The service's containers by their number, without those of `run`."""
        found = [c for c in self.containers if c.service == service and not c.oneoff]
        return tuple(sorted(found, key=lambda c: c.number))


def observe_containers(engine: Engine, project: str) -> tuple[ObservedContainer, ...]:
    listed = engine.containers.list(all=True, filters={"label": [f"{label.PROJECT}={project}"]})
    return tuple(_container(document) for document in listed)


def _container(document: Mapping[str, Any]) -> ObservedContainer:
    labels = label.labels_of(document)
    mounts: list[Mapping[str, Any]] = document.get("Mounts") or []
    nameless = {m["Destination"]: m["Name"] for m in mounts if m.get("Type") == "volume" and _is_hex(m.get("Name", ""))}
    dependencies = [d.split(":") for d in labels.get(label.DEPENDS_ON, "").split(",") if d]
    return ObservedContainer(
        id=document["Id"],
        name=document["Names"][0].lstrip("/"),
        service=labels.get(label.SERVICE, ""),
        number=label.number_of(labels),
        state=document.get("State", ""),
        status=document.get("Status", ""),
        image_id=labels.get(label.IMAGE, ""),
        config_hash=labels.get(label.CONFIG_HASH, ""),
        oneoff=labels.get(label.ONEOFF) == "True",
        depends_on=tuple(d[0] for d in dependencies),
        restarts_with=tuple(d[0] for d in dependencies if d[-1] == "true"),
        anonymous=nameless,
    )


def _is_hex(name: str) -> bool:
    return len(name) == 64 and all(c in "0123456789abcdef" for c in name)


def observe(engine: Engine, project: Project) -> Observed:
    """Everything a plan for this project needs to know."""
    networks = _named(engine, {n.name for n in project.networks.values()}, "network")
    volumes = _named(engine, {v.name for v in project.volumes.values()}, "volume")
    images = {
        image: image_id(engine, image) for image in sorted({project.image_of(s) for s in project.services.values()})
    }
    return Observed(
        containers=observe_containers(engine, project.name),
        networks=networks,
        volumes=volumes,
        images={image: found for image, found in images.items() if found},
        image_ages_s={
            project.image_of(s): _age_s(engine, project.image_of(s))
            for s in project.services.values()
            if pull_interval_s(s.pull_policy) is not None and images[project.image_of(s)]
        },
    )


def _named(engine: Engine, names: set[str], kind: str) -> dict[str, str]:
    """Those of the named networks or volumes that exist, with the hash their labels carry."""
    found: dict[str, str] = {}
    for name in sorted(names):
        try:
            document = engine.networks.inspect(name) if kind == "network" else engine.volumes.inspect(name)
        except EngineError as e:
            if e.status != 404:
                raise
            continue
        found[name] = label.labels_of(document).get(label.CONFIG_HASH, "")
    return found


def observe_left(engine: Engine, project: str) -> Observed:
    """What carries the project's label, whatever the files say; network and volume names map to their keys."""
    filters = {"label": [f"{label.PROJECT}={project}"]}
    networks = engine.networks.list(filters)
    volumes = engine.volumes.list(filters)
    return Observed(
        containers=observe_containers(engine, project),
        networks={n["Name"]: label.labels_of(n).get(label.NETWORK, "") for n in networks},
        volumes={v["Name"]: label.labels_of(v).get(label.VOLUME, "") for v in volumes},
    )


def image_id(engine: Engine, image: str) -> str:
    """The id of a local image, empty where there is none."""
    try:
        return str(engine.images.inspect(image)["Id"])
    except EngineError as e:
        if e.status != 404:
            raise
        return ""


def _age_s(engine: Engine, image: str) -> float:
    """How long ago the image got its name; an engine that does not know says: for ever."""
    tagged = str(object_of(engine.images.inspect(image).get("Metadata")).get("LastTagTime") or "")
    return time.time() - epoch_of(tagged) if tagged and not tagged.startswith("0001") else float("inf")
