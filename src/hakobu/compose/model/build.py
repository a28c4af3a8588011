"""From a document's nodes to a `Project`: each section by its own reader, defaults and cross-checks last.

Pure: variables have been replaced before; files that the document names are read by the caller.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from hakobu.compose.failure import BadComposeFile, UnsupportedAttribute
from hakobu.compose.model.attachment import NetworkAttachment
from hakobu.compose.model.attribute import ATTRIBUTES, REFUSED
from hakobu.compose.model.dependency import Dependency
from hakobu.compose.model.project import FileObject, Network, Pool, Project, Volume
from hakobu.compose.model.reading import (
    Reader,
    Scope,
    items_of,
    read_bool,
    read_fields,
    read_labels,
    read_list,
    read_mapping,
    read_options,
    read_string,
    unknown_key,
)
from hakobu.compose.model.service import Service
from hakobu.compose.node import MappingNode, Node, Scalar, Sequence
from hakobu.spec.step import Json

TOP_LEVEL = ("name", "version", "services", "networks", "volumes", "secrets", "configs")
TOP_LEVEL_REFUSED = {
    "include": "name the other file with a further `-f`",
    "models": "language models are not provided",
}
_DEFAULT_NETWORK = "default"


def build_project(
    document: MappingNode, project: Project, profiles: frozenset[str], *, lenient: bool = False
) -> Project:
    """`project` (name, directory, files, environment) filled with what the document says.

    `lenient` is for looking and for taking away: a service that cannot be carried out is then no error.
    """
    scope = Scope(project.directory, project.environment.get("HOME", "/root"))
    _check_top_level(document)
    services, refused = _services(document, scope, profiles, lenient)
    resources = replace(
        project,
        networks=_networks(document, project.name, services.values()),
        volumes=_volumes(document, project.name),
        secrets=_file_objects(document, "secrets", project.name, scope),
        configs=_file_objects(document, "configs", project.name, scope),
        extensions={key: to_plain(value) for key, value in document if key.startswith("x-")},
        refused=refused,
    )
    for service in services.values():
        _check_service(service, resources, services, document)
    active = {name: s for name, s in sorted(services.items()) if not s.profiles or profiles & {*s.profiles, "*"}}
    if "*" in profiles:
        active = dict(sorted(services.items()))
    disabled = {name: s for name, s in sorted(services.items()) if name not in active}
    _check_cycles(services, document)
    return replace(resources, services=active, disabled=disabled, refused=refused)


def _services(
    document: MappingNode, scope: Scope, profiles: frozenset[str], lenient: bool
) -> tuple[dict[str, Service], dict[str, UnsupportedAttribute]]:
    """All services; one outside the active profiles may ask for what is not supported, as long as it is not used."""
    services: dict[str, Service] = {}
    refused: dict[str, UnsupportedAttribute] = {}
    for name, node in _section(document, "services"):
        try:
            services[name] = _with_defaults(read_service(name, node, document, scope))
        except UnsupportedAttribute as e:
            of_it = node.get("profiles") if isinstance(node, MappingNode) else None
            named = read_list(of_it, f"services.{name}.profiles") if of_it is not None else ()
            if not lenient and (not named or profiles & {*named, "*"}):
                raise
            refused[name] = e
    return services, refused


def _check_top_level(document: MappingNode) -> None:
    for key, _ in document:
        if key in TOP_LEVEL_REFUSED:
            raise UnsupportedAttribute(document.mark_of(key), key, TOP_LEVEL_REFUSED[key])
        if key not in TOP_LEVEL and not key.startswith("x-"):
            raise unknown_key(document, key, "", TOP_LEVEL)


def _section(document: MappingNode, name: str) -> MappingNode:
    node = document.get(name)
    return read_mapping(node, name) if node is not None else MappingNode({}, {}, document.mark)


def read_service(name: str, node: Node, document: MappingNode, scope: Scope) -> Service:
    """One service; an attribute that is not supported or not known is refused with its line."""
    path = f"services.{name}"
    if not isinstance(node, MappingNode):
        raise BadComposeFile(_section(document, "services").mark_of(name), "must be a mapping", path=path)
    readers = {a.name: a.reader(scope) for a in ATTRIBUTES}
    fields = read_fields(node, path, readers, REFUSED)
    if not fields.get("image"):
        raise BadComposeFile(node.mark, f"service {name!r} has neither an image nor a build context specified")
    extensions = {key: to_plain(value) for key, value in node if key.startswith("x-")}
    service = Service(**fields, name=name, extensions=extensions)
    if service.scale is not None and service.deploy:
        if service.deploy.replicas not in (None, service.scale):
            raise BadComposeFile(node.mark, "can't set distinct values on 'scale' and 'deploy.replicas'", path=path)
        return replace(service, deploy=replace(service.deploy, replicas=service.scale))
    return service


def _with_defaults(service: Service) -> Service:
    """The default network, and dependencies on the services whose namespaces or volumes are shared."""
    if not service.networks and not service.network_mode:
        service = replace(service, networks={_DEFAULT_NETWORK: NetworkAttachment()})
    spaces = {m.removeprefix("service:") for m in (service.network_mode, service.ipc, service.pid)}
    implied = {n: Dependency(restart=n in spaces) for n in service.shares_with() if n not in service.depends_on}
    if not implied:
        return service
    return replace(service, depends_on=dict(sorted({**service.depends_on, **implied}.items())))


def _networks(document: MappingNode, project: str, services: Iterable[Service]) -> dict[str, Network]:
    section = _section(document, "networks")
    found = {key: _read_network(key, node, project) for key, node in section}
    if any(_DEFAULT_NETWORK in service.networks for service in services) and _DEFAULT_NETWORK not in found:
        found[_DEFAULT_NETWORK] = Network(key=_DEFAULT_NETWORK, name=f"{project}_{_DEFAULT_NETWORK}")
    return dict(sorted(found.items()))


def _resource_name(key: str, name: str, external: bool, project: str) -> str:
    return name or (key if external else f"{project}_{key}")


def _read_network(key: str, node: Node, project: str) -> Network:
    path = f"networks.{key}"
    fields = read_fields(
        node,
        path,
        {
            "name": read_string,
            "driver": read_string,
            "driver_opts": read_options,
            "ipam": _read_ipam,
            "external": _read_external,
            "internal": read_bool,
            "attachable": read_bool,
            "labels": read_labels,
            "enable_ipv4": read_bool,
            "enable_ipv6": read_bool,
        },
    )
    external, name = _external_of(fields.pop("external", False), str(fields.get("name") or ""))
    fields |= fields.pop("ipam", {})
    fields["name"] = _resource_name(key, name, external, project)
    return Network(**fields, key=key, external=external)


def _read_external(node: Node, path: str) -> bool | str:
    """True, or the name in the older form `external: {name: x}`."""
    if isinstance(node, MappingNode):
        return read_fields(node, path, {"name": read_string}).get("name", "") or True
    return read_bool(node, path)


def _external_of(external: object, name: str) -> tuple[bool, str]:
    return bool(external), external if isinstance(external, str) else name


def _read_ipam(node: Node, path: str) -> dict[str, Any]:
    fields = read_fields(node, path, {"driver": read_string, "config": _read_pools, "options": read_options})
    return {"ipam_driver": fields.get("driver", ""), "pools": fields.get("config", ())}


def _read_pools(node: Node, path: str) -> tuple[Pool, ...]:
    pools: list[Pool] = []
    for i, item in enumerate(items_of(node, path)):
        fields = read_fields(
            item,
            f"{path}.{i}",
            {
                "subnet": read_string,
                "gateway": read_string,
                "ip_range": read_string,
                "aux_addresses": lambda n, p: tuple(read_options(n, p).items()),
            },
        )
        pools.append(Pool(**fields))
    return tuple(pools)


def _volumes(document: MappingNode, project: str) -> dict[str, Volume]:
    return {key: _read_volume(key, node, project) for key, node in sorted(_section(document, "volumes"))}


def _read_volume(key: str, node: Node, project: str) -> Volume:
    fields = read_fields(
        node,
        f"volumes.{key}",
        {
            "name": read_string,
            "driver": read_string,
            "driver_opts": read_options,
            "external": _read_external,
            "labels": read_labels,
        },
    )
    external, name = _external_of(fields.pop("external", False), str(fields.get("name") or ""))
    fields["name"] = _resource_name(key, name, external, project)
    return Volume(**fields, key=key, external=external)


def _file_objects(document: MappingNode, section: str, project: str, scope: Scope) -> dict[str, FileObject]:
    objects = sorted(_section(document, section))
    return {key: _read_file_object(key, node, section, project, scope) for key, node in objects}


def _read_file_object(key: str, node: Node, section: str, project: str, scope: Scope) -> FileObject:
    path = f"{section}.{key}"
    swarm = "it belongs to clusters, not to one machine"
    readers: dict[str, Reader] = dict.fromkeys(("name", "file", "environment"), read_string)
    readers["labels"] = read_labels
    if section == "configs":
        readers["content"] = read_string
    refused = {"external": swarm, "driver": swarm, "driver_opts": swarm, "template_driver": swarm}
    fields = read_fields(node, path, readers, refused)
    fields.pop("labels", None)
    sources = [name for name in ("file", "environment", "content") if name in fields]
    if len(sources) != 1:
        raise BadComposeFile(node.mark, "needs exactly one of file, environment and content", path=path)
    if "file" in fields:
        fields["file"] = scope.path(fields["file"])
    name = fields.pop("name", "") or f"{project}_{key}"
    return FileObject(key=key, name=name, **fields)


def _check_service(service: Service, project: Project, services: Mapping[str, Service], document: MappingNode) -> None:
    """What a service names must exist, and what it asks for must be possible."""
    node = read_mapping(_section(document, "services").entries[service.name], service.name)

    def fail(attribute: str, text: str) -> BadComposeFile:
        return BadComposeFile(node.mark_of(attribute), f"service {service.name!r} {text}: invalid compose project")

    if service.networks and service.network_mode and node.get("networks"):
        raise fail("network_mode", "declares mutually exclusive `network_mode` and `networks`")
    for name in service.networks:
        if name not in project.networks:
            raise fail("networks", f"refers to undefined network {name}")
    for volume in service.volumes:
        if volume.type == "volume" and volume.source and volume.source not in project.volumes:
            raise fail("volumes", f"refers to undefined volume {volume.source}")
    for kind, references, objects in (
        ("secrets", service.secrets, project.secrets),
        ("configs", service.configs, project.configs),
    ):
        for reference in references:
            if reference.source not in objects:
                raise fail(kind, f"refers to undefined {kind[:-1]} {reference.source}")
    for name, dependency in service.depends_on.items():
        if name not in {*services, *project.refused} and dependency.required:
            raise fail("depends_on", f"depends on undefined service {name}")
    if service.container_name and service.replicas > 1:
        raise fail("container_name", "has a container_name and more than one container")
    if service.replicas < 0:
        raise fail("scale", "has a negative number of containers")


def _check_cycles(services: Mapping[str, Service], document: MappingNode) -> None:
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            cycle = " -> ".join((*trail[trail.index(name) :], name))
            raise BadComposeFile(_section(document, "services").mark_of(name), f"dependency cycle detected: {cycle}")
        if name in done or name not in services:
            return
        for other in services[name].depends_on:
            visit(other, (*trail, name))
        done.add(name)

    for name in services:
        visit(name, ())


def to_plain(node: Node) -> Json:
    """An extension's content as plain JSON."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [to_plain(item) for item in node.items]
    return {key: to_plain(value) for key, value in sorted(node)}
