"""A project as a Kubernetes file, and what of it the file does not say. Pure.

A pod becomes a Deployment where its containers are started again for ever, a Job where somebody waits for its end, and
a Pod otherwise. Names of services are Services without an address of their own, so that they hold in a cluster too.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from hakobu.compose.config import block
from hakobu.compose.model.dependency import COMPLETED
from hakobu.compose.model.project import Project
from hakobu.compose.model.service import Service
from hakobu.formats.document import joined
from hakobu.formats.kube.pod_spec import pod_spec
from hakobu.formats.kube.volume import KIND_LABEL
from hakobu.formats.note import Note
from hakobu.formats.pod import Pod, pods_of
from hakobu.spec.step import Json

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_CLAIM_SIZE = "1Gi"


@dataclass(slots=True)
class _Output:
    """Objects in the order in which they are written, and what was left out."""

    objects: list[dict[str, Json]] = field(default_factory=list[dict[str, Json]])
    notes: list[Note] = field(default_factory=list[Note])


def write_kube(project: Project, *, kind: str = "") -> tuple[str, list[Note]]:
    """The file's text; `kind` (Pod, Deployment, Job) overrides what restart policies suggest."""
    output = _Output()
    _claims(project, output)
    _file_sets(project, output)
    for pod in pods_of(project):
        _workload(project, pod, kind, output)
        _names(project, pod, output)
    output.notes += _unsaid(project)
    return "---\n".join("".join(block(o, 0)) for o in output.objects), output.notes


def kube_name(text: str) -> str:
    """A name that Kubernetes takes: lower case, digits and hyphens."""
    return re.sub(r"[^a-z0-9.-]+", "-", text.lower()).strip("-.") or "x"


def _object(kind: str, version: str, name: str, **more: Json) -> dict[str, Json]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **more}


def _claims(project: Project, output: _Output) -> None:
    used = {v.source for s in project.services.values() for v in s.volumes if v.type == "volume" and v.source}
    for key, volume in sorted(project.volumes.items()):
        if key not in used or KIND_LABEL in volume.labels:
            continue
        requests: Json = {"requests": {"storage": _CLAIM_SIZE}}
        spec: dict[str, Json] = {"accessModes": ["ReadWriteOnce"], "resources": requests}
        claim = _object("PersistentVolumeClaim", "v1", kube_name(volume.name), spec=spec)
        output.objects.append(claim)
        for name in ("driver", "driver_opts", "labels"):
            if getattr(volume, name) and getattr(volume, name) != "local":
                output.notes.append(Note(f"volumes.{key}.{name}", "a claim has no word for it"))


def _file_sets(project: Project, output: _Output) -> None:
    """Configs and secrets that services use, gathered into ConfigMaps and Secrets by their names' first part."""
    found: dict[tuple[str, bool], dict[str, Json]] = {}
    references = [(r.source, False) for s in project.services.values() for r in s.configs]
    references += [(r.source, True) for s in project.services.values() for r in s.secrets]
    for key, secret in dict.fromkeys(references):
        source = project.secrets[key] if secret else project.configs[key]
        if source.external:
            continue
        hidden = secret or source.labels.get(KIND_LABEL) == "Secret"
        name, data_key = file_set_of(key)
        found.setdefault((name, hidden), {})[data_key] = source.content
    for (name, hidden), data in found.items():
        if hidden:
            encoded: dict[str, Json] = {k: base64.b64encode(str(v).encode()).decode() for k, v in data.items()}
            output.objects.append(_object("Secret", "v1", name, type="Opaque", data=encoded))
        else:
            output.objects.append(_object("ConfigMap", "v1", name, data=data))


def file_set_of(config: str) -> tuple[str, str]:
    """The object and the key that a config of a project stands for: `web-conf_site.conf`, or a name that is both."""
    name, separator, key = config.partition("_")
    if separator and key and _NAME.fullmatch(name):
        return name, key
    return kube_name(config), config


def _workload(project: Project, pod: Pod, kind: str, output: _Output) -> None:
    name = kube_name(pod.name)
    if name != pod.name:
        output.notes.append(Note(f"services.{pod.anchor.name}", f"is called {name}, as Kubernetes' names are"))
    spec, notes = pod_spec(project, pod)
    output.notes += notes
    policies = {s.restart.partition(":")[0] for s in pod.members}
    forever = bool(policies & {"always", "unless-stopped"})
    awaited = any(
        d.condition == COMPLETED and s not in pod.services
        for s in project.services.values()
        for n, d in s.depends_on.items()
        if n in {m.name for m in pod.members}
    )
    chosen = kind or ("Deployment" if forever else "Job" if awaited else "Pod")
    restarts = [s for s in pod.members if s.restart.partition(":")[0] == "on-failure"]
    spec["restartPolicy"] = "Always" if chosen == "Deployment" or forever else "OnFailure" if restarts else "Never"
    output.notes += _restart_notes(pod, forever, len(policies))
    meta = _meta(pod, output)
    if chosen == "Pod":
        output.objects.append(
            joined(_object("Pod", "v1", name), {"metadata": joined({"name": name}, meta), "spec": spec})
        )
        return
    template: Json = {"metadata": meta, "spec": spec}
    if chosen == "Job":
        job: dict[str, Json] = {"template": template}
        tries = [int(s.restart.partition(":")[2] or 0) for s in restarts]
        job |= {"backoffLimit": max(tries)} if any(tries) else {}
        output.objects.append(_object("Job", "batch/v1", name, spec=job))
        return
    scale: dict[str, Json] = {"replicas": pod.anchor.replicas} if pod.anchor.replicas != 1 else {}
    selector: Json = {"matchLabels": {"app": name}}
    whole: dict[str, Json] = {**scale, "selector": selector, "template": template}
    output.objects.append(_object("Deployment", "apps/v1", name, spec=whole))


def _restart_notes(pod: Pod, forever: bool, kinds: int) -> Iterator[Note]:
    for service in pod.members:
        name, _, tries = service.restart.partition(":")
        if name == "unless-stopped":
            yield Note(f"services.{service.name}.restart", "unless-stopped becomes Always")
        if tries and forever:
            yield Note(f"services.{service.name}.restart", f"{service.restart} becomes Always, as its pod's")
        elif kinds > 1 and name in ("", "no") and forever:
            yield Note(f"services.{service.name}.restart", "becomes Always, as its pod's")


def _meta(pod: Pod, output: _Output) -> dict[str, Json]:
    """Labels of the pod's containers; what is no label of Kubernetes' becomes an annotation."""
    said = {k: v for s in pod.members for k, v in s.labels.items()}
    labels = {k: v for k, v in said.items() if _LABEL_KEY.fullmatch(k) and _LABEL_VALUE.fullmatch(v)}
    others = {k: v for k, v in said.items() if k not in labels}
    for key in others:
        output.notes.append(Note(f"services.{pod.members[0].name}.labels.{key}", "is written as an annotation"))
    annotations = {k: v for s in pod.members for k, v in s.annotations.items()} | others
    meta: dict[str, Json] = {"labels": {"app": kube_name(pod.name), **labels}}
    return joined(meta, {"annotations": dict[str, Json](annotations)} if annotations else {})


def _names(project: Project, pod: Pod, output: _Output) -> None:
    """A Service for each name under which others reach the pod."""
    if pod.anchor.network_mode in ("host", "none") or pod.anchor.network_mode.startswith("container:"):
        return
    name = kube_name(pod.name)
    aliases = [alias for attachment in pod.anchor.networks.values() for alias in attachment.aliases]
    ports: list[Json] = []
    for port, protocol in dict.fromkeys(
        [(p.target, p.protocol) for p in pod.anchor.ports] + [_exposed(text) for text in pod.anchor.expose]
    ):
        document: dict[str, Json] = {"name": f"{protocol}-{port}", "port": port}
        ports.append(document | ({"protocol": protocol.upper()} if protocol != "tcp" else {}))
    for alias in dict.fromkeys([name, *map(kube_name, aliases)]):
        spec: dict[str, Json] = {"clusterIP": "None", "selector": {"app": name}}
        output.objects.append(_object("Service", "v1", alias, spec=joined(spec, {"ports": ports} if ports else {})))


def _exposed(text: str) -> tuple[int, str]:
    port, _, protocol = text.partition("/")
    return int(port.partition("-")[0]), protocol or "tcp"


_SAID = frozenset(
    "image command entrypoint environment labels annotations container_name hostname networks network_mode ports "
    "expose volumes tmpfs configs secrets healthcheck restart working_dir user group_add cap_add cap_drop privileged "
    "read_only security_opt cpus mem_limit mem_reservation cpu_shares stdin_open tty extra_hosts dns dns_search "
    "dns_opt sysctls pull_policy stop_signal stop_grace_period post_start pre_stop depends_on ipc pid scale "
    "deploy devices".split()
)


def _unsaid(project: Project) -> Iterator[Note]:
    """Attributes that a pod has no field for, and what of the others is lost."""
    from hakobu.compose.canonical import service_document

    for service in project.services.values():
        here = f"services.{service.name}"
        for attribute, value in service_document(service).items():
            if attribute not in _SAID and value is not None:
                yield Note(f"{here}.{attribute}", "Kubernetes has no word for it in a pod")
        yield from _unsaid_relations(project, service)
    for key, network in project.networks.items():
        if network.driver or network.driver_opts or network.pools or network.internal or network.labels:
            yield Note(f"networks.{key}", "pods are all on one network")


def _unsaid_relations(project: Project, service: Service) -> Iterator[Note]:
    here = f"services.{service.name}"
    pods = {s.name: pod for pod in pods_of(project) for s in pod.services}
    outside = [n for n in service.depends_on if n in pods and pods[n] is not pods[service.name]]
    outside = [n for n in outside if service.name not in {s.name for s in pods[n].services}]
    if outside:
        yield Note(f"{here}.depends_on", f"pods start in no order: {', '.join(sorted(outside))}")
    if len(service.networks) > 1 or (service.networks and "default" not in service.networks):
        yield Note(f"{here}.networks", f"pods are all on one network: {', '.join(sorted(service.networks))}")
    for key, attachment in service.networks.items():
        for name in ("ipv4_address", "ipv6_address", "mac_address", "link_local_ips", "driver_opts", "interface_name"):
            if getattr(attachment, name):
                yield Note(f"{here}.networks.{key}.{name}", "a pod's address is the network's to give")
    if deploy := service.deploy:
        for name in ("update_config", "rollback_config", "placement", "endpoint_mode", "restart_policy"):
            if getattr(deploy, name):
                yield Note(f"{here}.deploy.{name}", "Kubernetes says it otherwise")
    for text in service.security_opt:
        if text.partition("=")[0] not in ("no-new-privileges:true", "seccomp", "apparmor", "label") or (
            text.startswith("seccomp=") and text != "seccomp=unconfined"
        ):
            yield Note(f"{here}.security_opt", f"{text} has no word in Kubernetes")
