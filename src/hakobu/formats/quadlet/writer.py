"""A project as quadlet units: one for each container, network, volume and pod, and what they do not say. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from hakobu.compose.model.dependency import COMPLETED, HEALTHY
from hakobu.compose.model.project import Network, Project, Volume
from hakobu.compose.model.resource import FileReference
from hakobu.compose.model.service import Service
from hakobu.compose.mount_body import placed_files
from hakobu.formats.note import Note
from hakobu.formats.pod import Pod, pods_of
from hakobu.formats.quadlet.key import HEALTH, MANY, ONE, PAIRS, POOLS, PULL, SWITCHES
from hakobu.formats.quadlet.unit import UnitText, escape_percent, join_words, quote_word
from hakobu.formats.run import RUN_FLAGS, RUN_SWITCHES, grace_s, values_of, words_of
from hakobu.formats.short import compact_json, short_service
from hakobu.spec.step import Json

_ELSEWHERE = frozenset(
    "image command entrypoint healthcheck restart stop_grace_period depends_on networks network_mode volumes ulimits "
    "logging security_opt configs secrets scale ipc annotations privileged".split()
)
_CONTAINER = "Container"


@dataclass(slots=True)
class Files:
    """Files by their names, and what they do not say."""

    texts: dict[str, str] = field(default_factory=dict[str, str])
    notes: list[Note] = field(default_factory=list[Note])


def write_quadlets(project: Project) -> Files:
    """The units of a project; contents of configs become files beside them."""
    files = Files()
    pods = pods_of(project)
    for pod in pods:
        if pod.is_paused:
            files.texts[f"{pod.name}.pod"] = str(_pod_unit(project, pod))
        for service in (*pod.init, *pod.members):
            files.texts[f"{service.name}.container"] = str(_container_unit(project, pod, service, files))
    used = {name for s in project.services.values() for name in s.networks}
    sources = {v.source for s in project.services.values() for v in s.volumes if v.type == "volume"}
    for key, network in project.networks.items():
        if key in used and not network.external:
            files.texts[f"{key}.network"] = str(_network_unit(network, files))
    for key, volume in project.volumes.items():
        if key in sources and not volume.external:
            files.texts[f"{key}.volume"] = str(_volume_unit(volume, files))
    return files


def _container_unit(project: Project, pod: Pod, service: Service, files: Files) -> UnitText:
    short = short_service(project, service)
    unit = UnitText()
    unit.add("Unit", "Description", escape_percent(service.container_name or service.name))
    for key, value in _relations(project, service, pod):
        unit.add("Unit", key, value)
    for key, value in _container_lines(project, pod, service, short, files):
        unit.add(_CONTAINER, key, escape_percent(value))
    for key, value in _service_lines(project, service, files):
        unit.add("Service", key, value)
    unit.add("Install", "WantedBy", "default.target")
    _note_unsaid(service, short, files)
    return unit


def _container_lines(
    project: Project, pod: Pod, service: Service, short: Mapping[str, Json], files: Files
) -> Iterator[tuple[str, str]]:
    for key, attribute in ONE.items():
        for value in values_of(short.get(attribute)):
            if key != "Pull" or value in PULL:
                yield key, value
    yield from _network_lines(project, pod, service)
    for key, attribute in MANY.items():
        for value in values_of(short.get(attribute)):
            yield key, value
    for key, attribute in PAIRS.items():
        for value in values_of(short.get(attribute)):
            yield key, quote_word(value)
    for key, attribute in SWITCHES.items():
        for value in values_of(short.get(attribute)):
            yield key, value
    for value in values_of(short.get("ulimits")):
        yield "Ulimit", value
    for value in words_of(short.get("volumes")):
        source, colon, rest = value.partition(":")
        named = project.volumes.get(source) if colon else None
        external = named is not None and named.external
        if source in _filled(pod):
            rest = rest.replace(":ro,", ":")  # files are mounted below it
        yield "Volume", value if not named else f"{named.name if external else f'{source}.volume'}:{rest}"
    yield from _file_lines(project, pod, service, files)
    yield from _command_lines(short)
    yield from _health_lines(short)
    if HEALTHY in _conditions(project, service):
        yield "Notify", "healthy"
    yield from _option_lines(short)
    yield from _podman_args(service, short)


def _network_lines(project: Project, pod: Pod, service: Service) -> Iterator[tuple[str, str]]:
    mode = service.network_mode
    if pod.is_paused and mode.startswith("service:"):
        yield "Pod", f"{pod.name}.pod"
        return
    if mode.startswith("service:"):
        yield "Network", f"{mode.removeprefix('service:')}.container"
    elif mode and mode != "bridge":
        yield "Network", mode
    yield from _networks(project, service, service.name)


def _networks(project: Project, service: Service, own: str) -> Iterator[tuple[str, str]]:
    """Each network with what is said of it alone; names that hold on all of them in NetworkAlias."""
    attachments = service.networks
    common = [*next(iter(attachments.values())).aliases] if attachments else []
    same = all([*a.aliases] == common for a in attachments.values())
    for key, attachment in attachments.items():
        network = project.networks[key]
        options = [f"ip={ip}" for ip in (attachment.ipv4_address, attachment.ipv6_address) if ip]
        options += [f"mac={attachment.mac_address}"] if attachment.mac_address else []
        options += [] if same else [f"alias={alias}" for alias in attachment.aliases]
        name = network.name if network.external else f"{key}.network"
        yield "Network", f"{name}:{','.join(options)}" if options else name
    if attachments:
        for alias in dict.fromkeys([own, *(common if same else ())]):
            yield "NetworkAlias", alias


def _filled(pod: Pod) -> dict[str, list[FileReference]]:
    """The files that a pod's anchor puts into volumes, by the volumes' keys and with paths below these."""
    if not pod.is_paused:
        return {}
    return {
        mount.source: [
            replace(r, target=r.target.removeprefix(mount.target))
            for r in pod.anchor.configs
            if r.target.startswith(f"{mount.target}/")
        ]
        for mount in pod.anchor.volumes
    }


def _file_lines(project: Project, pod: Pod, service: Service, files: Files) -> Iterator[tuple[str, str]]:
    """Configs and secrets: files of the host where they lie, contents as files beside the units."""
    filled = _filled(pod)
    inside = [replace(r, target=f"{v.target}{r.target}") for v in service.volumes for r in filled.get(v.source, ())]
    pairs = placed_files(project, service) + [(r, project.configs[r.source]) for r in inside]
    for reference, source in pairs:
        if source.external:
            files.notes.append(Note(f"services.{service.name}.{reference.source}", "belongs to a cluster"))
            continue
        place = source.file
        if not place:
            place = f"./{source.key}"
            files.texts[source.key] = source.content
        yield "Volume", f"{place}:{reference.target}:ro"
        if reference.uid or reference.gid or reference.mode not in (None, 0o444, 0o644):
            path = f"services.{service.name}.{reference.source}"
            files.notes.append(Note(path, "owner and mode are those of the file"))


def _command_lines(short: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    entrypoint, command = words_of(short.get("entrypoint")), words_of(short.get("command"))
    if len(entrypoint) == 1 and not entrypoint[0].startswith("["):
        yield "Entrypoint", entrypoint[0]
    elif entrypoint:
        yield "Entrypoint", compact_json(list[Json](entrypoint))
    if command:
        yield "Exec", join_words(command)


def _health_lines(short: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    check = short.get("healthcheck")
    if not isinstance(check, dict):
        return
    for key, name in HEALTH.items():
        value = check.get(name)
        if name == "test" and (check.get("disable") or value == ["NONE"]):
            yield key, "none"
        elif name == "test" and isinstance(value, list):
            shell = value[:1] == ["CMD-SHELL"]
            yield key, str(value[1]).replace("\n", " ") if shell else compact_json(value)
        elif value is not None:
            yield key, str(value)


def _option_lines(short: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for option in words_of(short.get("security_opt")):
        if option in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"):
            yield "NoNewPrivileges", "true"
        elif option.startswith("seccomp="):
            yield "SeccompProfile", option.removeprefix("seccomp=")
        elif option == "label=disable":
            yield "SecurityLabelDisable", "true"
        else:
            yield "PodmanArgs", f"--security-opt={option}"
    log = short.get("logging")
    if isinstance(log, dict):
        yield from (("LogDriver", str(log["driver"])) for _ in range(1) if log.get("driver"))
        yield from (("LogOpt", value) for value in values_of(log.get("options")))
    if isinstance(grace := short.get("stop_grace_period"), str):
        yield "StopTimeout", str(grace_s(grace))


def _podman_args(service: Service, short: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """What has a flag and no key."""
    known = {*ONE.values(), *MANY.values(), *PAIRS.values(), *SWITCHES.values(), *_ELSEWHERE}
    for attribute, flag in RUN_FLAGS.items():
        if attribute not in known:
            for value in values_of(short.get(attribute)):
                if not value.startswith("service:"):
                    yield "PodmanArgs", quote_word(f"{flag}={value}")
    for attribute, flag in RUN_SWITCHES.items():
        if attribute not in known and short.get(attribute):
            yield "PodmanArgs", flag
    if service.privileged:
        yield "PodmanArgs", "--privileged"
    if service.ipc and not service.ipc.startswith("service:"):
        yield "PodmanArgs", f"--ipc={service.ipc}"


def _relations(project: Project, service: Service, pod: Pod) -> Iterator[tuple[str, str]]:
    """`depends_on`: Requires and After; BindsTo where a restart spreads, Wants where it is not required."""
    implied = {*service.shares_with()} if not pod.is_paused else {pod.anchor.name}
    for name, dependency in service.depends_on.items():
        if name in implied and (pod.is_paused or dependency.restart):
            continue
        key = "BindsTo" if dependency.restart else "Requires" if dependency.required else "Wants"
        yield key, f"{name}.service"
        yield "After", f"{name}.service"


def _service_lines(project: Project, service: Service, files: Files) -> Iterator[tuple[str, str]]:
    here = f"services.{service.name}"
    conditions = _conditions(project, service)
    if COMPLETED in conditions:
        yield "Type", "oneshot"
        yield "RemainAfterExit", "yes"
    policy, _, tries = service.restart.partition(":")
    if policy == "unless-stopped":
        files.notes.append(Note(f"{here}.restart", "unless-stopped becomes always"))
    if tries:
        files.notes.append(Note(f"{here}.restart", f"that it is tried {tries} times has no key"))
    if policy and not (COMPLETED in conditions and policy in ("always", "unless-stopped")):
        yield "Restart", "always" if policy == "unless-stopped" else policy


def _conditions(project: Project, service: Service) -> set[str]:
    """What others wait for of this one."""
    every = [(n, d) for s in project.services.values() for n, d in s.depends_on.items()]
    return {dependency.condition for name, dependency in every if name == service.name}


def _note_unsaid(service: Service, short: Mapping[str, Json], files: Files) -> None:
    known = {*ONE.values(), *MANY.values(), *PAIRS.values(), *SWITCHES.values(), *_ELSEWHERE, *RUN_FLAGS, *RUN_SWITCHES}
    for key, value in short.items():
        if key not in known and value:
            files.notes.append(Note(f"services.{service.name}.{key}", "has no key in a quadlet unit"))
    if service.pull_policy and service.pull_policy not in PULL:
        text = f"{service.pull_policy} has no word in a quadlet unit"
        files.notes.append(Note(f"services.{service.name}.pull_policy", text))
    if service.replicas != 1:
        files.notes.append(Note(f"services.{service.name}.scale", "a unit is one container"))
    if service.command == ():
        files.notes.append(Note(f"services.{service.name}.command", "an empty one has no key in a quadlet unit"))
    check = service.healthcheck
    if check and check.start_interval:
        files.notes.append(Note(f"services.{service.name}.healthcheck.start_interval", "has no key in a quadlet unit"))
    for key, attachment in service.networks.items():
        for name in ("link_local_ips", "driver_opts", "interface_name", "priority", "gw_priority"):
            if getattr(attachment, name):
                path = f"services.{service.name}.networks.{key}.{name}"
                files.notes.append(Note(path, "has no key in a quadlet unit"))
    if service.deploy:
        for name in ("update_config", "rollback_config", "placement", "restart_policy", "endpoint_mode"):
            if getattr(service.deploy, name):
                files.notes.append(Note(f"services.{service.name}.deploy.{name}", "has no key in a quadlet unit"))


def _pod_unit(project: Project, pod: Pod) -> UnitText:
    short = short_service(project, pod.anchor)
    unit = UnitText()
    unit.add("Unit", "Description", escape_percent(f"Pod {pod.name}"))
    lines: list[tuple[str, str]] = [*_networks(project, pod.anchor, pod.name)]
    if pod.anchor.network_mode == "host":
        lines.append(("Network", "host"))
    plain = {"ports": "PublishPort", "extra_hosts": "AddHost", "dns": "DNS", "dns_opt": "DNSOption"}
    plain |= {"dns_search": "DNSSearch", "hostname": "HostName", "shm_size": "ShmSize"}
    lines += [(key, value) for attribute, key in plain.items() for value in values_of(short.get(attribute))]
    lines += [("Label", quote_word(value)) for value in values_of(short.get("labels"))]
    if isinstance(grace := short.get("stop_grace_period"), str):
        lines.append(("StopTimeout", str(grace_s(grace))))
    lines += [("PodmanArgs", f"--sysctl={value}") for value in values_of(short.get("sysctls"))]
    for key, value in lines:
        unit.add("Pod", key, escape_percent(value))
    unit.add("Install", "WantedBy", "default.target")
    return unit


def _network_unit(network: Network, files: Files) -> UnitText:
    unit = UnitText()
    unit.add("Network", "NetworkName", escape_percent(network.name))
    plain: tuple[tuple[str, str], ...] = (
        ("Driver", network.driver),
        ("Internal", "true" if network.internal else ""),
        ("IPv6", "true" if network.enable_ipv6 else ""),
        ("IPAMDriver", network.ipam_driver),
    )
    lines = [(key, value) for key, value in plain if value]
    for pool in network.pools:
        lines += [(key, str(getattr(pool, name))) for key, name in POOLS.items() if getattr(pool, name)]
        if pool.aux_addresses:
            files.notes.append(Note(f"networks.{network.key}.ipam.aux_addresses", "has no key in a quadlet unit"))
    lines += [("Label", quote_word(f"{k}={v}")) for k, v in network.labels.items()]
    lines += [("Options", quote_word(f"{k}={v}")) for k, v in network.driver_opts.items()]
    for key, value in lines:
        unit.add("Network", key, escape_percent(value))
    for name, is_said in (("attachable", network.attachable), ("enable_ipv4", network.enable_ipv4 is False)):
        if is_said:
            files.notes.append(Note(f"networks.{network.key}.{name}", "has no key in a quadlet unit"))
    return unit


def _volume_unit(volume: Volume, files: Files) -> UnitText:
    unit = UnitText()
    unit.add("Volume", "VolumeName", escape_percent(volume.name))
    lines: list[tuple[str, str]] = [("Driver", volume.driver)] if volume.driver else []
    names = {"type": "Type", "device": "Device", "o": "Options"}
    lines += [(names[k], v) for k, v in volume.driver_opts.items() if k in names]
    lines += [("Label", quote_word(f"{k}={v}")) for k, v in volume.labels.items()]
    for key, value in lines:
        unit.add("Volume", key, escape_percent(value))
    for key in volume.driver_opts:
        if key not in names:
            files.notes.append(Note(f"volumes.{volume.key}.driver_opts.{key}", "has no key in a quadlet unit"))
    return unit
