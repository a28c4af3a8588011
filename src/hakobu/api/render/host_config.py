"""`HostConfig` of inspect: the request as it is held, with the engine's defaults filled in as Docker does."""

from dataclasses import dataclass
from typing import Any

from hakobu.api.render import mount
from hakobu.runtime.defaults import MASKED_PATHS, READONLY_PATHS
from hakobu.spec.container import ContainerSpec, Limits, PortBinding
from hakobu.spec.device_request import DeviceRequest
from hakobu.wire.version import ApiVersion, fit

SHM_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What the engine fills in where a request says nothing."""

    log_driver: str = "json-file"
    cgroup_mode: str = "private"
    runtime: str = "hakobu"


def host_config(spec: ContainerSpec, defaults: Defaults, version: ApiVersion) -> dict[str, Any]:
    value: dict[str, Any] = {
        "Binds": mount.binds(spec.mounts),
        "ContainerIDFile": spec.container_id_file,
        "LogConfig": {"Type": spec.log.driver or defaults.log_driver, "Config": dict(spec.log.options)},
        "NetworkMode": spec.network_mode,
        "PortBindings": port_bindings(spec.ports),
        "RestartPolicy": {"Name": spec.restart.name, "MaximumRetryCount": spec.restart.max_retries},
        "AutoRemove": spec.auto_remove,
        "VolumeDriver": spec.volume_driver,
        "VolumesFrom": list(spec.volumes_from) or None,
        "ConsoleSize": [spec.console_rows, spec.console_columns],
        "CapAdd": list(spec.security.cap_add) or None,
        "CapDrop": list(spec.security.cap_drop) or None,
        "CgroupnsMode": spec.namespaces.cgroup or defaults.cgroup_mode,
        "Dns": list(spec.dns),
        "DnsOptions": list(spec.dns_options),
        "DnsSearch": list(spec.dns_search),
        "ExtraHosts": list(spec.extra_hosts) or None,
        "GroupAdd": list(spec.groups) or None,
        "IpcMode": spec.namespaces.ipc or "private",
        "Cgroup": "",
        "Links": list(spec.links) or None,
        "OomScoreAdj": spec.oom_score_adj,
        "PidMode": spec.namespaces.pid,
        "Privileged": spec.security.privileged,
        "PublishAllPorts": spec.publish_all,
        "ReadonlyRootfs": spec.security.read_only_rootfs,
        "SecurityOpt": list(spec.security.options) or None,
        "UTSMode": spec.namespaces.uts,
        "UsernsMode": spec.namespaces.user,
        "ShmSize": spec.shm_bytes or SHM_BYTES,
        "Runtime": spec.runtime or defaults.runtime,
        "Isolation": spec.isolation,
        **resources(spec.limits),
        "MaskedPaths": _paths(spec, spec.security.masked_paths, MASKED_PATHS),
        "ReadonlyPaths": _paths(spec, spec.security.read_only_paths, READONLY_PATHS),
        **_optional(spec),
    }
    fit("host_config", value, version)
    return value


def _optional(spec: ContainerSpec) -> dict[str, Any]:
    """Fields that Docker leaves out where they are empty."""
    value: dict[str, Any] = {
        "Mounts": mount.requested(spec.mounts),
        "Tmpfs": mount.tmpfs(spec.mounts),
        "Sysctls": dict(spec.sysctls),
        "StorageOpt": dict(spec.storage_options),
        "Annotations": dict(spec.annotations),
    }
    value = {name: held for name, held in value.items() if held}
    if spec.init is not None:
        value["Init"] = spec.init
    return value


def _paths(spec: ContainerSpec, given: tuple[str, ...] | None, default: tuple[str, ...]) -> list[str] | None:
    if given is None:
        return None if spec.security.privileged else list(default)
    return list(given)


def port_bindings(ports: tuple[PortBinding, ...]) -> dict[str, Any]:
    value: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        text = str(port.host_port) if port.host_port else ""
        if port.host_port_end:
            text = f"{port.host_port}-{port.host_port_end}"
        key = f"{port.container_port}/{port.protocol}"
        value.setdefault(key, []).append({"HostIp": port.host_ip, "HostPort": text})
    return value


def resources(limits: Limits) -> dict[str, Any]:
    return {
        "CpuShares": limits.cpu_shares,
        "Memory": limits.memory_bytes,
        "NanoCpus": limits.nano_cpus,
        "CgroupParent": limits.cgroup_parent,
        "BlkioWeight": limits.blkio_weight,
        "BlkioWeightDevice": [{"Path": path, "Weight": weight} for path, weight in limits.blkio_weight_device],
        "BlkioDeviceReadBps": _rates(limits.blkio_read_bps),
        "BlkioDeviceWriteBps": _rates(limits.blkio_write_bps),
        "BlkioDeviceReadIOps": _rates(limits.blkio_read_iops),
        "BlkioDeviceWriteIOps": _rates(limits.blkio_write_iops),
        "CpuPeriod": limits.cpu_period_us,
        "CpuQuota": limits.cpu_quota_us,
        "CpuRealtimePeriod": limits.cpu_realtime_period_us,
        "CpuRealtimeRuntime": limits.cpu_realtime_runtime_us,
        "CpusetCpus": limits.cpuset_cpus,
        "CpusetMems": limits.cpuset_mems,
        "Devices": [
            {"PathOnHost": d.host_path, "PathInContainer": d.container_path, "CgroupPermissions": d.permissions}
            for d in limits.devices
        ],
        "DeviceCgroupRules": list(limits.device_cgroup_rules) or None,
        "DeviceRequests": [_request(r) for r in limits.device_requests] or None,
        "KernelMemory": 0,
        "KernelMemoryTCP": 0,
        "MemoryReservation": limits.memory_reservation_bytes,
        "MemorySwap": limits.memory_swap_bytes,
        "MemorySwappiness": limits.memory_swappiness,
        "OomKillDisable": limits.oom_kill_disable,
        "PidsLimit": limits.pids,
        "Ulimits": [{"Name": u.name, "Hard": u.hard, "Soft": u.soft} for u in limits.ulimits],
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
    }


def _request(request: DeviceRequest) -> dict[str, Any]:
    return {
        "Driver": request.driver,
        "Count": request.count,
        "DeviceIDs": list(request.device_ids) or None,
        "Capabilities": [list(group) for group in request.capabilities] or None,
        "Options": dict(request.options),
    }


def _rates(devices: tuple[tuple[str, int], ...]) -> list[dict[str, Any]]:
    return [{"Path": path, "Rate": rate} for path, rate in devices]
