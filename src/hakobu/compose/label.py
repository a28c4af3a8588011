"""The labels in which compose keeps its state: docker compose's own, so that both programs see the same project."""

from collections.abc import Mapping
from typing import Any, cast

from hakobu.compose.canonical import network_hash, service_hash, volume_hash
from hakobu.compose.model.project import Network, Project, Volume
from hakobu.compose.model.service import Service

PREFIX = "com.docker.compose."
PROJECT = PREFIX + "project"
SERVICE = PREFIX + "service"
NUMBER = PREFIX + "container-number"
ONEOFF = PREFIX + "oneoff"
CONFIG_HASH = PREFIX + "config-hash"
IMAGE = PREFIX + "image"
DEPENDS_ON = PREFIX + "depends_on"
WORKING_DIR = PREFIX + "project.working_dir"
CONFIG_FILES = PREFIX + "project.config_files"
ENVIRONMENT_FILE = PREFIX + "project.environment_file"
NETWORK = PREFIX + "network"
VOLUME = PREFIX + "volume"
REPLACE = PREFIX + "replace"
SLUG = PREFIX + "slug"
VERSION = PREFIX + "version"

COMPATIBLE_VERSION = "2.40.3"
"""The docker compose whose labels and hashes these are."""


def container_labels(
    project: Project, service: Service, number: int, image_id: str, *, replaces: str = ""
) -> dict[str, str]:
    """The service's own labels and compose's, sorted."""
    depends_on = ",".join(
        f"{name}:{d.condition}:{'true' if d.restart else 'false'}" for name, d in service.depends_on.items()
    )
    labels = {
        **service.labels,
        CONFIG_HASH: service_hash(service),
        NUMBER: str(number),
        DEPENDS_ON: depends_on,
        IMAGE: image_id,
        ONEOFF: "False",
        PROJECT: project.name,
        CONFIG_FILES: ",".join(project.files),
        WORKING_DIR: project.directory,
        SERVICE: service.name,
        VERSION: COMPATIBLE_VERSION,
    }
    if project.env_files:
        labels[ENVIRONMENT_FILE] = ",".join(project.env_files)
    if replaces:
        labels[REPLACE] = replaces
    return dict(sorted(labels.items()))


def network_labels(project: Project, network: Network) -> dict[str, str]:
    own = {CONFIG_HASH: network_hash(network), NETWORK: network.key, PROJECT: project.name, VERSION: COMPATIBLE_VERSION}
    return dict(sorted({**network.labels, **own}.items()))


def volume_labels(project: Project, volume: Volume) -> dict[str, str]:
    own = {CONFIG_HASH: volume_hash(volume), VOLUME: volume.key, PROJECT: project.name, VERSION: COMPATIBLE_VERSION}
    return dict(sorted({**volume.labels, **own}.items()))


def labels_of(document: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels of something the engine listed; none is null there."""
    return cast("Mapping[str, str]", document.get("Labels") or {})


def number_of(labels: Mapping[str, str]) -> int:
    """A container's number in its service; 0 where the label is missing or damaged."""
    text = labels.get(NUMBER, "")
    return int(text) if text.isdigit() else 0


def container_name(project: str, service: Service, number: int) -> str:
    return service.container_name or f"{project}-{service.name}-{number}"
