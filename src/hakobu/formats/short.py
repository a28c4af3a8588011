"""A project's service in the short words of a command line: ports, mounts and networks each as one text. Pure.

It is what a container's portrait is, too, so the forms made of words (run, quadlet) are written from one shape.
"""

import json
from collections.abc import Mapping

from hakobu.compose.canonical import service_document
from hakobu.compose.model.port import Port
from hakobu.compose.model.project import Project
from hakobu.compose.model.service import Service
from hakobu.compose.model.volume import ServiceVolume
from hakobu.spec.step import Json

_ALIKE = (
    "annotations cap_add cap_drop cgroup_parent cpu_period cpu_quota cpu_shares cpus cpuset dns dns_opt dns_search "
    "domainname environment expose group_add hostname init ipc labels network_mode oom_kill_disable oom_score_adj pid "
    "pids_limit platform privileged pull_policy read_only runtime security_opt shm_size stdin_open stop_grace_period "
    "stop_signal storage_opt sysctls tmpfs tty user userns_mode uts volumes_from working_dir command entrypoint "
    "healthcheck logging ulimits mac_address mem_limit mem_reservation memswap_limit mem_swappiness cgroup "
    "device_cgroup_rules restart image container_name"
).split()
_SIZES = ("mem_limit", "mem_reservation", "memswap_limit", "shm_size")


def short_service(project: Project, service: Service) -> dict[str, Json]:
    """The service's document in short words; what has none is left in its long form, under its name."""
    long = service_document(service)
    short: dict[str, Json] = {key: long[key] for key in _ALIKE if long.get(key) not in (None, {}, [])}
    short["image"] = project.image_of(service)
    for key in _SIZES:
        if key in short:
            short[key] = int(str(short[key]))
    short |= _limits(service, short)
    plain = [v for v in service.volumes if v.type in ("bind", "volume") and not v.subpath and not v.labels]
    mounts: list[Json] = [_mount(project, v) for v in service.volumes if v not in plain]
    lists: dict[str, list[Json]] = {
        "ports": [port_text(port) for port in service.ports],
        "volumes": [bind_text(project, v) for v in plain],
        "mounts": mounts,
        "networks": [*service.networks],
        "extra_hosts": [f"{host}:{ip}" for host, ip in service.extra_hosts],
        "devices": [":".join(w for w in (d.source, d.target, d.permissions) if w) for d in service.devices],
    }
    short |= {key: list[Json](value) for key, value in lists.items() if value}
    for key, value in long.items():
        if key not in short and key not in (*_ALIKE, "deploy") and value not in (None, {}, []):
            short[key] = value
    return short


def _limits(service: Service, short: Mapping[str, Json]) -> dict[str, Json]:
    """What `deploy` says of limits, in the older attributes' words."""
    found: dict[str, Json] = {}
    if deploy := service.deploy:
        if limits := deploy.limits:
            found |= {"cpus": limits.cpus, "mem_limit": limits.memory, "pids_limit": limits.pids}
        if reserved := deploy.reservations:
            found["mem_reservation"] = reserved.memory
    return {key: value for key, value in found.items() if value and key not in short}


def port_text(port: Port) -> str:
    """`127.0.0.1:8080:80/udp`."""
    ip = f"[{port.host_ip}]" if ":" in port.host_ip else port.host_ip
    head = f"{ip}:{port.published}:" if ip else f"{port.published}:" if port.published else ""
    return f"{head}{port.target}" + ("" if port.protocol == "tcp" else f"/{port.protocol}")


def bind_text(project: Project, volume: ServiceVolume) -> str:
    """`data:/d:ro`; the source of a volume is its key in the project."""
    if not volume.source:
        return volume.target
    options = ["ro" if volume.read_only else "", volume.selinux, volume.propagation, "nocopy" if volume.no_copy else ""]
    said = ",".join(option for option in options if option)
    return f"{volume.source}:{volume.target}" + (f":{said}" if said else "")


def _mount(project: Project, volume: ServiceVolume) -> str:
    """In the words of `--mount`."""
    words = [f"type={volume.type}", f"source={volume.source}" if volume.source else "", f"target={volume.target}"]
    words += ["readonly"] if volume.read_only and volume.type != "image" else []
    words += [f"{volume.type}-subpath={volume.subpath}"] if volume.subpath else []
    words += ["volume-nocopy"] if volume.no_copy else []
    words += [f"tmpfs-size={volume.tmpfs_size}"] if volume.tmpfs_size else []
    words += [f"tmpfs-mode={volume.tmpfs_mode:o}"] if volume.tmpfs_mode else []
    words += [f"volume-label={key}={value}" for key, value in volume.labels]
    return ",".join(word for word in words if word)


def compact_json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
