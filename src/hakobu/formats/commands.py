"""A project as docker commands: networks, volumes, then each container after those it needs. Pure."""

import shlex
from collections.abc import Iterator, Mapping

from hakobu.compose.canonical import used_resources
from hakobu.compose.command_line import network_argv, volume_argv
from hakobu.compose.label import PREFIX
from hakobu.compose.model.dependency import COMPLETED, HEALTHY
from hakobu.compose.model.project import Project
from hakobu.compose.model.service import Service
from hakobu.compose.resource_body import network_body, volume_body
from hakobu.formats.note import Note
from hakobu.formats.run import run_argv, run_unsaid
from hakobu.formats.short import short_service
from hakobu.spec.step import Json

_SAID = frozenset(["depends_on", "network_options", "scale"])


def write_commands(project: Project) -> tuple[str, list[Note]]:
    """A shell script, and what it does not say."""
    used = used_resources(project)
    lines = [shlex.join(_network(project, key)) for key in sorted(used["networks"]) if _is_own(project.networks[key])]
    lines += [shlex.join(_volume(project, key)) for key in sorted(used["volumes"]) if _is_own(project.volumes[key])]
    notes: list[Note] = []
    for name in project.with_dependencies(()):
        service = project.services[name]
        lines += _waits(project, service)
        short = _worded(project, service)
        lines.append(shlex.join(run_argv(short)))
        notes += _unsaid(service, short)
    return "".join(f"{line}\n" for line in lines), notes


def _is_own(resource: object) -> bool:
    return not getattr(resource, "external", False)


def _unlabelled(body: dict[str, Json]) -> dict[str, Json]:
    """Without the labels in which compose keeps its state."""
    labels = body["Labels"]
    assert isinstance(labels, dict)
    return {**body, "Labels": {k: v for k, v in labels.items() if not k.startswith(PREFIX)}}


def _network(project: Project, key: str) -> list[str]:
    return network_argv(_unlabelled(network_body(project, project.networks[key])))


def _volume(project: Project, key: str) -> list[str]:
    return volume_argv(_unlabelled(volume_body(project, project.volumes[key])))


def name_of(project: Project, service: Service) -> str:
    return service.container_name or f"{project.name}-{service.name}"


def _worded(project: Project, service: Service) -> Mapping[str, Json]:
    """The service in short words, with the engine's names for what the project calls otherwise."""
    short = short_service(project, service)
    short["container_name"] = name_of(project, service)
    for key in ("network_mode", "ipc", "pid"):
        mode = str(short.get(key) or "")
        if mode.startswith("service:"):
            short[key] = f"container:{name_of(project, project.services[mode.removeprefix('service:')])}"
    if service.networks:
        short["networks"] = [_network_words(project, service, key) for key in service.networks]
    for key in ("volumes", "mounts"):
        if isinstance(texts := short.get(key), list):
            short[key] = [_renamed(project, str(text), key) for text in texts]
    sources = [text.partition(":") for text in service.volumes_from]
    if sources:
        short["volumes_from"] = [
            rest if kind == "container" else name_of(project, project.services[kind]) + (f":{rest}" if rest else "")
            for kind, _, rest in sources
        ]
    return short


def _network_words(project: Project, service: Service, key: str) -> str:
    """`name=…,alias=…,ip=…`, as `--network` takes them."""
    attachment = service.networks[key]
    words = [f"alias={alias}" for alias in dict.fromkeys((service.name, *attachment.aliases))]
    words += [f"ip={attachment.ipv4_address}"] if attachment.ipv4_address else []
    words += [f"ip6={attachment.ipv6_address}"] if attachment.ipv6_address else []
    words += [f"mac-address={attachment.mac_address}"] if attachment.mac_address else []
    words += [f"link-local-ip={ip}" for ip in attachment.link_local_ips]
    words += [f"driver-opt={k}={v}" for k, v in attachment.driver_opts]
    words += [f"gw-priority={attachment.gw_priority}"] if attachment.gw_priority else []
    return ",".join([f"name={project.networks[key].name}", *words])


def _renamed(project: Project, text: str, key: str) -> str:
    if key == "mounts":
        words = [w.partition("=") for w in text.split(",")]
        kind = {k: v for k, _, v in words}.get("type")
        known = project.volumes
        return ",".join(
            f"source={known[v].name}" if k == "source" and kind == "volume" and v in known else f"{k}{e}{v}"
            for k, e, v in words
        )
    source, colon, rest = text.partition(":")
    return f"{project.volumes[source].name}:{rest}" if colon and source in project.volumes else text


def _waits(project: Project, service: Service) -> Iterator[str]:
    for name, dependency in service.depends_on.items():
        if name in project.services:
            container = shlex.quote(name_of(project, project.services[name]))
            if dependency.condition == HEALTHY:
                yield f"hakobu wait --condition healthy {container}"
            elif dependency.condition == COMPLETED:
                yield f"docker wait {container}"


def _unsaid(service: Service, short: Mapping[str, Json]) -> Iterator[Note]:
    here = f"services.{service.name}"
    for key in run_unsaid(short):
        if key not in _SAID:
            yield Note(f"{here}.{key}", "docker run has no flag for it")
    if service.replicas != 1:
        yield Note(f"{here}.scale", "a command makes one container")
    if deploy := service.deploy:
        for name in ("update_config", "rollback_config", "placement", "restart_policy", "endpoint_mode"):
            if getattr(deploy, name):
                yield Note(f"{here}.deploy.{name}", "docker run has no flag for it")
