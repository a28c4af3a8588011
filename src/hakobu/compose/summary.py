"""A project in the few facts that tell whether there is anything to do for `up`: what a note of it holds. Pure."""

import re

from hakobu.compose.canonical import network_hash, service_hash, used_resources, volume_hash
from hakobu.compose.disk import Disk
from hakobu.compose.memory import VOLATILE
from hakobu.compose.model.dependency import HEALTHY, STARTED
from hakobu.compose.model.project import Project
from hakobu.compose.model.service import Service
from hakobu.compose.plan import levels
from hakobu.compose.published import published
from hakobu.spec.step import Json

_KEEPING = ("", "missing", "if_not_present", "never")
_VOLATILE = re.compile(rf"(?<!\w)(?:{'|'.join(VOLATILE)})(?!\w)")


def summary(project: Project, disk: Disk) -> dict[str, Json] | None:
    """None for a project that has to be looked at each time: more than its containers decides what is done."""
    services = project.services.values()
    if "-" in disk.texts or any(text and _VOLATILE.search(text) for text in disk.texts.values()):
        return None
    if not services or not all(_is_plain(project, service) for service in services):
        return None
    used = used_resources(project)
    networks: dict[str, Json] = {
        n.name: "" if n.external else network_hash(n) for key, n in project.networks.items() if key in used["networks"]
    }
    volumes: dict[str, Json] = {
        v.name: "" if v.external else volume_hash(v) for key, v in project.volumes.items() if key in used["volumes"]
    }
    facts: dict[str, Json] = {service.name: _facts(project, service) for service in services}
    known: list[Json] = [*project.services, *project.disabled]
    ordered: list[Json] = [[_awaited(project, level), [*level]] for level in levels(project, project.services)]
    return {
        "name": project.name,
        "known": known,
        "levels": ordered,
        "services": facts,
        "networks": networks,
        "volumes": volumes,
    }


def _facts(project: Project, service: Service) -> dict[str, Json]:
    return {
        "hash": service_hash(service),
        "image": project.image_of(service),
        "count": service.replicas,
        "ports": published(service),
    }


def _is_plain(project: Project, service: Service) -> bool:
    """Kept as long as its containers are right: no image to be asked for anew, no work to be waited for."""
    waits = service.depends_on.items()
    return (
        service.provider is None
        and service.pull_policy in _KEEPING
        and all(dependency.condition in (HEALTHY, STARTED) and name in project.services for name, dependency in waits)
    )


def _awaited(project: Project, level: tuple[str, ...]) -> list[Json]:
    waits = [d for name in level for d in project.services[name].depends_on.items()]
    return [*dict.fromkeys(name for name, dependency in waits if dependency.condition == HEALTHY)]
