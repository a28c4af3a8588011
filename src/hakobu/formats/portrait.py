"""A container as a service of a Compose file: what was asked for, without what image and engine filled in.

The forms of `hakobu describe` are made of this one. Pure.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from hakobu.client.codec import list_of, object_of
from hakobu.compose.label import PREFIX
from hakobu.compose.model.reading import format_duration
from hakobu.spec.step import Json

_Document: TypeAlias = "Mapping[str, Any]"
_DEFAULT_SHM = 64 << 20

_CONFIG = {
    "Cmd": "command",
    "Entrypoint": "entrypoint",
    "User": "user",
    "WorkingDir": "working_dir",
    "StopSignal": "stop_signal",
    "Domainname": "domainname",
    "Tty": "tty",
    "OpenStdin": "stdin_open",
}
_HOST = {
    "CapAdd": "cap_add",
    "CapDrop": "cap_drop",
    "CgroupParent": "cgroup_parent",
    "CpuPeriod": "cpu_period",
    "CpuQuota": "cpu_quota",
    "CpuShares": "cpu_shares",
    "CpusetCpus": "cpuset",
    "Dns": "dns",
    "DnsOptions": "dns_opt",
    "DnsSearch": "dns_search",
    "ExtraHosts": "extra_hosts",
    "GroupAdd": "group_add",
    "Init": "init",
    "Memory": "mem_limit",
    "MemoryReservation": "mem_reservation",
    "OomKillDisable": "oom_kill_disable",
    "OomScoreAdj": "oom_score_adj",
    "PidMode": "pid",
    "PidsLimit": "pids_limit",
    "Privileged": "privileged",
    "ReadonlyRootfs": "read_only",
    "SecurityOpt": "security_opt",
    "Sysctls": "sysctls",
    "UTSMode": "uts",
    "UsernsMode": "userns_mode",
    "VolumesFrom": "volumes_from",
}
UNSAID = ("DeviceRequests", "Links", "StorageOpt", "PublishAllPorts", "AutoRemove", "VolumeDriver")
"""What a container may have been made with that this form does not carry."""


def service_of(made: _Document, image: _Document) -> dict[str, Json]:
    """The service; `made` is the container's inspection, `image` the `Config` of its image's."""
    config, host = made["Config"], made["HostConfig"]
    service: dict[str, Json] = {"container_name": str(made["Name"]).lstrip("/"), "image": config["Image"]}
    for key, name in _CONFIG.items():
        if config.get(key) and config[key] != image.get(key):
            service[name] = config[key]
    if config.get("Hostname") and not str(made["Id"]).startswith(config["Hostname"]):
        service["hostname"] = config["Hostname"]
    for name, value in (("environment", _environment(config, image)), ("labels", _labels(config, image))):
        if value:
            service[name] = value
    for key, name in _HOST.items():
        if host.get(key):
            service[name] = host[key]
    for name, read in _PARTS.items():
        if value := read(made):
            service[name] = value
    return service


def lost(made: _Document) -> list[str]:
    """The names of what the container has and the service does not say."""
    return [name for name in UNSAID if object_of(made["HostConfig"]).get(name)]


def _environment(config: _Document, image: _Document) -> dict[str, Json]:
    own = [pair for pair in list_of(config.get("Env")) if pair not in list_of(image.get("Env"))]
    return {name: value for name, _, value in (str(pair).partition("=") for pair in own)}


def _labels(config: _Document, image: _Document) -> dict[str, Json]:
    known = object_of(image.get("Labels"))
    found = object_of(config.get("Labels"))
    return {k: v for k, v in found.items() if known.get(k) != v and not str(k).startswith(PREFIX)}


def _ports(made: _Document) -> Json:
    found: list[Json] = []
    for place, bindings in object_of(made["HostConfig"].get("PortBindings")).items():
        for bound in list_of(bindings):
            ip = str(bound.get("HostIp") or "")
            head = f"[{ip}]:" if ":" in ip else f"{ip}:" if ip else ""
            port = str(bound.get("HostPort") or "")
            found.append(f"{head}{port}:{place}" if head or port else str(place))
    return found


def _volumes(made: _Document) -> Json:
    """Bind strings as they are; of the mounts the engine lists, those that no string accounts for."""
    binds: list[Json] = [str(bind).removesuffix(":rw") for bind in list_of(made["HostConfig"].get("Binds"))]
    told = {str(bind).split(":")[1] for bind in binds if ":" in str(bind)}
    for mount in list_of(made.get("Mounts")):
        target = str(mount["Destination"])
        if target in told or mount["Type"] not in ("bind", "volume"):
            continue
        source = str(mount.get("Name") or mount.get("Source") or "")
        nameless = mount["Type"] == "volume" and len(source) == 64
        binds.append(target if nameless else f"{source}:{target}" + ("" if mount.get("RW", True) else ":ro"))
    return binds


def _networks(made: _Document) -> Json:
    mode = str(made["HostConfig"].get("NetworkMode") or "")
    if mode in ("", "default", "bridge", "host", "none") or mode.startswith("container:"):
        return None
    endpoints = object_of(made["NetworkSettings"].get("Networks"))
    aliases = {name: _aliases(made, endpoints[name]) for name in sorted(endpoints)}
    if not any(aliases.values()):
        return [*aliases]
    return {name: {"aliases": list[Json](some)} if some else None for name, some in aliases.items()}


def _aliases(made: _Document, endpoint: _Document) -> list[str]:
    """The names that were asked for, beside those that every container has."""
    own = str(made["Name"]).lstrip("/")
    return [a for a in list_of(object_of(endpoint).get("Aliases")) if a != own and not str(made["Id"]).startswith(a)]


def _network_mode(made: _Document) -> Json:
    mode = str(made["HostConfig"].get("NetworkMode") or "")
    return mode if mode in ("host", "none", "bridge") or mode.startswith("container:") else None


def _ipc(made: _Document) -> Json:
    mode = str(made["HostConfig"].get("IpcMode") or "")
    return mode if mode in ("host", "none", "shareable") or mode.startswith("container:") else None


def _restart(made: _Document) -> Json:
    policy = object_of(made["HostConfig"].get("RestartPolicy"))
    name, count = str(policy.get("Name") or "no"), policy.get("MaximumRetryCount")
    return None if name == "no" else f"{name}:{count}" if count else name


def _healthcheck(made: _Document) -> Json:
    check = object_of(made["Config"].get("Healthcheck"))
    document: dict[str, Json] = {"test": check["Test"]} if check.get("Test") else {}
    names = {"Interval": "interval", "Timeout": "timeout", "StartPeriod": "start_period"}
    document |= {name: format_duration(check[key]) for key, name in names.items() if check.get(key)}
    return document | ({"retries": check["Retries"]} if check.get("Retries") else {})


def _devices(made: _Document) -> Json:
    devices = list_of(made["HostConfig"].get("Devices"))
    return [f"{d['PathOnHost']}:{d['PathInContainer']}:{d['CgroupPermissions'] or 'rwm'}" for d in devices]


def _ulimits(made: _Document) -> Json:
    limits = list_of(made["HostConfig"].get("Ulimits"))
    return {str(u["Name"]): {"soft": u["Soft"], "hard": u["Hard"]} for u in limits}


def _tmpfs(made: _Document) -> Json:
    places = object_of(made["HostConfig"].get("Tmpfs"))
    return [f"{path}:{options}" if options else path for path, options in places.items()]


def _logging(made: _Document) -> Json:
    config = object_of(made["HostConfig"].get("LogConfig"))
    if config.get("Type") in (None, "", "json-file") and not config.get("Config"):
        return None
    return {"driver": config.get("Type"), "options": dict(object_of(config.get("Config")))}


def _cpus(made: _Document) -> Json:
    nano = int(made["HostConfig"].get("NanoCpus") or 0)
    return nano / 10**9 if nano else None


def _shm_size(made: _Document) -> Json:
    size = int(made["HostConfig"].get("ShmSize") or 0)
    return size if size not in (0, _DEFAULT_SHM) else None


def _grace(made: _Document) -> Json:
    seconds = made["Config"].get("StopTimeout")
    return f"{seconds}s" if seconds is not None else None


_PARTS: dict[str, Callable[[_Document], Json]] = {
    "cpus": _cpus,
    "devices": _devices,
    "healthcheck": _healthcheck,
    "ipc": _ipc,
    "logging": _logging,
    "network_mode": _network_mode,
    "networks": _networks,
    "ports": _ports,
    "restart": _restart,
    "shm_size": _shm_size,
    "stop_grace_period": _grace,
    "tmpfs": _tmpfs,
    "ulimits": _ulimits,
    "volumes": _volumes,
}
