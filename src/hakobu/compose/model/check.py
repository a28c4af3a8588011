"""Whether the parts of a project fit: what is named exists, what excludes each other is not asked for together. Pure.

All misfits of the active services are told at once, each with the place of the attribute.
"""

from collections.abc import Iterator

from hakobu.compose.failure import BadComposeFile, raise_mistakes
from hakobu.compose.model.image_build import secrets_of
from hakobu.compose.model.project import Project
from hakobu.compose.model.service import Service


def check_project(project: Project) -> None:
    """`BadComposeFile` with everything that does not fit."""
    found = [
        _misfit(project, s, attribute, text)
        for s in project.services.values()
        for attribute, text in _check(project, s)
    ]
    found += _same_names(project)
    raise_mistakes(found)
    _check_cycles(project)


def _misfit(project: Project, service: Service, attribute: str, text: str) -> BadComposeFile:
    return BadComposeFile(project.mark("services", service.name, attribute), f"{text}: invalid compose project")


def _check(project: Project, service: Service) -> Iterator[tuple[str, str]]:
    """Attribute and text of each misfit."""
    quoted = f'service "{service.name}"'
    if not service.image and not service.build and service.provider is None:
        yield "image", f"{quoted} has neither an image nor a build context specified"
    if service.networks and service.network_mode:
        yield "network_mode", f"service {service.name} declares mutually exclusive `network_mode` and `networks`"
    for name, dependency in service.depends_on.items():
        if name not in project.services and dependency.required:
            yield "depends_on", f'{quoted} depends on undefined service "{name}"{_hidden(project, name)}'
    for attribute, kind, name in _references(project, service):
        yield attribute, f"{quoted} refers to undefined {kind} {name}"
    yield from _check_counts(service)
    yield from _check_targets(service)


def _hidden(project: Project, name: str) -> str:
    """Why a service that the files have is not there."""
    service = project.disabled.get(name)
    return f" (it has the profiles {', '.join(service.profiles)}, of which none is active)" if service else ""


def _references(project: Project, service: Service) -> Iterator[tuple[str, str, str]]:
    """Names of resources that the project has not."""
    sources = [v.source for v in service.volumes if v.type == "volume" and v.source]
    wanted = [
        ("networks", "network", tuple(service.networks), project.networks),
        ("volumes", "volume", tuple(sources), project.volumes),
        ("secrets", "secret", tuple(r.source for r in service.secrets), project.secrets),
        ("configs", "config", tuple(r.source for r in service.configs), project.configs),
        ("models", "model", tuple(service.models), project.models),
        ("build", "build secret", secrets_of(service.build), project.secrets),
    ]
    for attribute, kind, names, known in wanted:
        for name in names:
            if name not in known:
                yield attribute, kind, name


def _check_counts(service: Service) -> Iterator[tuple[str, str]]:
    if service.container_name and service.replicas > 1:
        text = f"can't set container_name and {service.name} as container name must be unique"
        yield "container_name", f"services.{service.name}: {text}"
    if service.replicas < 0:
        yield "scale", f'service "{service.name}" has a negative number of containers'
    limits = service.deploy.limits if service.deploy else None
    reserved = service.deploy.reservations if service.deploy else None
    pairs = [
        ("cpus", service.cpus, "deploy.resources.limits.cpus", limits and limits.cpus),
        ("mem_limit", service.mem_limit, "deploy.resources.limits.memory", limits and limits.memory),
        ("pids_limit", service.pids_limit, "deploy.resources.limits.pids", limits and limits.pids),
        (
            "mem_reservation",
            service.mem_reservation,
            "deploy.resources.reservations.memory",
            reserved and reserved.memory,
        ),
    ]
    for attribute, value, path, other in pairs:
        if value and other is not None and other != value:
            yield attribute, f"services.{service.name}: can't set distinct values on '{attribute}' and '{path}'"


def _check_targets(service: Service) -> Iterator[tuple[str, str]]:
    """Two mounts on one place of the container."""
    mounts = [("volumes", v.target) for v in service.volumes] + [("tmpfs", t.split(":")[0]) for t in service.tmpfs]
    seen: dict[str, str] = {}
    for i, (attribute, target) in enumerate(mounts):
        where = f"services.{service.name}.{attribute}[{i - (len(service.volumes) if attribute == 'tmpfs' else 0)}]"
        if target in seen:
            yield attribute, f"{where}: target {target} already mounted as {seen[target]}"
        seen[target] = where


def _same_names(project: Project) -> list[BadComposeFile]:
    taken: dict[str, str] = {}
    found: list[BadComposeFile] = []
    for service in project.services.values():
        name = service.container_name
        if name and name in taken:
            text = f'services.{service.name}: container name "{name}" is already in use by service {taken[name]}'
            found.append(_misfit(project, service, "container_name", text))
        taken[name] = service.name
    return found


def _check_cycles(project: Project) -> None:
    services = project.services
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            cycle = " -> ".join((*trail[trail.index(name) :], name))
            raise BadComposeFile(project.mark("services", name, "depends_on"), f"dependency cycle detected: {cycle}")
        if name in done or name not in services:
            return
        for other in services[name].depends_on:
            visit(other, (*trail, name))
        done.add(name)

    for name in services:
        visit(name, ())
