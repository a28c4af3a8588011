"""A project as a picture: services, dependencies, networks, volumes and published ports as boxes and lines. Pure.

`diagram_of` makes the value that both writers take: Mermaid's text here, SVG in `drawing.py`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hakobu.compose.canonical import used_resources
from hakobu.compose.model.dependency import STARTED
from hakobu.compose.model.project import Project
from hakobu.compose.model.service import Service
from hakobu.compose.plan import levels


@dataclass(frozen=True, slots=True)
class Box:
    """`column` counts from the left: ports, services (what others depend on further right), networks, volumes."""

    id: str
    kind: Literal["port", "service", "network", "volume"]
    lines: tuple[str, ...]
    column: int


@dataclass(frozen=True, slots=True)
class Line:
    """`kind`: an arrow to what is needed or reached, a link to a network, a mount."""

    start: str
    end: str
    kind: Literal["arrow", "link", "mount"] = "arrow"
    label: str = ""


@dataclass(frozen=True, slots=True)
class Diagram:
    title: str
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def diagram_of(project: Project) -> Diagram:
    """The active services and what they use; boxes and lines in the files' order."""
    used = used_resources(project)
    depths = {name: depth for depth, level in enumerate(levels(project, project.services)) for name in level}
    deepest = max(depths.values(), default=0)
    boxes: list[Box] = []
    lines: list[Line] = []
    for service in project.services.values():
        count = f" × {service.replicas}" if service.replicas != 1 else ""
        texts = (f"{service.name}{count}", project.image_of(service))
        boxes.append(Box(_id("service", service.name), "service", texts, 1 + deepest - depths[service.name]))
        lines += _lines(service)
        for text, target in _ports(service):
            boxes.append(Box(_id("port", f"{text}_{target}"), "port", (text,), 0))
            lines.append(Line(_id("port", f"{text}_{target}"), _id("service", service.name), label=str(target)))
    boxes += [Box(_id("network", key), "network", (key,), deepest + 2) for key in sorted(used["networks"])]
    boxes += [Box(_id("volume", key), "volume", (key,), deepest + 3) for key in sorted(used["volumes"])]
    return Diagram(project.name, tuple(dict.fromkeys(boxes)), tuple(dict.fromkeys(lines)))


def _id(kind: str, name: str) -> str:
    return f"{kind}_{re.sub('[^A-Za-z0-9]', '_', name)}"


def _ports(service: Service) -> Iterator[tuple[str, int]]:
    for port in service.ports:
        host = f"{port.host_ip}:" if port.host_ip else ""
        yield f"{host}{port.published or 'any'}", port.target


def _lines(service: Service) -> Iterator[Line]:
    own = _id("service", service.name)
    for name, dependency in service.depends_on.items():
        word = dependency.condition.removeprefix("service_") if dependency.condition != STARTED else ""
        yield Line(own, _id("service", name), label=word)
    for key in service.networks:
        yield Line(own, _id("network", key), "link")
    for volume in service.volumes:
        if volume.type == "volume" and volume.source:
            yield Line(own, _id("volume", volume.source), "mount", volume.target)


_SHAPES = {"service": '["{}"]', "port": '(["{}"])', "network": '{{{{"{}"}}}}', "volume": '[("{}")]'}
_ARROWS = {"arrow": ("-->", "-- {} -->"), "link": ("---", "-- {} ---"), "mount": ("-.-", "-. {} .-")}


def mermaid(project: Project) -> str:
    """A Mermaid flowchart; names that Mermaid could not take are quoted labels of plain identifiers."""
    diagram = diagram_of(project)
    lines = ["flowchart LR"]
    for box in diagram.boxes:
        lines.append("  " + box.id + _SHAPES[box.kind].format("<br/>".join(_quoted(text) for text in box.lines)))
    for line in diagram.lines:
        plain, labelled = _ARROWS[line.kind]
        arrow = labelled.format(_quoted(line.label)) if line.label else plain
        lines.append(f"  {line.start} {arrow} {line.end}")
    return "".join(f"{line}\n" for line in lines)


def _quoted(text: str) -> str:
    return text.replace('"', "#quot;")
