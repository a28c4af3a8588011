"""A project in its canonical form, as docker compose has it, and the hashes taken of it.

A service's hash is the SHA-256 of its compact JSON without what does not shape a container (build, pull policy,
scale, dependencies, profiles). It decides what is recreated, so it must come out the same in both programs.
"""

import hashlib
import json
from dataclasses import replace

from hakobu.compose.model.attribute import ATTRIBUTES
from hakobu.compose.model.image_build import secrets_of
from hakobu.compose.model.project import Network, Project, Volume
from hakobu.compose.model.service import Service
from hakobu.compose.node import to_plain
from hakobu.spec.step import Json

_GO_ESCAPES = str.maketrans({plain: f"\\u{ord(plain):04x}" for plain in "<>&\u2028\u2029"})

_NOT_HASHED = frozenset({"build", "pull_policy", "scale", "depends_on", "profiles"})


def service_document(service: Service) -> dict[str, Json]:
    """The service's attributes in canonical order, empty ones left out (command and entrypoint are null)."""
    document: dict[str, Json] = {}
    for attribute in ATTRIBUTES:
        value: object = getattr(service, attribute.name)
        rendered = attribute.render(value)
        is_said = rendered not in ("", [], {}, 0, None) if value is not False else False
        is_given = attribute.hollow and value is not None
        if attribute.always or is_said or is_given or (value is False and attribute.name in ("init", "attach")):
            document[attribute.name] = rendered
    return document


def project_document(project: Project) -> dict[str, Json]:
    """The whole project, without what no active service uses; the order of a JSON rendering."""
    used = used_resources(project)
    document: dict[str, Json] = {}
    configs = {key: o.to_json() for key, o in project.configs.items() if key in used["configs"]}
    networks = {key: n.to_json() for key, n in project.networks.items() if key in used["networks"]}
    secrets = {key: o.to_json() for key, o in project.secrets.items() if key in used["secrets"]}
    volumes = {key: v.to_json() for key, v in project.volumes.items() if key in used["volumes"]}
    if configs:
        document["configs"] = dict[str, Json](configs)
    document["name"] = project.name
    if networks:
        document["networks"] = dict[str, Json](networks)
    if secrets:
        document["secrets"] = dict[str, Json](secrets)
    document["services"] = {name: service_document(service) for name, service in project.services.items()}
    if volumes:
        document["volumes"] = dict[str, Json](volumes)
    extensions = {key: to_plain(value) for key, value in project.document if key.startswith("x-")}
    return {**document, **dict(sorted(extensions.items()))}


def used_resources(project: Project) -> dict[str, set[str]]:
    """The keys of networks, volumes, secrets, configs and models that active services name, or all of them."""
    if project.show_unused:
        return {name: {*getattr(project, name)} for name in ("networks", "volumes", "secrets", "configs", "models")}
    services = project.services.values()
    return {
        "networks": {key for service in services for key in service.networks},
        "volumes": {v.source for service in services for v in service.volumes if v.type == "volume" and v.source},
        "secrets": {
            name for s in services for name in (*(reference.source for reference in s.secrets), *secrets_of(s.build))
        },
        "configs": {reference.source for service in services for reference in service.configs},
        "models": {name for service in services for name in service.models},
    }


def go_json(document: Json, *, indent: int | None = None) -> str:
    """JSON as Go writes it, with some characters escaped that `json` leaves plain; compact without `indent`."""
    separators = (",", ":") if indent is None else None
    return json.dumps(document, indent=indent, separators=separators, ensure_ascii=False).translate(_GO_ESCAPES)


def _digest(document: Json) -> str:
    text = go_json(document)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def service_hash(service: Service) -> str:
    """What the label of a container says of the configuration it was made from."""
    service = replace(service, label_file=service.read_label_files)
    if service.deploy:
        service = replace(service, deploy=replace(service.deploy, replicas=None))
    return _digest({key: value for key, value in service_document(service).items() if key not in _NOT_HASHED})


def network_hash(network: Network) -> str:
    return _digest(network.to_json())


def volume_hash(volume: Volume) -> str:
    return _digest(replace(volume, driver=volume.driver or "local").to_json())
