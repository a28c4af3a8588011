"""A project as a Mermaid flowchart: services, dependencies, networks, volumes and published ports. Pure."""

import re
from collections.abc import Iterator

from hakobu.compose.canonical import used_resources
from hakobu.compose.model.dependency import STARTED
from hakobu.compose.model.project import Project
from hakobu.compose.model.service import Service


def mermaid(project: Project) -> str:
    """The text of the diagram; names that Mermaid could not take are quoted labels of plain identifiers."""
    used = used_resources(project)
    lines = ["flowchart LR"]
    for service in project.services.values():
        lines += _service(project, service)
    lines += [f'  {_id("network", key)}{{{{"{key}"}}}}' for key in sorted(used["networks"])]
    lines += [f'  {_id("volume", key)}[("{key}")]' for key in sorted(used["volumes"])]
    return "".join(f"{line}\n" for line in lines)


def _id(kind: str, name: str) -> str:
    return f"{kind}_{re.sub('[^A-Za-z0-9]', '_', name)}"


def _service(project: Project, service: Service) -> Iterator[str]:
    own = _id("service", service.name)
    count = f" × {service.replicas}" if service.replicas != 1 else ""
    yield f'  {own}["{service.name}{count}<br/>{project.image_of(service)}"]'
    for name, dependency in service.depends_on.items():
        word = dependency.condition.removeprefix("service_") if dependency.condition != STARTED else ""
        arrow = f"-- {word} -->" if word else "-->"
        yield f"  {own} {arrow} {_id('service', name)}"
    for key in service.networks:
        yield f"  {own} --- {_id('network', key)}"
    for volume in service.volumes:
        if volume.type == "volume" and volume.source:
            yield f"  {own} -. {volume.target} .- {_id('volume', volume.source)}"
    for port in service.ports:
        host = f"{port.host_ip}:" if port.host_ip else ""
        yield f'  {_id("port", f"{host}{port.published}_{port.target}")}(["{host}{port.published or "any"}"]) --> {own}'
