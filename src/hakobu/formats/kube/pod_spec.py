"""The specification of a pod, as Kubernetes writes it, from the pod's services. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from hakobu.compose.model.dependency import HEALTHY
from hakobu.compose.model.port import Port
from hakobu.compose.model.project import Project
from hakobu.compose.model.resource import FileReference
from hakobu.compose.model.service import Service
from hakobu.compose.model.volume import ServiceVolume
from hakobu.compose.mount_body import placed_files
from hakobu.formats.document import joined
from hakobu.formats.kube.probe import unsaid, write_probe
from hakobu.formats.kube.quantity import write_bytes, write_cpus
from hakobu.formats.kube.volume import FILES, KIND_LABEL
from hakobu.formats.note import Note
from hakobu.formats.pod import Pod, is_sidecar, short_name
from hakobu.spec.step import Json

_S = 10**9
_PULL = {"always": "Always", "never": "Never", "missing": "IfNotPresent"}


@dataclass(slots=True)
class _Volumes:
    """A pod's volumes by their names, as they turn up."""

    project: Project
    pod: str
    found: dict[str, dict[str, Json]] = field(default_factory=dict[str, dict[str, Json]])
    notes: list[Note] = field(default_factory=list[Note])

    def add(self, wanted: str, source: dict[str, Json]) -> str:
        """The name of the volume with this source."""
        name = re.sub(r"[^a-z0-9-]+", "-", wanted.lower()).strip("-")[:50] or "volume"
        number = 1
        unique = name
        while unique in self.found and self.found[unique] != source:
            number += 1
            unique = f"{name}-{number}"
        self.found[unique] = source
        return unique

    def documents(self) -> list[Json]:
        return [{"name": name, **source} for name, source in self.found.items()]


def pod_spec(project: Project, pod: Pod) -> tuple[dict[str, Json], list[Note]]:
    """`spec` of the pod without its restart policy, and what it does not say."""
    volumes = _Volumes(project, pod.name)
    filled = _filled(project, pod, volumes)
    notes: list[Note] = []
    spec: dict[str, Json] = {}
    if pod.init:
        spec["initContainers"] = [_container(project, pod, s, volumes, filled, notes) for s in pod.init]
    spec["containers"] = [_container(project, pod, s, volumes, filled, notes) for s in pod.members]
    if volumes.found:
        spec["volumes"] = volumes.documents()
    return spec | _pod_fields(project, pod, notes), [*notes, *volumes.notes]


def _filled(project: Project, pod: Pod, volumes: _Volumes) -> dict[str, str]:
    """Volumes that the anchor fills with files: the names of the pod's volumes by the keys of the project's."""
    found: dict[str, str] = {}
    for mount in pod.anchor.volumes:
        if pod.is_paused and mount.target.startswith(f"{FILES}/"):
            inside = [r for r in pod.anchor.configs if r.target.startswith(f"{mount.target}/")]
            name = mount.target.removeprefix(f"{FILES}/")
            found[mount.source] = volumes.add(name, _source_of(project, inside, mount.target))
    return found


def _source_of(project: Project, references: list[FileReference], root: str) -> dict[str, Json]:
    """What makes a volume of these files: one ConfigMap or Secret, or several projected together."""
    from hakobu.formats.kube.writer import file_set_of

    groups: dict[tuple[str, bool], list[Json]] = {}
    modes = {r.mode for r in references}
    for reference in references:
        name, key = file_set_of(reference.source)
        secret = reference.source in project.secrets or _is_secret(project, reference.source)
        item: dict[str, Json] = {"key": key, "path": reference.target.removeprefix(f"{root}/")}
        if len(modes) > 1 and reference.mode is not None:
            item["mode"] = reference.mode
        groups.setdefault((name, secret), []).append(item)
    mode = next(iter(modes)) if len(modes) == 1 else None
    default: dict[str, Json] = {"defaultMode": mode} if mode not in (None, 0o644) else {}
    if len(groups) == 1:
        (name, secret), items = next(iter(groups.items()))
        kind, key = ("secret", "secretName") if secret else ("configMap", "name")
        return {kind: {key: name, "items": items, **default}}
    sources: list[Json] = [{"secret" if s else "configMap": {"name": n, "items": i}} for (n, s), i in groups.items()]
    return {"projected": {"sources": sources, **default}}


def _is_secret(project: Project, key: str) -> bool:
    return key in project.configs and project.configs[key].labels.get(KIND_LABEL) == "Secret"


def _container(
    project: Project, pod: Pod, service: Service, volumes: _Volumes, filled: dict[str, str], notes: list[Note]
) -> Json:
    document: dict[str, Json] = {"name": _name(pod, service), "image": project.image_of(service)}
    if service.pull_policy in _PULL:
        document["imagePullPolicy"] = _PULL[service.pull_policy]
    for value, key in ((service.entrypoint, "command"), (service.command, "args")):
        if value:
            document[key] = [word.replace("$(", "$$(") for word in value]
    if service.working_dir:
        document["workingDir"] = service.working_dir
    if service.environment:
        pairs = [(k, project.environment.get(k) if v is None else v) for k, v in service.environment.items()]
        document["env"] = [{"name": k, "value": (v or "").replace("$(", "$$(")} for k, v in pairs if v is not None]
    if service in pod.init and is_sidecar(service):
        document["restartPolicy"] = "Always"
    is_first = service is pod.members[0]
    ports = [*_ports(pod.anchor, notes)] if is_first else []
    mounts = _mounts(project, service, volumes, filled)
    parts: list[tuple[str, Json]] = [
        ("ports", ports),
        ("volumeMounts", mounts),
        ("resources", _resources(service)),
        ("securityContext", _security(service)),
        ("lifecycle", _lifecycle(service)),
        ("stdin", service.stdin_open),
        ("tty", service.tty),
    ]
    document |= {key: value for key, value in parts if value}
    return document | _probe(service, notes, _is_gate(pod, service))


def _name(pod: Pod, service: Service) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", short_name(pod.name, service.name).lower()).strip("-") or "container"


def _is_gate(pod: Pod, service: Service) -> bool:
    """Whether others of the pod wait until the container is healthy."""
    return any(n == service.name and d.condition == HEALTHY for s in pod.services for n, d in s.depends_on.items())


def _probe(service: Service, notes: list[Note], is_gate: bool) -> dict[str, Json]:
    check = service.healthcheck
    if check is None:
        return {}
    here = f"services.{service.name}.healthcheck"
    if check.disable or check.test[:1] == ("NONE",):
        notes.append(Note(f"{here}.disable", "no probe is as good, unless the image has a check"))
        return {}
    if not check.test:
        notes.append(Note(here, "its test is the image's, which a probe cannot name"))
        return {}
    notes += [Note(f"{here}.{name}", "a probe counts in whole seconds, from its start on") for name in unsaid(check)]
    return {"startupProbe" if is_gate and service.network_mode else "readinessProbe": write_probe(check)}


def _ports(anchor: Service, notes: list[Note]) -> Iterator[Json]:
    for port in anchor.ports:
        document: dict[str, Json] = {"containerPort": port.target}
        if port.published.isdigit():
            document["hostPort"] = int(port.published)
            document |= {"hostIP": port.host_ip} if port.host_ip else {}
        else:
            notes.append(Note(f"services.{anchor.name}.ports", f"{_shown(port)}: a pod's host port is one number"))
        yield document | ({"protocol": port.protocol.upper()} if port.protocol != "tcp" else {})
    published = {(p.target, p.protocol) for p in anchor.ports}
    for text in anchor.expose:
        port_text, _, protocol = text.partition("/")
        if port_text.isdigit() and (int(port_text), protocol or "tcp") not in published:
            yield {"containerPort": int(port_text), **({"protocol": protocol.upper()} if protocol == "udp" else {})}


def _shown(port: Port) -> str:
    return f"{port.published or 'any'}:{port.target}"


def _mounts(project: Project, service: Service, volumes: _Volumes, filled: dict[str, str]) -> list[Json]:
    found: list[Json] = []
    taken: set[FileReference] = set()
    for mount in service.volumes:
        if mount.type not in ("bind", "volume", "tmpfs", "image"):
            volumes.notes.append(Note(f"services.{service.name}.volumes", f"a mount of type {mount.type} has no word"))
            continue
        inside = [r for r in service.configs if r.target.startswith(f"{mount.target}/")]
        if mount.source in filled:
            name = filled[mount.source]
        elif mount.type == "volume" and inside and _label(project, mount) == "files":
            name = volumes.add(_own_name(project, volumes.pod, mount), _source_of(project, inside, mount.target))
            taken.update(inside)
        else:
            name = _plain(project, service, mount, volumes)
        document: dict[str, Json] = {"name": name, "mountPath": mount.target}
        if mount.read_only and mount.source not in filled and mount.type != "image":
            document["readOnly"] = True
        if mount.subpath:
            document["subPath"] = mount.subpath
        propagation = {"rslave": "HostToContainer", "rshared": "Bidirectional"}.get(mount.propagation)
        found.append(document | ({"mountPropagation": propagation} if propagation else {}))
    for text in service.tmpfs:
        path, _, options = text.partition(":")
        size = re.search(r"(?:^|,)size=([0-9]+[kmg]?)", options)
        name = volumes.add(f"tmp{path}", _memory(size[1].upper().replace("K", "k") if size else ""))
        found.append({"name": name, "mountPath": path})
        if rest := [o for o in options.split(",") if o and not o.startswith("size=")]:
            volumes.notes.append(Note(f"services.{service.name}.tmpfs", f"{path}: {','.join(rest)} has no word"))
    return found + _single_files(project, service, volumes, taken)


def _single_files(project: Project, service: Service, volumes: _Volumes, taken: set[FileReference]) -> list[Json]:
    """Files that are put beside the image's own."""
    found: list[Json] = []
    for reference, source in placed_files(project, service):
        if reference in taken:
            continue
        if source.external:
            text = "the object must be in the cluster"
            volumes.notes.append(Note(f"services.{service.name}.{reference.source}", text))
        root, _, last = reference.target.rpartition("/")
        name = volumes.add(reference.source, _source_of(project, [reference], root))
        found.append({"name": name, "mountPath": reference.target, "subPath": last})
        if reference.uid or reference.gid:
            volumes.notes.append(Note(f"services.{service.name}.{reference.source}", "a file's owner has no word"))
    return found


def _label(project: Project, mount: ServiceVolume) -> str:
    volume = project.volumes.get(mount.source)
    return volume.labels.get(KIND_LABEL, "") if volume else ""


def _own_name(project: Project, pod: str, mount: ServiceVolume) -> str:
    return project.volumes[mount.source].key.removeprefix(f"{pod}-")


def _plain(project: Project, service: Service, mount: ServiceVolume, volumes: _Volumes) -> str:
    """A mount that is no file set's."""
    if mount.type == "bind":
        kind: dict[str, Json] = {"type": "DirectoryOrCreate"} if mount.create_host_path else {}
        return volumes.add(mount.source, {"hostPath": {"path": mount.source, **kind}})
    if mount.type == "image":
        return volumes.add(f"image-{mount.source}", {"image": {"reference": mount.source}})
    if mount.type == "tmpfs":
        return volumes.add(f"tmp{mount.target}", _memory(write_bytes(mount.tmpfs_size) if mount.tmpfs_size else ""))
    if not mount.source:
        text = f"{mount.target}: what the image has there is not copied into an emptyDir"
        volumes.notes.append(Note(f"services.{service.name}.volumes", text))
        return volumes.add(mount.target, {"emptyDir": {}})
    volume = project.volumes[mount.source]
    if KIND_LABEL in volume.labels:
        size = volume.driver_opts.get("o", "").removeprefix("size=")
        memory = volume.driver_opts.get("type") == "tmpfs"
        source: dict[str, Json] = {"emptyDir": {}}
        if memory:
            source = _memory(write_bytes(int(size)) if size.isdigit() else "")
        return volumes.add(_own_name(project, volumes.pod, mount), source)
    if mount.no_copy:
        text = f"{mount.target}: a claim is filled with the image's files here, where it is empty"
        volumes.notes.append(Note(f"services.{service.name}.volumes", text))
    claim = re.sub(r"[^a-z0-9.-]+", "-", volume.name.lower()).strip("-.")
    return volumes.add(mount.source, {"persistentVolumeClaim": {"claimName": claim}})


def _memory(size: str) -> dict[str, Json]:
    return {"emptyDir": {"medium": "Memory", **({"sizeLimit": size} if size else {})}}


def _resources(service: Service) -> Json:
    deploy = service.deploy
    limit, reserved = (deploy.limits, deploy.reservations) if deploy else (None, None)
    cpus = service.cpus or (limit.cpus if limit else 0)
    memory = service.mem_limit or (limit.memory if limit else 0)
    kept = service.mem_reservation or (reserved.memory if reserved else 0)
    shares = service.cpu_shares / 1024 if service.cpu_shares else (reserved.cpus if reserved else 0)
    limits: dict[str, Json] = {}
    limits |= {"cpu": write_cpus(cpus)} if cpus else {}
    limits |= {"memory": write_bytes(memory)} if memory else {}
    requests: dict[str, Json] = {}
    requests |= {"cpu": write_cpus(shares)} if shares else {}
    requests |= {"memory": write_bytes(kept)} if kept else {}
    return {key: value for key, value in (("limits", limits), ("requests", requests)) if value}


def _security(service: Service) -> Json:
    document: dict[str, Json] = {}
    user, _, group = service.user.partition(":")
    if user.isdigit():
        document["runAsUser"] = int(user)
        document |= {"runAsGroup": int(group)} if group.isdigit() else {}
    if service.privileged:
        document["privileged"] = True
    if service.read_only:
        document["readOnlyRootFilesystem"] = True
    lists = (("add", service.cap_add), ("drop", service.cap_drop))
    capabilities: dict[str, Json] = {k: [c.removeprefix("CAP_") for c in caps] for k, caps in lists if caps}
    document |= {"capabilities": capabilities} if capabilities else {}
    labels: dict[str, Json] = {}
    for option in service.security_opt:
        if option in ("no-new-privileges:true", "no-new-privileges", "no-new-privileges=true"):
            document["allowPrivilegeEscalation"] = False
        elif option == "seccomp=unconfined":
            document["seccompProfile"] = {"type": "Unconfined"}
        elif option.startswith("apparmor="):
            name = option.removeprefix("apparmor=")
            local: Json = {"type": "Localhost", "localhostProfile": name}
            document["appArmorProfile"] = {"type": "Unconfined"} if name == "unconfined" else local
        elif option.startswith("label=") and ":" in option:
            key, _, value = option.removeprefix("label=").partition(":")
            labels[key] = value
    return joined(document, {"seLinuxOptions": labels} if labels else {})


def _lifecycle(service: Service) -> Json:
    hooks = (("postStart", service.post_start), ("preStop", service.pre_stop))
    document: dict[str, Json] = {key: {"exec": {"command": [*some[0].command]}} for key, some in hooks if some}
    return joined(document, {"stopSignal": service.stop_signal} if service.stop_signal else {})


def _pod_fields(project: Project, pod: Pod, notes: list[Note]) -> dict[str, Json]:
    """What a pod says once for all its containers."""
    anchor = pod.anchor
    spec: dict[str, Json] = {}
    hosts: dict[str, list[Json]] = {}
    for host, ip in anchor.extra_hosts:
        if ip == "host-gateway":
            notes.append(Note(f"services.{anchor.name}.extra_hosts", f"{host}: host-gateway is no address"))
        else:
            hosts.setdefault(ip, []).append(host)
    if hosts:
        spec["hostAliases"] = [{"ip": ip, "hostnames": names} for ip, names in hosts.items()]
    options: list[Json] = []
    for name, _, value in (option.partition(":") for option in anchor.dns_opt):
        options.append(joined({"name": name}, {"value": value} if value else {}))
    dns: list[tuple[str, Json]] = [
        ("nameservers", [*anchor.dns]),
        ("searches", [*anchor.dns_search]),
        ("options", options),
    ]
    if config := joined({key: value for key, value in dns if value}):
        spec["dnsConfig"] = config
    if anchor.network_mode == "host":
        spec["hostNetwork"] = True
    elif anchor.network_mode and anchor.network_mode != "bridge":
        notes.append(Note(f"services.{anchor.name}.network_mode", f"{anchor.network_mode} has no word in Kubernetes"))
    if anchor.hostname and anchor.hostname != pod.name:
        spec["hostname"] = anchor.hostname
    spec |= _namespaces(pod)
    if any(s.stop_signal for s in pod.members):
        spec["os"] = {"name": "linux"}  # where signals have these names
    graces = {s.stop_grace_period for s in pod.members}
    longest = max((g for g in graces if g is not None), default=None)
    if longest is not None:
        spec["terminationGracePeriodSeconds"] = -(-longest // _S)
    elif anchor.image:
        spec["terminationGracePeriodSeconds"] = 10
    if security := _pod_security(pod):
        spec["securityContext"] = security
    for service in pod.services:
        if service.user and not service.user.replace(":", "").isdigit():
            notes.append(Note(f"services.{service.name}.user", f"{service.user}: Kubernetes takes numbers only"))
        for device in service.devices:
            notes.append(Note(f"services.{service.name}.devices", f"{device.source}: devices are a cluster's plugins'"))
    return spec


def _namespaces(pod: Pod) -> dict[str, Json]:
    spec: dict[str, Json] = {}
    if all(s.pid == "host" for s in pod.members):
        spec["hostPID"] = True
    if all(s.ipc == "host" for s in pod.members):
        spec["hostIPC"] = True
    if any(s.pid.startswith("service:") for s in pod.members):
        spec["shareProcessNamespace"] = True
    return spec


def _pod_security(pod: Pod) -> dict[str, Json]:
    """Sysctls, and groups that all have."""
    groups = [g for g in pod.members[0].group_add if g.isdigit() and all(g in s.group_add for s in pod.members)]
    document: dict[str, Json] = {"supplementalGroups": [int(g) for g in groups]} if groups else {}
    pairs: list[Json] = [{"name": name, "value": value} for name, value in pod.anchor.sysctls.items()]
    return joined(document, {"sysctls": pairs} if pairs else {})
