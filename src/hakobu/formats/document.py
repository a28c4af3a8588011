"""Between plain documents and the project in the middle: `services`, `networks`, … as a Compose file has them. Pure."""

from collections.abc import Mapping

from hakobu.compose.model.build import build_project
from hakobu.compose.model.project import Project
from hakobu.compose.model.reading import format_value
from hakobu.compose.node import MappingNode, Node, Scalar, Sequence, null, string
from hakobu.spec.step import Json


def from_plain(value: Json) -> Node:
    """The nodes of a document; texts stay texts, whatever they look like."""
    if isinstance(value, dict):
        return MappingNode({key: from_plain(item) for key, item in value.items()}, {})
    if isinstance(value, list):
        return Sequence(tuple(from_plain(item) for item in value))
    if isinstance(value, str):
        return string(value)
    return null() if value is None else Scalar(format_value(value), value)


def joined(*parts: Mapping[str, Json]) -> dict[str, Json]:
    """One document of several; later ones win."""
    return {key: value for part in parts for key, value in part.items()}


def project_of(
    document: Mapping[str, Json],
    name: str,
    *,
    directory: str = "/",
    files: tuple[str, ...] = (),
    consistent: bool = True,
) -> Project:
    """The project that a document describes; `BadComposeFile` where it describes none."""
    node = from_plain(dict(document))
    assert isinstance(node, MappingNode)
    project = Project(name=name, directory=directory, files=files)
    return build_project(node, project, frozenset(), consistent=consistent)
