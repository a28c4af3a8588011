"""From a document's nodes to a `Project`: each section by its own reader, defaults and cross-checks last.

Pure: variables have been replaced and paths made absolute before; files that the document names are read by the
caller. Whatever the specification has is accepted here; what cannot be carried out is said when it is asked for.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from hakobu.compose.failure import BadComposeFile, raise_mistakes
from hakobu.compose.model.attachment import NetworkAttachment
from hakobu.compose.model.attribute import ATTRIBUTES
from hakobu.compose.model.check import check_project
from hakobu.compose.model.dependency import Dependency
from hakobu.compose.model.image_build import with_defaults
from hakobu.compose.model.project import FileObject, Network, Pool, Project, Volume
from hakobu.compose.model.reading import (
    Reader,
    read_bool,
    read_each,
    read_fields,
    read_int,
    read_labels,
    read_mapping,
    read_options,
    read_shape,
    read_string,
    read_texts,
    unknown_key,
)
from hakobu.compose.model.service import Service
from hakobu.compose.node import MappingNode, Node
from hakobu.spec.step import Json

_T = TypeVar("_T")
TOP_LEVEL = ("name", "version", "include", "services", "networks", "volumes", "secrets", "configs", "models")
_READERS: dict[str, Reader] = {a.name: a.read for a in ATTRIBUTES} | {"pull_refresh_after": read_string}
_DEFAULT_NETWORK = "default"
_SERVICE_NAME = re.compile(r"[a-zA-Z0-9._-]+")


def build_project(
    document: MappingNode, project: Project, profiles: frozenset[str], *, consistent: bool = True
) -> Project:
    """`project` (name, directory, files, environment) filled with what the document says.

    All mistakes of form come at once; only where there are none is it asked whether the parts fit, if `consistent`.
    """
    mistakes: list[BadComposeFile] = []
    _check_top_level(document, mistakes)
    services = _read_section(document, "services", lambda n, p, k: _read_service(k, n, p), mistakes)
    networks = _read_section(document, "networks", lambda n, p, k: _read_network(k, n, p, project.name), mistakes)
    volumes = _read_section(document, "volumes", lambda n, p, k: _read_volume(k, n, p, project.name), mistakes)
    secrets = _read_section(document, "secrets", lambda n, p, k: _read_file_object(k, n, p, project.name), mistakes)
    configs = _read_section(document, "configs", lambda n, p, k: _read_file_object(k, n, p, project.name), mistakes)
    models = _read_section(document, "models", lambda n, p, k: _read_model(k, n, p), mistakes)
    raise_mistakes(mistakes)
    whole = {name: _with_defaults(service, project.directory) for name, service in services.items()}
    active = {
        name: s for name, s in whole.items() if not s.profiles or profiles & {*s.profiles, "*"} or "*" in profiles
    }
    built = replace(
        project,
        services=active,
        disabled={name: s for name, s in whole.items() if name not in active},
        networks=_with_default(networks, whole.values(), project.name),
        volumes=volumes,
        secrets=secrets,
        configs=configs,
        models=models,
        document=document,
    )
    if consistent:
        check_project(built)
    return built


def _check_top_level(document: MappingNode, mistakes: list[BadComposeFile]) -> None:
    known = [key for key, _ in document if key in TOP_LEVEL or key.startswith("x-")]
    mistakes += [unknown_key(document, key, "", TOP_LEVEL) for key, _ in document if key not in known]


def _read_section(
    document: MappingNode, section: str, read: Callable[[Node, str, str], _T], mistakes: list[BadComposeFile]
) -> dict[str, _T]:
    """What a section names, sorted; mistakes are added to those found so far."""
    node = document.get(section)
    found: dict[str, _T] = {}
    try:
        mapping = read_mapping(node, section) if node is not None else MappingNode({}, {}, document.mark)
    except BadComposeFile as e:
        mistakes.append(e)
        return found
    for key, value in sorted(mapping):
        try:
            if key.startswith("x-") and section != "services":
                continue
            if not _SERVICE_NAME.fullmatch(key):
                raise unknown_key(mapping, key, section, ())
            found[key] = read(value, f"{section}.{key}", key)
        except BadComposeFile as e:
            mistakes.append(e)
    return found


def _read_service(name: str, node: Node, path: str) -> Service:
    if not isinstance(node, MappingNode):
        raise BadComposeFile(node.mark, "must be a mapping", path=path)
    fields = read_fields(node, path, _READERS)
    service = Service(**fields, name=name)
    if service.scale is not None and service.deploy:
        if service.deploy.replicas not in (None, service.scale):
            raise BadComposeFile(node.mark, "can't set distinct values on 'scale' and 'deploy.replicas'", path=path)
        return replace(service, deploy=replace(service.deploy, replicas=service.scale))
    return service


def _with_defaults(service: Service, directory: str) -> Service:
    """The default network, the build's directory, and the dependencies that other attributes imply."""
    if not service.networks and not service.network_mode and service.provider is None:
        service = replace(service, networks={_DEFAULT_NETWORK: NetworkAttachment()})
    spaces = {m.removeprefix("service:") for m in (service.network_mode, service.ipc, service.pid)}
    restarting = {*spaces, *service.linked()}
    needed = dict.fromkeys([*service.shares_with(), *service.linked()])
    implied = {n: Dependency(restart=n in restarting) for n in needed if n not in service.depends_on}
    return replace(
        service,
        build=with_defaults(service.build, directory),
        depends_on=dict(sorted({**service.depends_on, **implied}.items())),
    )


def _with_default(networks: dict[str, Network], services: Iterable[Service], project: str) -> dict[str, Network]:
    if any(_DEFAULT_NETWORK in service.networks for service in services) and _DEFAULT_NETWORK not in networks:
        default = Network(key=_DEFAULT_NETWORK, name=f"{project}_{_DEFAULT_NETWORK}")
        return dict(sorted({**networks, _DEFAULT_NETWORK: default}.items()))
    return networks


def _resource_name(key: str, name: str, external: bool, project: str) -> str:
    return name or (key if external else f"{project}_{key}")


def _read_network(key: str, node: Node, path: str, project: str) -> Network:
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
    return tuple(read_each(node, path, _read_pool))


def _read_pool(node: Node, path: str) -> Pool:
    shape: dict[str, Reader] = dict.fromkeys(("subnet", "gateway", "ip_range"), read_string)
    shape["aux_addresses"] = lambda n, p: tuple(read_options(n, p).items())
    return Pool(**read_fields(node, path, shape))


def _read_volume(key: str, node: Node, path: str, project: str) -> Volume:
    fields = read_fields(
        node,
        path,
        {
            "name": read_string,
            "driver": read_string,
            "driver_opts": read_options,
            "external": _read_external,
            "labels": read_labels,
        },
    )
    external, name = _external_of(fields.pop("external", False), str(fields.get("name") or ""))
    for other in ("driver", "driver_opts", "labels"):
        if external and other in fields:
            raise BadComposeFile(node.mark, f'conflicting parameters "external" and "{other}" specified', path=path)
    fields["name"] = _resource_name(key, name, external, project)
    return Volume(**fields, key=key, external=external)


def _read_file_object(key: str, node: Node, path: str, project: str) -> FileObject:
    is_config = path.startswith("configs.")
    texts = ("name", "file", "environment", "template_driver", "content" if is_config else "driver")
    readers: dict[str, Reader] = {
        **dict.fromkeys(texts, read_string),
        "labels": read_labels,
        "external": _read_external,
    }
    if not is_config:
        readers["driver_opts"] = read_options
    fields = read_fields(node, path, readers)
    external, name = _external_of(fields.pop("external", False), str(fields.get("name") or ""))
    sources = [name for name in ("file", "environment", "content") if name in fields]
    if len(sources) > 1:
        raise BadComposeFile(node.mark, f"{'|'.join(sources)} attributes are mutually exclusive", path=path)
    if not sources and not external and "driver" not in fields:
        raise BadComposeFile(node.mark, "one of file, environment, content or external must be set", path=path)
    fields |= {"key": key, "external": external, "name": _resource_name(key, name, external, project)}
    return FileObject(**fields)


def _read_model(key: str, node: Node, path: str) -> dict[str, Json]:
    shape: dict[str, Reader] = {
        "name": read_string,
        "model": read_string,
        "context_size": read_int,
        "runtime_flags": read_texts,
    }
    return read_shape(node, path, shape, required=("model",))
