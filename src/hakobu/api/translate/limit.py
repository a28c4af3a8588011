"""`Resources`: limits, devices, ulimits; and the restart policy that update carries beside them.

The texts are Docker's. What the host cannot do is the engine's business; here only what makes no sense anywhere
is refused.
"""

import os
import re
from collections.abc import Sequence

from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.spec.container import Device, Limits, RestartPolicy
from hakobu.spec.device_request import DeviceRequest
from hakobu.spec.ulimit import Ulimit
from hakobu.wire import container as wire

MINIMUM_MEMORY_BYTES = 6 << 20
_CPUSET = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*")


class NotSupported(HakobuError):
    """A field of the request that this engine cannot honour; named, because dropping it would be a lie."""

    kind = Kind.NOT_IMPLEMENTED

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field} is not supported: {why}")
        self.field = field


def limits(given: wire.Resources) -> Limits:
    _check_foreign(given)
    value = Limits(
        memory_bytes=given.get("Memory") or 0,
        memory_reservation_bytes=given.get("MemoryReservation") or 0,
        memory_swap_bytes=given.get("MemorySwap") or 0,
        memory_swappiness=_swappiness(given.get("MemorySwappiness")),
        oom_kill_disable=bool(given.get("OomKillDisable")),
        nano_cpus=given.get("NanoCpus") or 0,
        cpu_shares=given.get("CpuShares") or 0,
        cpu_period_us=given.get("CpuPeriod") or 0,
        cpu_quota_us=given.get("CpuQuota") or 0,
        cpu_realtime_period_us=given.get("CpuRealtimePeriod") or 0,
        cpu_realtime_runtime_us=given.get("CpuRealtimeRuntime") or 0,
        cpuset_cpus=given.get("CpusetCpus") or "",
        cpuset_mems=given.get("CpusetMems") or "",
        pids=given.get("PidsLimit") or None,
        blkio_weight=given.get("BlkioWeight") or 0,
        blkio_weight_device=tuple(
            (d.get("Path") or "", d.get("Weight") or 0) for d in given.get("BlkioWeightDevice") or ()
        ),
        blkio_read_bps=_throttle(given.get("BlkioDeviceReadBps")),
        blkio_write_bps=_throttle(given.get("BlkioDeviceWriteBps")),
        blkio_read_iops=_throttle(given.get("BlkioDeviceReadIOps")),
        blkio_write_iops=_throttle(given.get("BlkioDeviceWriteIOps")),
        devices=tuple(_device(d) for d in given.get("Devices") or ()),
        device_cgroup_rules=tuple(given.get("DeviceCgroupRules") or ()),
        device_requests=tuple(_request(r) for r in given.get("DeviceRequests") or ()),
        ulimits=tuple(_ulimit(u) for u in given.get("Ulimits") or ()),
        cgroup_parent=given.get("CgroupParent") or "",
    )
    _check_memory(value)
    _check_cpu(value)
    return value


def warnings(given: wire.Resources) -> list[str]:
    """What Docker itself takes and does not honour, said aloud."""
    if given.get("KernelMemory") or given.get("KernelMemoryTCP"):
        return ["Specifying a kernel memory limit is no longer supported by the kernel. The limit is ignored."]
    return []


def _check_foreign(given: wire.Resources) -> None:
    """Windows' fields."""
    for field in ("CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth"):
        if given.get(field):
            raise Invalid(f"{field} is only supported on Windows", field=field)


def _request(given: wire.DeviceRequestShape) -> DeviceRequest:
    count, ids = given.get("Count") or 0, tuple(given.get("DeviceIDs") or ())
    if count and ids:
        raise Invalid("cannot set both Count and DeviceIDs on device request", field="DeviceRequests")
    return DeviceRequest(
        driver=given.get("Driver") or "",
        count=count,
        device_ids=ids,
        capabilities=tuple(tuple(group) for group in given.get("Capabilities") or ()),
        options=dict(given.get("Options") or {}),
    )


def _swappiness(value: int | None) -> int | None:
    """-1 and null both mean: the kernel's own."""
    if value is None or value == -1:
        return None
    if not 0 <= value <= 100:
        raise Invalid(f"Invalid value: {value}, valid memory swappiness range is 0-100", field="MemorySwappiness")
    return value


def _check_memory(value: Limits) -> None:
    if value.memory_bytes < 0 or 0 < value.memory_bytes < MINIMUM_MEMORY_BYTES:
        raise Invalid("Minimum memory limit allowed is 6MB", field="Memory")
    swap = value.memory_swap_bytes
    if value.memory_bytes and swap > 0 and swap < value.memory_bytes:
        raise Invalid("Minimum memoryswap limit should be larger than memory limit, see usage", field="MemorySwap")
    if not value.memory_bytes and swap > 0:
        raise Invalid(
            "You should always set the Memory limit when using Memoryswap limit, see usage", field="MemorySwap"
        )
    reserved = value.memory_reservation_bytes
    if 0 < reserved < MINIMUM_MEMORY_BYTES:
        raise Invalid("Minimum memory reservation allowed is 6MB", field="MemoryReservation")
    if value.memory_bytes and reserved > value.memory_bytes:
        raise Invalid(
            "Minimum memory limit can not be less than memory reservation limit, see usage", field="MemoryReservation"
        )


def _check_cpu(value: Limits) -> None:
    cpus = os.cpu_count() or 1
    if value.nano_cpus:
        if value.cpu_period_us:
            raise Invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set", field="CpuPeriod")
        if value.cpu_quota_us:
            raise Invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set", field="CpuQuota")
        if value.nano_cpus < 0 or value.nano_cpus > cpus * 10**9:
            raise Invalid(
                f"Range of CPUs is from 0.01 to {cpus}.00, as there are only {cpus} CPUs available", field="NanoCpus"
            )
    if value.cpu_period_us and not 1000 <= value.cpu_period_us <= 1_000_000:
        raise Invalid(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)", field="CpuPeriod"
        )
    if 0 < value.cpu_quota_us < 1000:
        raise Invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)", field="CpuQuota")
    if value.blkio_weight and not 10 <= value.blkio_weight <= 1000:
        raise Invalid("Range of blkio weight is from 10 to 1000", field="BlkioWeight")
    for field, text in (("cpus", value.cpuset_cpus), ("mems", value.cpuset_mems)):
        if text and _CPUSET.fullmatch(text) is None:
            raise Invalid(f"Invalid value {text} for cpuset {field}", field=f"Cpuset{field.title()}")


def _throttle(devices: Sequence[wire.ThrottleDevice] | None) -> tuple[tuple[str, int], ...]:
    return tuple((d.get("Path") or "", d.get("Rate") or 0) for d in devices or ())


def _device(given: wire.Device) -> Device:
    host = given.get("PathOnHost") or ""
    permissions = given.get("CgroupPermissions") or "rwm"
    if not host:
        raise Invalid("invalid device: PathOnHost must not be empty", field="Devices")
    if set(permissions) - set("rwm"):
        raise Invalid(f"invalid device mode: {permissions}", field="Devices")
    return Device(host_path=host, container_path=given.get("PathInContainer") or host, permissions=permissions)


def _ulimit(given: wire.Ulimit) -> Ulimit:
    name, soft, hard = given.get("Name") or "", given.get("Soft") or 0, given.get("Hard") or 0
    if not name:
        raise Invalid("invalid ulimit: name must not be empty", field="Ulimits")
    if hard != -1 and (soft == -1 or soft > hard):
        raise Invalid(f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}", field="Ulimits")
    return Ulimit(name=name, soft=soft, hard=hard)


def restart_policy(given: wire.RestartPolicyShape | None) -> RestartPolicy:
    name = (given or {}).get("Name") or "no"
    retries = (given or {}).get("MaximumRetryCount") or 0
    if retries < 0:
        raise Invalid("invalid restart policy: maximum retry count cannot be negative", field="RestartPolicy")
    match name:
        case "on-failure":
            return RestartPolicy(name=name, max_retries=retries)
        case "no" | "always" | "unless-stopped":
            if retries:
                raise Invalid(
                    "invalid restart policy: maximum retry count can only be used with 'on-failure'",
                    field="RestartPolicy",
                )
            return RestartPolicy(name=name)
        case _:
            raise Invalid(
                f"invalid restart policy: unknown policy '{name}'; "
                "use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
                field="RestartPolicy",
            )
