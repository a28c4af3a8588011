"""What a specification must satisfy before anything is made of it; Docker's words where it has some.

Pure but for looking up the containers that a mode names. Returns warnings for what is accepted and has no
effect here; refuses, by its name, what cannot be honoured.
"""

import re
from collections.abc import Iterator

from hakobu.engine import cpuset
from hakobu.engine.capabilities import capability_names
from hakobu.engine.records import Records
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.kernel import apparmor
from hakobu.kernel.signal import parse_signal
from hakobu.spec import own_label
from hakobu.spec.container import ContainerSpec, Security

_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\Z", re.ASCII)
_MIN_MEMORY = 6 << 20
_RUNTIMES = frozenset({"", "hakobu", "runc", "io.containerd.runc.v2"})


class NotSupported(HakobuError):
    """A field this engine knows and cannot honour; `field` is Docker's name for it."""

    kind = Kind.INVALID

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field} is not supported: {why}")
        self.field = field


def _check_names(spec: ContainerSpec) -> None:
    """Names that the kernel has or has not: refused here, and not when the container starts."""
    capability_names(spec.security.cap_add, "CapAdd")
    capability_names(spec.security.cap_drop, "CapDrop")
    if spec.limits.ulimits:
        _check_ulimits(spec)
    if spec.stop_signal:
        try:
            parse_signal(spec.stop_signal)
        except ValueError as error:
            raise Invalid(str(error), field="StopSignal") from error


def _check_ulimits(spec: ContainerSpec) -> None:
    from hakobu.kernel.rlimit import has_rlimit  # here: an idle daemon does not hold `resource`

    for limit in spec.limits.ulimits:
        if not has_rlimit(limit.name):
            raise Invalid(f"invalid ulimit type: {limit.name}", field="Ulimits")


def check_spec(spec: ContainerSpec, records: Records) -> tuple[str, ...]:
    """Raises the first thing that is wrong; returns warnings."""
    _check_process(spec)
    _check_names(spec)
    _check_limits(spec)
    _check_modes(spec, records)
    _check_combinations(spec)
    _check_profile(spec.security)
    own_label.asked(spec.labels)
    return tuple(_warnings(spec))


def named_profile(security: Security) -> str:
    """The AppArmor profile to apply; empty where the kernel's own choice is to hold."""
    return "" if security.apparmor_profile == "unconfined" else security.apparmor_profile


def _check_profile(security: Security) -> None:
    """A profile that nobody enforces is no confinement: refused, not passed over."""
    if (name := named_profile(security)) and not apparmor.is_enabled():
        raise NotSupported("SecurityOpt", f"apparmor={name}: this kernel has no AppArmor")


def _check_process(spec: ContainerSpec) -> None:
    if spec.working_dir and not spec.working_dir.startswith("/"):
        raise Invalid(
            f"the working directory '{spec.working_dir}' is invalid, it needs to be an absolute path",
            field="WorkingDir",
        )
    if spec.hostname and (len(spec.hostname) > 63 or not _HOST_NAME.match(spec.hostname)):
        raise Invalid(f"invalid hostname: {spec.hostname}", field="Hostname")
    for setting in spec.env:
        if setting.startswith("=") or "\0" in setting:
            raise Invalid(f"invalid environment variable: {setting}", field="Env")
    if spec.runtime not in _RUNTIMES:
        raise Invalid(f"unknown or invalid runtime name: {spec.runtime}", field="Runtime")
    if not -1000 <= spec.oom_score_adj <= 1000:
        raise Invalid(
            f"Invalid value {spec.oom_score_adj}, range for oom score adj is [-1000, 1000]", field="OomScoreAdj"
        )
    if spec.shm_bytes < 0:
        raise Invalid("SHM size can not be less than 0", field="ShmSize")


def _check_limits(spec: ContainerSpec) -> None:
    limits = spec.limits
    if 0 < limits.memory_bytes < _MIN_MEMORY:
        raise Invalid("Minimum memory limit allowed is 6MB", field="Memory")
    if limits.memory_swap_bytes > 0 and not limits.memory_bytes:
        raise Invalid("You should always set the Memory limit when using Memoryswap limit, see usage", field="Memory")
    if 0 < limits.memory_swap_bytes < limits.memory_bytes:
        raise Invalid("Minimum memoryswap limit should be larger than memory limit, see usage", field="MemorySwap")
    if limits.memory_swappiness is not None and not -1 <= limits.memory_swappiness <= 100:
        raise Invalid(
            f"Invalid value: {limits.memory_swappiness}, valid memory swappiness range is 0-100",
            field="MemorySwappiness",
        )
    if limits.nano_cpus and (limits.cpu_period_us or limits.cpu_quota_us):
        raise Invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set", field="NanoCpus")
    cpuset.check(limits.cpuset_cpus, limits.cpuset_mems)
    if limits.memory_bytes and limits.memory_reservation_bytes > limits.memory_bytes:
        raise Invalid(
            "Minimum memory limit can not be less than memory reservation limit, see usage", field="MemoryReservation"
        )


def _check_modes(spec: ContainerSpec, records: Records) -> None:
    modes = {
        "PidMode": spec.namespaces.pid,
        "IpcMode": spec.namespaces.ipc,
        "NetworkMode": spec.network_mode,
    }
    for mode in modes.values():
        if mode.startswith("container:"):
            records.get(mode.removeprefix("container:"))
    for link in spec.links:
        records.get(link.partition(":")[0])
    allowed = {
        "PidMode": ("", "host", "private"),
        "IpcMode": ("", "host", "private", "shareable", "none"),
        "UTSMode": ("", "host"),
        "UsernsMode": ("", "host"),
        "CgroupnsMode": ("", "host", "private"),
    }
    given = {
        "PidMode": spec.namespaces.pid,
        "IpcMode": spec.namespaces.ipc,
        "UTSMode": spec.namespaces.uts,
        "UsernsMode": spec.namespaces.user,
        "CgroupnsMode": spec.namespaces.cgroup,
    }
    for field, mode in given.items():
        joins = field in ("PidMode", "IpcMode") and mode.startswith("container:")
        if not joins and mode not in allowed[field]:
            raise Invalid(f"invalid {field}: {mode}", field=field)


def _check_combinations(spec: ContainerSpec) -> None:
    if spec.auto_remove and spec.restart.name != "no":
        raise Invalid("can't create 'AutoRemove' container with restart policy", field="AutoRemove")
    if spec.restart.name != "on-failure" and spec.restart.max_retries:
        raise Invalid(
            "invalid restart policy: maximum retry count can only be used with 'on-failure'", field="RestartPolicy"
        )
    if spec.restart.max_retries < 0:
        raise Invalid("invalid restart policy: maximum retry count cannot be negative", field="RestartPolicy")
    mode = spec.network_mode
    shares = mode == "host" or mode.startswith("container:")
    if mode.startswith("container:") and (spec.ports or spec.publish_all):
        raise Invalid("conflicting options: port publishing and the container type network mode", field="PortBindings")
    if spec.hostname and mode.startswith("container:"):
        raise Invalid("conflicting options: hostname and the network mode", field="Hostname")
    if shares and spec.links:
        raise Invalid("conflicting options: host type networking can't be used with links", field="Links")
    if spec.security.privileged and spec.namespaces.user == "private":
        raise Invalid("privileged mode is incompatible with user namespaces", field="Privileged")
    seen: set[str] = set()
    for mount in spec.mounts:
        if mount.target in seen:
            raise Invalid(f"Duplicate mount point: {mount.target}", field="Mounts")
        seen.add(mount.target)
    if spec.storage_options:
        raise NotSupported("StorageOpt", "size limits need quotas on the data root's file system")


def _warnings(spec: ContainerSpec) -> Iterator[str]:
    if spec.network_mode == "host" and (spec.ports or spec.publish_all):
        yield "Published ports are discarded when using host network mode"
    for label in own_label.unknown(spec.labels):
        yield f"label {label} means nothing to the engine"
    if spec.limits.oom_kill_disable and not spec.limits.memory_bytes:
        yield (
            "OOM killer is disabled for the container, but no memory limit is set, "
            "this can result in the system running out of resources."
        )
