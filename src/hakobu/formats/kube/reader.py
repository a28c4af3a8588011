"""A Kubernetes file as documents of services: each pod on its own, and all of them together as one. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hakobu.compose.failure import BadComposeFile, raise_mistakes
from hakobu.compose.model.reading import Reader, read_bool, read_each, read_int, read_list, read_mapping, read_string
from hakobu.compose.node import Node, Scalar
from hakobu.formats.document import joined
from hakobu.formats.kube.container import Container, ContainerPort, PodContext, read_containers
from hakobu.formats.kube.environment import Surroundings
from hakobu.formats.kube.field import CLUSTER, Notes, all_refused, fields, only
from hakobu.formats.kube.object import KubeService, Meta, Objects, Workload, read_objects
from hakobu.formats.kube.security import read_pod_security
from hakobu.formats.kube.volume import FILES, KIND_LABEL, PodVolume, mount_document, own_volume, volume_reader
from hakobu.formats.note import Note, refuse
from hakobu.formats.pod import ANCHOR_SUFFIX, PAUSE_IMAGE, full_name
from hakobu.spec.step import Json

NETWORK = "default"


@dataclass(frozen=True, slots=True)
class PodDocument:
    """A pod as sections of a Compose file; `claims` are the volumes that are not the pod's own."""

    name: str
    services: dict[str, Json]
    volumes: dict[str, Json] = field(default_factory=dict[str, Json])
    configs: dict[str, Json] = field(default_factory=dict[str, Json])
    claims: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KubeFile:
    """`claims` are the file's PersistentVolumeClaims with their labels."""

    pods: tuple[PodDocument, ...]
    claims: Mapping[str, Mapping[str, str]]
    notes: tuple[Note, ...]


def read_kube(text: str, file: str, others: Iterable[tuple[str, str]] = ()) -> KubeFile:
    """Everything in the file; `BadComposeFile` names all that is wrong or not supported.

    `others` are texts and names of files whose ConfigMaps and Secrets count too.
    """
    notes = Notes()
    objects = read_objects(text, file, notes)
    for other, name in others:
        objects.files = {**read_objects(other, name, notes).files, **objects.files}
    pods: list[PodDocument] = []
    mistakes: list[BadComposeFile] = []
    for workload in objects.workloads:
        try:
            pods += _pods(workload, objects, notes)
        except BadComposeFile as e:
            mistakes.append(e)
    mistakes += _twice(objects, pods)
    raise_mistakes(mistakes)
    for service in objects.services:
        if not any(service.selects(workload.template.labels) for workload in objects.workloads):
            notes.found.append(Note(f"Service {service.name}", "selects no pod of this file", service.mark))
    claims = {name: meta.labels for name, meta in objects.claims.items()}
    return KubeFile(tuple(pods), claims, tuple(dict.fromkeys(notes.found)))


def _twice(objects: Objects, pods: list[PodDocument]) -> list[BadComposeFile]:
    """Pods of one name: their containers could not be told apart."""
    names = [pod.name for pod in pods]
    again = [w for w in objects.workloads if names.count(w.meta.name) > 1]
    return [BadComposeFile(w.spec.mark, f"there are several pods called {w.meta.name}") for w in again[1:]]


def whole_document(pods: Iterable[PodDocument]) -> dict[str, Json]:
    """All pods as one Compose file."""
    document: dict[str, Json] = {}
    for section in ("services", "volumes", "configs"):
        merged: dict[str, Json] = {}
        for pod in pods:
            merged |= getattr(pod, section)
        if merged or section == "services":
            document[section] = merged
    return document


def _pods(workload: Workload, objects: Objects, notes: Notes) -> list[PodDocument]:
    """One pod a replica; those of several are numbered."""
    name, count = workload.meta.name, workload.replicas
    names = [name] if count == 1 else [f"{name}-{n}" for n in range(1, count + 1)]
    if not names:
        notes.found.append(Note(f"{workload.kind} {name}", "it wants no pod", workload.spec.mark))
    return [_read_pod(workload, pod, objects, notes) for pod in names]


def _read_pod(workload: Workload, name: str, objects: Objects, notes: Notes) -> PodDocument:
    meta = replace(workload.template, name=name)
    entries = read_mapping(workload.spec, workload.path).entries
    security: dict[str, Any] = {}
    if "securityContext" in entries:
        security = read_pod_security(entries["securityContext"], f"{workload.path}.securityContext", notes)
    context = PodContext(Surroundings(meta, objects.files), notes, security)
    said = fields(workload.spec, workload.path, _spec_readers(name, objects, context), "containers")
    said["securityContext"] = security
    said["restartPolicy"] = said.get("restartPolicy", workload.restart)
    return _Pod(workload, meta, said, objects.services, notes).document()


def _host_alias(node: Node, path: str) -> list[str]:
    said = fields(node, path, {"ip": read_string, "hostnames": read_list}, "ip", "hostnames")
    return [f"{host}={said['ip']}" for host in said["hostnames"]]


def _dns_option(node: Node, path: str) -> str:
    said = fields(node, path, {"name": read_string, "value": read_string}, "name")
    return f"{said['name']}:{said['value']}" if said.get("value") else said["name"]


def _dns(node: Node, path: str) -> dict[str, Json]:
    options: Reader = lambda n, p: read_each(n, p, _dns_option)  # noqa: E731
    said = fields(node, path, {"nameservers": read_list, "searches": read_list, "options": options})
    names = {"nameservers": "dns", "searches": "dns_search", "options": "dns_opt"}
    return {names[key]: list[Json](value) for key, value in said.items() if value}


def _spec_readers(name: str, objects: Objects, context: PodContext) -> dict[str, Reader]:
    notes = context.notes
    return {
        "containers": lambda n, p: read_containers(n, p, context),
        "initContainers": lambda n, p: read_containers(n, p, context, init=True),
        "volumes": lambda n, p: read_each(n, p, volume_reader(name, objects.files, notes)),
        "restartPolicy": lambda n, p: _policy(n, p),
        "terminationGracePeriodSeconds": read_int,
        "hostNetwork": read_bool,
        "hostPID": read_bool,
        "hostIPC": read_bool,
        "hostname": read_string,
        "hostAliases": lambda n, p: [h for some in read_each(n, p, _host_alias) for h in some],
        "dnsConfig": _dns,
        "dnsPolicy": only(
            "names are the engine's to resolve", "ClusterFirst", "Default", "ClusterFirstWithHostNet", "None"
        ),
        "shareProcessNamespace": read_bool,
        "securityContext": lambda n, p: None,  # read before the containers
        "os": lambda n, p: fields(n, p, {"name": only("containers are Linux's", "linux")}),
        "enableServiceLinks": only("services are names, not variables", False),
        "hostUsers": only("userns-remap is the engine's to set", True),
        "runtimeClassName": notes.told("the engine's own runtime is used"),
        **notes.all_told(
            CLUSTER,
            *("nodeSelector", "nodeName", "affinity", "tolerations", "topologySpreadConstraints", "schedulerName"),
            *("priority", "priorityClassName", "preemptionPolicy", "overhead"),
        ),
        **notes.all_told("there is no API server to speak to", "serviceAccount", "serviceAccountName"),
        **notes.all_told("logins are those of `hakobu login`", "imagePullSecrets"),
        "automountServiceAccountToken": only("there is no API server to speak to", False),
        **all_refused("the pod's name and its services' are its names", "subdomain", "setHostnameAsFQDN"),
        **all_refused("nothing ends a pod by its age", "activeDeadlineSeconds"),
        **all_refused(CLUSTER, "readinessGates", "schedulingGates", "resourceClaims", "ephemeralContainers"),
        **all_refused("limits are a container's", "resources"),
    }


def _policy(node: Node, path: str) -> str:
    text = read_string(node, path)
    if text not in ("Always", "OnFailure", "Never"):
        raise BadComposeFile(node.mark, f"must be Always, OnFailure or Never; it is {text!r}", path=path)
    return text


@dataclass(frozen=True, slots=True)
class _Pod:
    """A pod about to be written; `said` is its specification as read."""

    workload: Workload
    meta: Meta
    said: dict[str, Any]
    kube_services: list[KubeService]
    notes: Notes

    @property
    def name(self) -> str:
        return self.meta.name

    @property
    def containers(self) -> list[Container]:
        return [*self.said.get("initContainers", ()), *self.said["containers"]]

    @property
    def is_single(self) -> bool:
        return len(self.containers) == 1

    @property
    def anchor(self) -> str:
        return full_name(self.name, self.containers[0].name) if self.is_single else f"{self.name}{ANCHOR_SUFFIX}"

    def document(self) -> PodDocument:
        volumes = {v.name: v for v in self.said.get("volumes", ())}
        services: dict[str, Json] = {}
        for container in self.containers:
            key = full_name(self.name, container.name)
            if key in services or (not self.is_single and key == self.anchor):
                raise BadComposeFile(container.node.mark, f"is there twice: {container.name!r}", path=container.path)
            services[key] = self._service(container, volumes)
        if self.is_single:
            only_one = services[self.anchor]
            assert isinstance(only_one, dict)
            services = {self.anchor: {**only_one, **self._anchor_part()}}
        else:
            services = {self.anchor: self._pause(volumes), **services}
        used = {m.name for c in self.containers for m in c.mounts}
        files = [f for name in used for f in volumes[name].files or ()]
        return PodDocument(
            self.name,
            services,
            {k: v for name, volume in volumes.items() if name in used for k, v in self._definition(volume).items()},
            {f.config: _config(f.source.data[f.key], f.source.secret) for f in sorted(files, key=lambda f: f.config)},
            tuple(v.claim for v in volumes.values() if v.claim),
        )

    def _definition(self, volume: PodVolume) -> dict[str, Json]:
        key = f"{self.name}-{volume.name}"
        if volume.files is not None:
            return {key: {"name": key, "labels": {KIND_LABEL: "files"}}} if self._is_mounted_whole(volume.name) else {}
        return {str(volume.mount["source"]): volume.definition} if volume.definition else {}

    def _is_mounted_whole(self, name: str) -> bool:
        return any(m.name == name and not m.subpath for c in self.containers for m in c.mounts)

    def _common(self) -> dict[str, Json]:
        """What every container of the pod has."""
        labels = {k: v for k, v in self.meta.labels.items() if not (k == "app" and v == self.workload.meta.name)}
        grace = self.said.get("terminationGracePeriodSeconds")
        document: dict[str, Json] = {
            "labels": dict[str, Json](labels),
            "annotations": dict[str, Json](dict(self.meta.annotations)),
            "stop_grace_period": f"{30 if grace is None else grace}s",
        }
        if self.said.get("hostPID"):
            document["pid"] = "host"
        if self.said.get("hostIPC"):
            document["ipc"] = "host"
        return {key: value for key, value in document.items() if value}

    def _anchor_part(self) -> dict[str, Json]:
        """What the container has that holds the pod's network."""
        document: dict[str, Json] = {}
        if self.said.get("hostNetwork"):
            document["network_mode"] = "host"
        else:
            document["hostname"] = self.said.get("hostname") or self.name
            document["networks"] = {NETWORK: {"aliases": list[Json](self._aliases())}}
            ports, exposed = self._ports()
            document |= {k: v for k, v in (("ports", ports), ("expose", exposed)) if v}
        if hosts := self.said.get("hostAliases"):
            document["extra_hosts"] = [*hosts]
        if sysctls := self.said["securityContext"].get("sysctls"):
            document["sysctls"] = dict(sysctls)
        return document | self.said.get("dnsConfig", {})

    def _aliases(self) -> list[str]:
        matching = [s.name for s in self.kube_services if s.selects(self.meta.labels)]
        return [*dict.fromkeys([self.name, self.workload.meta.name, *matching])]

    def _ports(self) -> tuple[list[Json], list[Json]]:
        """Published ports in the long form, and the others."""
        found = [p for c in self.containers for p in c.ports]
        found += [p for s in self.kube_services if s.selects(self.meta.labels) for p in self._service_ports(s, found)]
        published = [p for p in dict.fromkeys(found) if p.host]
        if published and self.workload.replicas > 1:
            node, path = self.containers[0].node, self.containers[0].path
            raise refuse(node, f"{path}.ports", f"{self.workload.replicas} replicas cannot share a port of the host")
        ports: list[Json] = []
        for port in published:
            document: dict[str, Json] = {"target": port.port, "published": str(port.host), "protocol": port.protocol}
            ports.append(document | ({"host_ip": port.ip} if port.ip else {}))
        taken = {(p.port, p.protocol) for p in published}
        others = dict.fromkeys((p.port, p.protocol) for p in found if (p.port, p.protocol) not in taken)
        return ports, [f"{port}/{protocol}" for port, protocol in others]

    def _service_ports(self, service: KubeService, known: list[ContainerPort]) -> Iterator[ContainerPort]:
        """What a Service publishes; a port that is another in the pod is told, as its name leads to the pod itself."""
        named = {port.name: port.port for port in known if port.name}
        for port in service.ports:
            target = int(port.target) if port.target.isdigit() else named.get(port.target)
            if target is None:
                raise BadComposeFile(port.mark, f"names no port of pod {self.name}: {port.target!r}")
            if target != port.port:
                text = f"the name leads to the pod, where port {port.port} is {target}"
                self.notes.found.append(Note(f"Service {service.name}", text, port.mark))
            if port.node:
                yield ContainerPort(target, port.node, protocol=port.protocol)

    def _pause(self, volumes: Mapping[str, PodVolume]) -> dict[str, Json]:
        """The container that holds the namespaces and fills the volumes of files."""
        document: dict[str, Json] = {"image": PAUSE_IMAGE, "ipc": "shareable", "stop_signal": "SIGKILL"}
        document |= {**self._common(), **self._anchor_part(), "pull_policy": "never"}
        document["restart"] = "always" if self.said["restartPolicy"] == "Always" else "no"
        filled = [v for v in volumes.values() if v.files is not None and self._is_mounted_whole(v.name)]
        if filled:
            document["volumes"] = [
                {**own_volume(f"{self.name}-{v.name}"), "target": f"{FILES}/{v.name}"} for v in filled
            ]
            document["configs"] = [
                _reference(f.config, f"{FILES}/{v.name}/{f.path}", f.mode) for v in filled for f in v.files or ()
            ]
        return document

    def _service(self, container: Container, volumes: Mapping[str, PodVolume]) -> dict[str, Json]:
        document: dict[str, Json] = {**container.document, **self._common()}
        document["restart"] = self._restart(container)
        if not self.is_single:
            document["network_mode"] = f"service:{self.anchor}"
            document.setdefault("ipc", f"service:{self.anchor}")
            if self.said.get("shareProcessNamespace"):
                document["pid"] = f"service:{self.anchor}"
            document["depends_on"] = self._dependencies(container)
        mounts: list[Json] = []
        configs: list[Json] = []
        beside: list[Json] = []
        devices: list[Json] = []
        for i, mount in enumerate(container.mounts):
            path = f"{container.path}.volumeMounts.{i}"
            volume = volumes.get(mount.name)
            if volume is None:
                raise BadComposeFile(mount.node.mark, f"names no volume of the pod: {mount.name!r}", path=path)
            if volume.files is None:
                if volume.device:
                    devices.append({"source": volume.device, "target": mount.target, "permissions": "rwm"})
                else:
                    mounts.append(mount_document(volume, mount, path))
            elif mount.subpath:
                chosen = [f for f in volume.files if f.path == mount.subpath]
                if not chosen:
                    raise refuse(mount.node, f"{path}.subPath", f"the volume has no file {mount.subpath!r}")
                beside += [_reference(f.config, mount.target, f.mode) for f in chosen]
            else:
                source = own_volume(f"{self.name}-{volume.name}")
                mounts.append({**source, "target": mount.target, **({} if self.is_single else {"read_only": True})})
                if self.is_single:
                    configs += [_reference(f.config, f"{mount.target}/{f.path}", f.mode) for f in volume.files]
        lists = (("volumes", mounts), ("configs", configs + beside), ("devices", devices))
        return joined(document, {key: value for key, value in lists if value})

    def _restart(self, container: Container) -> str:
        if container.init and not container.sidecar:
            return "no"
        policy = "Always" if container.sidecar else self.said["restartPolicy"]
        tries = f":{self.workload.tries}" if self.workload.tries else ""
        return {"Always": "always", "OnFailure": f"on-failure{tries}", "Never": "no"}[policy]

    def _dependencies(self, container: Container) -> dict[str, Json]:
        """An init container waits for those before it, the others for all of them."""
        before: list[Container] = []
        for other in self.said.get("initContainers", ()):
            if other is container:
                break
            before.append(other)
        found: dict[str, Json] = {self.anchor: {"condition": "service_started", "restart": True}}
        for other in before:
            ends = "service_healthy" if other.gated else "service_started"
            condition = ends if other.sidecar else "service_completed_successfully"
            found[full_name(self.name, other.name)] = {"condition": condition}
        return found


def _config(content: str, secret: bool) -> dict[str, Json]:
    return {"content": content, **({"labels": {KIND_LABEL: "Secret"}} if secret else {})}


def _reference(config: str, target: str, mode: int) -> dict[str, Json]:
    return {"source": config, "target": target, "mode": f"{mode:o}"}


def is_kube(node: Node) -> bool:
    """Whether a document is an object of Kubernetes'."""
    return not isinstance(node, Scalar) and {"apiVersion", "kind"} <= {*getattr(node, "entries", ())}
