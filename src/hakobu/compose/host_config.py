"""The `HostConfig` of a create body: what a service takes of the machine, and what it is kept from. Pure."""

from collections.abc import Callable

from hakobu.compose.model.service import Service
from hakobu.compose.mount_body import mounts_of
from hakobu.compose.wanted import Wanted
from hakobu.spec.step import Json


def host_config(wanted: Wanted, first_network: str) -> Json:
    service = wanted.service
    binds, mounts = mounts_of(wanted)
    config: dict[str, Json] = {
        "Binds": binds,
        "Mounts": mounts,
        "NetworkMode": _shared(service.network_mode, wanted.container_of) or first_network or "none",
        "PortBindings": _bindings(service),
        "RestartPolicy": _restart(service),
        "VolumesFrom": [_volumes_from(text, wanted.container_of) for text in service.volumes_from],
        "CapAdd": [*service.cap_add],
        "CapDrop": [*service.cap_drop],
        "CgroupnsMode": service.cgroup,
        "Dns": [*service.dns],
        "DnsOptions": [*service.dns_opt],
        "DnsSearch": [*service.dns_search],
        "ExtraHosts": [f"{host}:{ip}" for host, ip in service.extra_hosts],
        "GroupAdd": [*service.group_add],
        "IpcMode": _shared(service.ipc, wanted.container_of),
        "PidMode": _shared(service.pid, wanted.container_of),
        "UTSMode": service.uts,
        "UsernsMode": service.userns_mode,
        "OomScoreAdj": service.oom_score_adj,
        "Privileged": service.privileged,
        "ReadonlyRootfs": service.read_only,
        "SecurityOpt": [_security_option(text, wanted) for text in service.security_opt] + _credentials(service),
        "Isolation": service.isolation,
        "Tmpfs": dict[str, Json](_tmpfs(service)),
        "ShmSize": service.shm_size,
        "Sysctls": dict[str, Json](service.sysctls),
        "Runtime": service.runtime,
        "LogConfig": {"Type": "", "Config": None},
    }
    if service.logging:
        config["LogConfig"] = {"Type": service.logging.driver, "Config": dict[str, Json](dict(service.logging.options))}
    if service.init is not None:
        config["Init"] = service.init
    if service.annotations:
        config["Annotations"] = dict[str, Json](service.annotations)
    if service.storage_opt:
        config["StorageOpt"] = dict[str, Json](service.storage_opt)
    return config | _limits(service)


def _limits(service: Service) -> dict[str, Json]:
    """Resource limits; those under `deploy` fill what the older attributes leave open."""
    limits = service.deploy.limits if service.deploy else None
    reserved = service.deploy.reservations if service.deploy else None
    cpus = service.cpus or (limits.cpus if limits else 0)
    config: dict[str, Json] = {
        "CgroupParent": service.cgroup_parent,
        "CpuPeriod": service.cpu_period,
        "CpuQuota": service.cpu_quota,
        "CpuShares": service.cpu_shares,
        "CpusetCpus": service.cpuset,
        "NanoCpus": round(cpus * 10**9),
        "Memory": service.mem_limit or (limits.memory if limits else 0),
        "MemoryReservation": service.mem_reservation or (reserved.memory if reserved else 0),
        "MemorySwap": service.memswap_limit,
        "OomKillDisable": service.oom_kill_disable,
        "Devices": [
            {"PathOnHost": d.source, "PathInContainer": d.target, "CgroupPermissions": d.permissions}
            for d in service.devices
        ],
        "DeviceCgroupRules": [*service.device_cgroup_rules],
        "Ulimits": [{"Name": name, "Soft": u.soft, "Hard": u.hard} for name, u in service.ulimits.items()],
    }
    if pids := service.pids_limit or (limits.pids if limits else 0):
        config["PidsLimit"] = pids
    if service.mem_swappiness:
        config["MemorySwappiness"] = service.mem_swappiness
    return config | _rare_limits(service)


def _rare_limits(service: Service) -> dict[str, Json]:
    """What few services ask for: block devices, real time, accelerators, Windows; only what is said."""
    limits = service.blkio_config or {}
    reserved = service.deploy.reservations if service.deploy else None
    requests = [_device_request(r, "gpu") for r in service.gpus]
    requests += [_device_request(r) for r in (reserved.devices if reserved else ())]
    found: dict[str, Json] = {
        "BlkioWeight": limits.get("weight"),
        "BlkioWeightDevice": limits.get("weight_device"),
        "BlkioDeviceReadBps": _rates(limits.get("device_read_bps")),
        "BlkioDeviceReadIOps": _rates(limits.get("device_read_iops")),
        "BlkioDeviceWriteBps": _rates(limits.get("device_write_bps")),
        "BlkioDeviceWriteIOps": _rates(limits.get("device_write_iops")),
        "CpuCount": service.cpu_count,
        "CpuPercent": service.cpu_percent,
        "CpuRealtimePeriod": service.cpu_rt_period,
        "CpuRealtimeRuntime": service.cpu_rt_runtime,
        "DeviceRequests": requests,
    }
    return {name: value for name, value in found.items() if value}


def _rates(limits: Json) -> Json:
    """The API takes the rate as a number."""
    listed = limits if isinstance(limits, list) else []
    return [{"Path": item["Path"], "Rate": int(str(item["Rate"]))} for item in listed if isinstance(item, dict)]


def _device_request(request: Json, *more: str) -> Json:
    assert isinstance(request, dict)
    capabilities = request.get("capabilities")
    named = [*capabilities] if isinstance(capabilities, list) else []
    return {
        "Driver": request.get("driver", ""),
        "Count": request.get("count", 0),
        "DeviceIDs": request.get("device_ids"),
        "Capabilities": [[*named, *(name for name in more if name not in named)]],
        "Options": request.get("options"),
    }


def _credentials(service: Service) -> list[Json]:
    """Where a Windows service's credentials come from."""
    kinds = {"config": "config", "file": "file", "registry": "registry"}
    spec = service.credential_spec or {}
    return [f"credentialspec={kinds[key]}://{value}" for key, value in spec.items()]


def _restart(service: Service) -> Json:
    name, _, tries = service.restart.partition(":")
    policy = service.deploy.restart_policy if service.deploy else None
    if not name and policy:
        name = {"none": "no", "any": "always", "": "always"}.get(policy.condition, policy.condition)
        tries = str(policy.max_attempts or "") if name == "on-failure" else ""
    return {"Name": name, "MaximumRetryCount": int(tries or 0)}


def _shared(mode: str, container_of: Callable[[str], str]) -> str:
    if mode.startswith("service:"):
        return f"container:{container_of(mode.removeprefix('service:'))}"
    return mode


def _volumes_from(text: str, container_of: Callable[[str], str]) -> str:
    if text.startswith("container:"):
        return text.removeprefix("container:")
    service, colon, mode = text.partition(":")
    return f"{container_of(service)}{colon}{mode}"


def _security_option(text: str, wanted: Wanted) -> str:
    """A seccomp profile travels by its content, as the API wants it."""
    key, separator, value = text.partition("=") if "=" in text else text.partition(":")
    if key == "seccomp" and separator and value not in ("unconfined", "builtin"):
        return f"seccomp={wanted.read_file(value)}"
    return f"{key}={value}" if separator and key != "label" else text


def _tmpfs(service: Service) -> dict[str, str]:
    pairs = [text.partition(":") for text in service.tmpfs]
    return {path: options for path, _, options in pairs}


def _bindings(service: Service) -> Json:
    bindings: dict[str, list[Json]] = {}
    for port in service.ports:
        bound: Json = {"HostIp": port.host_ip, "HostPort": port.published}
        bindings.setdefault(f"{port.target}/{port.protocol}", []).append(bound)
    return dict[str, Json](bindings)
