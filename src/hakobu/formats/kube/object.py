"""The objects of a Kubernetes file by their kinds: what pods refer to read whole, pods' templates as nodes. Pure."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hakobu.compose.failure import NOWHERE, BadComposeFile, Mark, raise_mistakes
from hakobu.compose.model.reading import (
    Reader,
    read_bool,
    read_each,
    read_int,
    read_mapping,
    read_options,
    read_string,
    read_text,
)
from hakobu.compose.node import MappingNode, Node, Scalar
from hakobu.compose.yaml import parse_all
from hakobu.formats.kube.field import Notes, all_refused, fields, only
from hakobu.formats.kube.quantity import read_bytes
from hakobu.formats.note import UnsupportedField, refuse


@dataclass(frozen=True, slots=True)
class Meta:
    """`metadata`, as far as it means something here."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class FileSet:
    """A ConfigMap or Secret: texts by their keys."""

    name: str
    data: Mapping[str, str]
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Workload:
    """What makes pods: `replicas` of them, from the template's metadata and specification (at `path`)."""

    kind: str
    meta: Meta
    template: Meta
    spec: Node
    path: str
    replicas: int = 1
    restart: str = "Always"
    tries: int = 0


@dataclass(frozen=True, slots=True)
class ServicePort:
    """`target`: the pod's port, by its number or its name; `node`: the host's, 0 for none."""

    port: int
    target: str
    node: int = 0
    protocol: str = "tcp"
    mark: Mark = NOWHERE


@dataclass(frozen=True, slots=True)
class KubeService:
    """A further name for the pods with these labels."""

    name: str
    selector: Mapping[str, str]
    ports: tuple[ServicePort, ...] = ()
    mark: Mark = NOWHERE

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether a pod with these labels is meant; without a selector none is."""
        return bool(self.selector) and all(labels.get(k) == v for k, v in self.selector.items())


@dataclass(slots=True)
class Objects:
    """What a file holds."""

    workloads: list[Workload] = field(default_factory=list[Workload])
    files: dict[tuple[str, bool], FileSet] = field(default_factory=dict[tuple[str, bool], FileSet])
    claims: dict[str, Meta] = field(default_factory=dict[str, Meta])
    services: list[KubeService] = field(default_factory=list[KubeService])


def read_objects(text: str, file: str, notes: Notes) -> Objects:
    """Every document of the file; `BadComposeFile` with all that is wrong, each with its place."""
    found = Objects()
    mistakes: list[BadComposeFile] = []
    documents = [n for n in parse_all(text, file) if not (isinstance(n, Scalar) and n.is_null)]
    if not documents:
        raise BadComposeFile(Mark(file), "holds no object")
    for node in documents:
        try:
            _read_object(read_mapping(node, ""), found, notes)
        except BadComposeFile as e:
            mistakes.append(e)
    raise_mistakes(mistakes)
    return found


def _read_object(node: MappingNode, found: Objects, notes: Notes) -> None:
    for key in ("apiVersion", "kind"):
        if key not in node.entries:
            raise BadComposeFile(node.mark, f"missing property {key!r}", hint="is it a Kubernetes object?")
    kind = read_string(node.entries["kind"], "kind")
    if kind not in _KINDS:
        raise UnsupportedField(node.mark_of("kind"), f"kind {kind}", f"kinds are {', '.join(_KINDS)}")
    _KINDS[kind](node, found, notes)


def _object(node: MappingNode, notes: Notes, readers: dict[str, Reader], *required: str) -> dict[str, Any]:
    meta: Reader = lambda n, p: read_meta(n, p, notes)  # noqa: E731
    return fields(
        node,
        "",
        {"apiVersion": read_string, "kind": read_string, "metadata": meta, "status": _anything, **readers},
        "metadata",
        *required,
    )


def _anything(node: Node, path: str) -> None:
    """What the cluster writes itself, and nobody asks for."""


def read_meta(node: Node, path: str, notes: Notes, *, named: bool = True) -> Meta:
    readers: dict[str, Reader] = {
        "name": read_string,
        "labels": read_options,
        "annotations": read_options,
        "namespace": lambda n, p: None if read_string(n, p) == "default" else notes.told("there are none")(n, p),
        **dict.fromkeys(("creationTimestamp", "uid", "resourceVersion", "generation", "managedFields"), _anything),
        **notes.all_told("nothing looks at them", "finalizers", "ownerReferences"),
        **all_refused("a pod needs a name of its own", "generateName"),
    }
    said = fields(node, path, readers, *(["name"] if named else []))
    return Meta(said.get("name", ""), said.get("labels", {}), said.get("annotations", {}))


def _pod(node: MappingNode, found: Objects, notes: Notes) -> None:
    meta: Meta = _object(node, notes, {"spec": read_mapping}, "spec")["metadata"]
    spec = node.entries["spec"]
    found.workloads.append(Workload("Pod", meta, meta, spec, "spec"))


def _template(node: Node, path: str, notes: Notes) -> tuple[Meta, Node]:
    readers: dict[str, Reader] = {
        "metadata": lambda n, p: read_meta(n, p, notes, named=False),
        "spec": lambda n, _: n,
    }
    said = fields(node, path, readers, "spec")
    return said.get("metadata", Meta("")), said["spec"]


_CLUSTER = "a change is played by `kube play --replace`"


def _controller(kind: str, more: dict[str, Reader], notes: Notes) -> Reader:
    readers: dict[str, Reader] = {
        "template": lambda n, p: _template(n, p, notes),
        "selector": _anything,
        **notes.all_told(
            _CLUSTER, "strategy", "updateStrategy", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"
        ),
        **more,
    }
    return lambda node, path: fields(node, path, readers, "template")


def _deployment(node: MappingNode, found: Objects, notes: Notes) -> None:
    more: dict[str, Reader] = {"replicas": read_int, **all_refused("it is not played", "paused")}
    said = _object(node, notes, {"spec": _controller("Deployment", more, notes)}, "spec")
    _add(found, "Deployment", said, replicas=said["spec"].get("replicas", 1))


def _daemon_set(node: MappingNode, found: Objects, notes: Notes) -> None:
    said = _object(node, notes, {"spec": _controller("DaemonSet", {}, notes)}, "spec")
    _add(found, "DaemonSet", said)


def _job(node: MappingNode, found: Objects, notes: Notes) -> None:
    more: dict[str, Reader] = {
        "backoffLimit": read_int,
        "completions": only("a job runs one pod, once", 1),
        "parallelism": only("a job runs one pod, once", 1),
        "completionMode": only("a job runs one pod, once", "NonIndexed"),
        "suspend": only("it is not played", False),
        **all_refused("nothing ends a container by its age", "activeDeadlineSeconds"),
        **all_refused(
            "the pod's restartPolicy and backoffLimit are what there is", "podFailurePolicy", "successPolicy"
        ),
        **notes.all_told("`kube down` removes it", "ttlSecondsAfterFinished"),
        **notes.all_told("it selects nothing here", "manualSelector", "podReplacementPolicy"),
    }
    said = _object(node, notes, {"spec": _controller("Job", more, notes)}, "spec")
    _add(found, "Job", said, restart="Never", tries=said["spec"].get("backoffLimit", 6))


def _add(
    found: Objects, kind: str, said: dict[str, Any], *, replicas: int = 1, restart: str = "Always", tries: int = 0
) -> None:
    template, spec = said["spec"]["template"]
    meta: Meta = said["metadata"]
    found.workloads.append(Workload(kind, meta, template, spec, "spec.template.spec", replicas, restart, tries))


def _file_set(secret: bool) -> Any:
    def read(node: MappingNode, found: Objects, notes: Notes) -> None:
        readers: dict[str, Reader] = {
            "data": _read_encoded if secret else read_options,
            "stringData" if secret else "binaryData": read_options if secret else _read_encoded,
            "type": read_string,
            "immutable": read_bool,
        }
        said = _object(node, notes, readers)
        data = {**said.get("data", {}), **said.get("stringData", {}), **said.get("binaryData", {})}
        name = said["metadata"].name
        found.files[name, secret] = FileSet(name, data, secret)

    return read


def _read_encoded(node: Node, path: str) -> dict[str, str]:
    """Values in base64; they must be texts, as files travel in the project's configuration."""
    return {key: _decoded(value, f"{path}.{key}") for key, value in read_mapping(node, path)}


def _decoded(node: Node, path: str) -> str:
    try:
        return base64.b64decode("".join(read_text(node, path).split()), validate=True).decode()
    except UnicodeDecodeError:
        raise refuse(node, path, "its bytes are no UTF-8 text") from None
    except (binascii.Error, ValueError):
        raise BadComposeFile(node.mark, "is not base64", path=path) from None


def _claim(node: MappingNode, found: Objects, notes: Notes) -> None:
    storage: Reader = lambda n, p: fields(n, p, {"storage": _read_storage})  # noqa: E731
    readers: dict[str, Reader] = {
        "accessModes": _anything,
        "resources": lambda n, p: fields(n, p, {"requests": storage, "limits": storage}),
        "volumeMode": only("a volume is a directory", "Filesystem"),
        **notes.all_told("the claim is a volume of the engine", "storageClassName", "volumeName"),
        **all_refused("the claim is an empty volume", "dataSource", "dataSourceRef", "selector"),
    }
    said = _object(node, notes, {"spec": lambda n, p: fields(n, p, readers)})
    found.claims[said["metadata"].name] = said["metadata"]


def _read_storage(node: Node, path: str) -> int:
    """Checked and not used: a volume of the engine's has no size; no cluster takes a claim without one."""
    return read_bytes(node, path)


def _service(node: MappingNode, found: Objects, notes: Notes) -> None:
    readers: dict[str, Reader] = {
        "selector": read_options,
        "ports": lambda n, p: tuple(read_each(n, p, _service_port)),
        "type": only("services are names of pods", "ClusterIP", "NodePort", "LoadBalancer"),
        **dict.fromkeys(("clusterIP", "clusterIPs"), _anything),
        **notes.all_told("a name leads to the pods themselves", "sessionAffinity", "internalTrafficPolicy"),
        **notes.all_told("a name leads to the pods themselves", "externalTrafficPolicy", "publishNotReadyAddresses"),
        **notes.all_told("the network's own hold", "ipFamilies", "ipFamilyPolicy"),
        **all_refused("services are names of pods", "externalName", "externalIPs", "loadBalancerIP"),
    }
    said = _object(node, notes, {"spec": lambda n, p: fields(n, p, readers)}, "spec")
    spec: dict[str, Any] = said["spec"]
    ports: tuple[ServicePort, ...] = spec.get("ports", ())
    found.services.append(KubeService(said["metadata"].name, spec.get("selector", {}), ports, node.mark))


def _service_port(node: Node, path: str) -> ServicePort:
    readers: dict[str, Reader] = {
        "name": read_string,
        "port": read_int,
        "targetPort": read_text,
        "nodePort": read_int,
        "protocol": read_string,
        "appProtocol": read_string,
    }
    said = fields(node, path, readers, "port")
    protocol = str(said.get("protocol", "tcp")).lower()
    target = str(said.get("targetPort", said["port"]))
    return ServicePort(said["port"], target, said.get("nodePort", 0), protocol, node.mark)


_KINDS = {
    "Pod": _pod,
    "Deployment": _deployment,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "ConfigMap": _file_set(False),
    "Secret": _file_set(True),
    "PersistentVolumeClaim": _claim,
    "Service": _service,
}
KINDS = tuple(_KINDS)
