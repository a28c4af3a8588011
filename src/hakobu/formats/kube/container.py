"""A container of a pod as a service's document, without what the pod's anchor has: network, ports, host name. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.reading import (
    Reader,
    read_bool,
    read_choice,
    read_each,
    read_int,
    read_list,
    read_mapping,
    read_string,
)
from hakobu.compose.node import Node, Sequence
from hakobu.formats.document import joined
from hakobu.formats.kube.environment import Surroundings, expand, read_env, read_env_from
from hakobu.formats.kube.field import Notes, all_refused, fields, only, refused
from hakobu.formats.kube.probe import read_probe, with_startup
from hakobu.formats.kube.quantity import read_bytes, read_cpus
from hakobu.formats.kube.security import read_container_security, security_document
from hakobu.formats.kube.volume import VolumeMount, read_volume_mount
from hakobu.formats.note import refuse
from hakobu.spec.step import Json


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """`host` 0: not published."""

    port: int
    host: int = 0
    ip: str = ""
    protocol: str = "tcp"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """`document` is the service; `sidecar`: an init container that runs on, `gated` until its startup probe passes."""

    name: str
    node: Node
    path: str
    document: dict[str, Json]
    ports: tuple[ContainerPort, ...] = ()
    mounts: tuple[VolumeMount, ...] = ()
    sidecar: bool = False
    gated: bool = False
    init: bool = False


@dataclass(frozen=True, slots=True)
class PodContext:
    """What a container's reading needs of its pod."""

    around: Surroundings
    notes: Notes
    security: dict[str, Any] = field(default_factory=dict[str, Any])


_PULL = {"Always": "always", "Never": "never", "IfNotPresent": "missing"}


def read_containers(node: Node, path: str, context: PodContext, *, init: bool = False) -> list[Container]:
    return read_each(node, path, lambda n, p: read_container(n, p, context, init=init))


def read_container(node: Node, path: str, context: PodContext, *, init: bool = False) -> Container:
    notes, around = context.notes, context.around
    entries = read_mapping(node, path).entries
    ports = tuple(_ports(entries["ports"], f"{path}.ports")) if "ports" in entries else ()
    named = {p.name: p.port for p in ports if p.name}
    probe = read_probe(notes, named)
    environment = read_env_from(entries["envFrom"], f"{path}.envFrom", around) if "envFrom" in entries else {}
    environment = read_env(entries["env"], f"{path}.env", around, environment) if "env" in entries else environment
    readers: dict[str, Reader] = {
        "name": read_string,
        "image": read_string,
        "imagePullPolicy": lambda n, p: _PULL[read_choice(n, p, tuple(_PULL))],
        "command": read_list,
        "args": read_list,
        "workingDir": read_string,
        **dict.fromkeys(("ports", "env", "envFrom"), lambda n, p: None),  # read above
        "resources": lambda n, p: _resources(n, p, notes),
        "volumeMounts": lambda n, p: read_each(n, p, read_volume_mount),
        **dict.fromkeys(("livenessProbe", "readinessProbe", "startupProbe"), probe),
        "lifecycle": _lifecycle,
        "securityContext": read_container_security,
        "stdin": read_bool,
        "tty": read_bool,
        "restartPolicy": only("of containers, only init ones have it", "Always")
        if init
        else refused("the pod's holds"),
        **notes.all_told("the log has all there is", "terminationMessagePath", "terminationMessagePolicy"),
        **notes.all_told("standard input stays open", "stdinOnce"),
        **notes.all_told("limits are changed by `hakobu update`", "resizePolicy"),
        **all_refused("a block device is a hostPath of type BlockDevice", "volumeDevices"),
        **all_refused("the pod's restartPolicy holds", "restartPolicyRules"),
    }
    said = fields(node, path, readers, "name", "image")
    document = _document(said, environment)
    security = security_document(
        context.security, said.get("securityContext", {}), node, f"{path}.securityContext", notes
    )
    document |= security
    sidecar = init and "restartPolicy" in entries
    if init and not sidecar and any(key in said for key in ("livenessProbe", "readinessProbe", "startupProbe")):
        raise refuse(node, path, "an init container that ends has no probes")
    if check := _health(said, node, path, notes):
        document["healthcheck"] = check
    mounts = tuple(said.get("volumeMounts", ()))
    gated = "startupProbe" in said
    return Container(said["name"], node, path, document, ports, mounts, sidecar, gated, init)


def _document(said: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Json]:
    document: dict[str, Json] = {"image": said["image"]}
    for key, name in (("command", "entrypoint"), ("args", "command")):
        if said.get(key):
            document[name] = [expand(word, environment) for word in said[key]]
    plain = {"imagePullPolicy": "pull_policy", "workingDir": "working_dir", "stdin": "stdin_open", "tty": "tty"}
    document |= {name: said[key] for key, name in plain.items() if said.get(key)}
    if environment:
        document["environment"] = dict[str, Json](environment)
    return document | said.get("resources", {}) | said.get("lifecycle", {})


def _ports(node: Node, path: str) -> list[ContainerPort]:
    def read(node: Node, path: str) -> ContainerPort:
        readers: dict[str, Reader] = {
            "containerPort": read_int,
            "hostPort": read_int,
            "hostIP": read_string,
            "name": read_string,
            "protocol": lambda n, p: read_choice(n, p, ("TCP", "UDP", "SCTP")).lower(),
        }
        said = fields(node, path, readers, "containerPort")
        for key in ("containerPort", "hostPort"):
            if key in said and not 0 < said[key] < 65536:
                raise BadComposeFile(node.mark, f"is not a port: {said[key]}", path=f"{path}.{key}")
        return ContainerPort(
            said["containerPort"],
            said.get("hostPort", 0),
            said.get("hostIP", ""),
            said.get("protocol", "tcp"),
            said.get("name", ""),
        )

    return read_each(node, path, read)


def _resources(node: Node, path: str, notes: Notes) -> dict[str, Json]:
    readers: dict[str, Reader] = {
        "cpu": read_cpus,
        "memory": read_bytes,
        "ephemeral-storage": notes.told("what a container writes is not measured"),
    }
    readers |= dict.fromkeys(_extended(node), refused("processors and memory are what is limited"))
    amounts: Reader = lambda n, p: fields(n, p, readers)  # noqa: E731
    said = fields(node, path, {"limits": amounts, "requests": amounts, "claims": refused("there are no claims")})
    limits, requests = said.get("limits", {}), said.get("requests", {})
    document: dict[str, Json] = {
        "cpus": limits.get("cpu"),
        "mem_limit": limits.get("memory"),
        "mem_reservation": requests.get("memory"),
        "cpu_shares": max(2, round(requests["cpu"] * 1024)) if requests.get("cpu") else None,
    }
    return {key: value for key, value in document.items() if value}


def _extended(node: Node) -> list[str]:
    """Names like `nvidia.com/gpu` and `hugepages-2Mi`, which no table can list."""
    groups = [group for _, group in read_mapping(node, "") if not isinstance(group, Sequence)]
    names = {key for group in groups for key, _ in read_mapping(group, "")}
    return [name for name in names if "/" in name or name.startswith("hugepages-")]


def _lifecycle(node: Node, path: str) -> dict[str, Json]:
    command: Reader = lambda n, p: fields(n, p, {"command": read_list}, "command")["command"]  # noqa: E731
    handler: dict[str, Reader] = {"exec": command, **all_refused("hooks are commands", "httpGet", "tcpSocket", "sleep")}
    hooks: Reader = lambda n, p: fields(n, p, handler).get("exec")  # noqa: E731
    said = fields(node, path, {"postStart": hooks, "preStop": hooks, "stopSignal": read_string})
    names = (("postStart", "post_start"), ("preStop", "pre_stop"))
    found: dict[str, Json] = {name: [{"command": list[Json](said[key])}] for key, name in names if said.get(key)}
    return joined(found, {"stop_signal": said["stopSignal"]} if said.get("stopSignal") else {})


def _health(said: dict[str, Any], node: Node, path: str, notes: Notes) -> dict[str, Json] | None:
    """One check of up to three probes: readiness before liveness; a startup probe gives it time."""
    liveness, readiness, startup = (said.get(f"{name}Probe") for name in ("liveness", "readiness", "startup"))
    chosen = readiness or liveness or startup
    if liveness:
        notes.told("a container that fails it is shown as unhealthy and is not started again")(
            node, f"{path}.livenessProbe"
        )
    if liveness and readiness and liveness["test"] != readiness["test"]:
        notes.told("a container has one health check; readinessProbe is it")(node, f"{path}.livenessProbe")
    if startup and startup is not chosen and chosen:
        return with_startup(chosen, startup)
    return chosen
