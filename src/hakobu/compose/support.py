"""What the files may say and cannot be carried out: named with file and line, before anything is done. Pure.

`config` shows such a project, `up` and the other verbs that make containers refuse it. What only the engine knows
(GPUs, Windows' limits) is the engine's to refuse, by its own words.
"""

from collections.abc import Iterable, Iterator

from hakobu.compose.failure import BadComposeFile, UnsupportedAttribute, raise_mistakes
from hakobu.compose.model.project import FileObject, Project
from hakobu.compose.model.service import Service

_SWARM = "it belongs to clusters, not to one machine"
_MOUNTS = {"npipe": "it is for Windows containers", "cluster": _SWARM}


def refuse_unsupported(project: Project, names: Iterable[str]) -> None:
    """`UnsupportedAttribute` for each thing these services ask for that is not carried out."""
    found: list[BadComposeFile] = []
    for name in names:
        for path, reason in _of_service(project, project.service(name)):
            found.append(UnsupportedAttribute(project.mark(*path), ".".join(path), reason))
    raise_mistakes(found)


def _of_service(project: Project, service: Service) -> Iterator[tuple[tuple[str, ...], str]]:
    here = ("services", service.name)
    if service.models:
        yield (*here, "models"), "language models are not provided"
    for i, volume in enumerate(service.volumes):
        if volume.type in _MOUNTS:
            yield (*here, "volumes", str(i), "type"), f"mounts of type {volume.type}: {_MOUNTS[volume.type]}"
    yield from _of_files(project, service)


def _of_files(project: Project, service: Service) -> Iterator[tuple[tuple[str, ...], str]]:
    for section, references, objects in (
        ("secrets", service.secrets, project.secrets),
        ("configs", service.configs, project.configs),
    ):
        for reference in references:
            for attribute in _cluster_attributes(objects[reference.source]):
                yield (section, reference.source, attribute), _SWARM


def _cluster_attributes(source: FileObject) -> Iterator[str]:
    for attribute in ("external", "driver", "template_driver"):
        if getattr(source, attribute):
            yield attribute


def refuse_builds(project: Project, names: Iterable[str]) -> None:
    """`--build` for services that would have to be built."""
    built = [project.service(name) for name in names if project.service(name).build]
    raise_mistakes([refuse_build(project, service) for service in built])


def refuse_build(project: Project, service: Service) -> UnsupportedAttribute:
    """For a service whose image is not there and would have to be built."""
    image = project.image_of(service)
    reason = f"images are not built here; build the image {image} and load it first"
    return UnsupportedAttribute(
        project.mark("services", service.name, "build"), f"services.{service.name}.build", reason
    )
