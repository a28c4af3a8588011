"""How far a container, network or volume would reach: every field of a specification, and what it takes to set it.

Invariant: a field is either harmless (its effect ends inside the container) or looked at here. One that is in
neither list counts as dangerous wherever it differs from its default, so a field that is added later is
refused until somebody has thought about it; a test names it.
"""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, Final

from hakobu.runtime.defaults import CAPABILITIES
from hakobu.spec.container import ContainerSpec, EndpointSpec, Limits, Mount, Namespaces, PortBinding, Security
from hakobu.spec.network import NetworkSpec
from hakobu.spec.own_label import PREFIX
from hakobu.spec.policy import Policy, is_local_log

Wish = tuple[str, str]
"""Docker's name of a field, and what the policy must hold for it: a feature, `capability X`, or a bind of a path."""

HARMLESS: Final[dict[type, frozenset[str]]] = {
    ContainerSpec: frozenset(
        """image entrypoint command env working_dir user groups hostname domain_name tty open_stdin stdin_once
        attach_stdin attach_stdout attach_stderr console_rows console_columns annotations healthcheck stop_signal
        stop_timeout_s exposed_ports volumes restart auto_remove init runtime shm_bytes sysctls network_disabled dns
        dns_options dns_search extra_hosts container_id_file""".split()
    ),
    Limits: frozenset(
        """memory_bytes memory_reservation_bytes memory_swap_bytes memory_swappiness nano_cpus cpu_shares
        cpu_period_us cpu_quota_us cpuset_cpus cpuset_mems pids blkio_weight blkio_weight_device blkio_read_bps
        blkio_write_bps blkio_read_iops blkio_write_iops ulimits""".split()
    ),
    Namespaces: frozenset(),
    Security: frozenset({"cap_drop", "no_new_privileges", "read_only_rootfs"}),
    Mount: frozenset(
        """target read_only non_recursive read_only_non_recursive read_only_force_recursive create_source no_copy
        subpath volume_labels tmpfs_size_bytes tmpfs_mode tmpfs_options consistency raw""".split()
    ),
    EndpointSpec: frozenset("aliases ipv4 ipv6 mac link_local gateway_priority".split()),
    NetworkSpec: frozenset("name internal attachable enable_ipv4 enable_ipv6 labels".split()),
}
EXAMINED: Final[dict[type, frozenset[str]]] = {
    ContainerSpec: frozenset(
        """labels mounts volumes_from volume_driver log limits oom_score_adj namespaces security network_mode
        endpoints ports publish_all links""".split()
    ),
    Limits: frozenset(
        """oom_kill_disable cpu_realtime_period_us cpu_realtime_runtime_us devices device_cgroup_rules
        device_requests cgroup_parent""".split()
    ),
    Namespaces: frozenset("pid ipc uts user cgroup".split()),
    Security: frozenset(
        "privileged cap_add options seccomp_profile apparmor_profile masked_paths read_only_paths".split()
    ),
    Mount: frozenset("kind source propagation volume_driver volume_options".split()),
    EndpointSpec: frozenset("network network_id links driver_options".split()),
    NetworkSpec: frozenset("driver pools options ipam_driver ipam_options ingress".split()),
}
OWN_LABELS: Final = frozenset(
    PREFIX + name for name in "timeout on-unhealthy publish-mode idmap bandwidth bandwidth-in bandwidth-out".split()
)
"""Labels that the engine acts on and that reach nothing: they limit, or map ids of what is mounted anyway."""
_OWN = frozenset({"", "private", "shareable", "none"})
_PRIVATE = frozenset({"", "private", "rprivate"})
_DEFAULT_CAPABILITIES = frozenset(name.removeprefix("CAP_") for name in CAPABILITIES)


def of_container(spec: ContainerSpec) -> Iterator[Wish]:
    """All that a container would have beyond its own walls, but for networks, volumes and images by name."""
    yield from _unclassified(spec)
    yield from _of_namespaces(spec)
    yield from of_limits(spec.limits)
    yield from _of_security(spec.security)
    yield from of_labels(spec.labels)
    for mount in spec.mounts:
        yield from of_mount(mount)
    for endpoint in spec.endpoints:
        yield from of_endpoint(endpoint)
    yield from of_ports(spec.ports, every=spec.publish_all)
    if spec.volumes_from:
        yield "VolumesFrom", "volumes-from"
    if spec.volume_driver not in ("", "local"):
        yield "VolumeDriver", "volume-options"
    if spec.links:
        yield "Links", "links"
    if spec.oom_score_adj < 0:
        yield "OomScoreAdj", "priority"
    # options without a driver are for the engine's default one, which may send to elsewhere
    if not is_local_log(spec.log.driver) or (spec.log.options and not spec.log.driver):
        yield "LogConfig", "log-drivers"


def of_labels(labels: Mapping[str, str]) -> Iterator[Wish]:
    """Of the engine's own labels those that are known; one that comes to mean something later is refused till then."""
    for name in labels:
        if name.startswith(PREFIX) and name not in OWN_LABELS:
            yield f"the label {name}", f"a policy that knows {name}"


def _of_namespaces(spec: ContainerSpec) -> Iterator[Wish]:
    modes = spec.namespaces
    yield from _unclassified(modes)
    named = (("PidMode", modes.pid, "pid"), ("IpcMode", modes.ipc, "ipc"), ("UTSMode", modes.uts, "uts"))
    rest = (("UsernsMode", modes.user, "user"), ("CgroupnsMode", modes.cgroup, "cgroup"))
    for name, mode, what in (*named, *rest):
        if mode.startswith("container:"):
            yield name, "join"
        elif mode not in _OWN:
            yield name, f"host-{what}"
    if spec.network_mode.startswith("container:"):
        yield "NetworkMode", "join"
    elif spec.network_mode == "host":
        yield "NetworkMode", "host-network"


def of_limits(limits: Limits) -> Iterator[Wish]:
    """Of a create and of an update."""
    yield from _unclassified(limits)
    if limits.devices or limits.device_cgroup_rules or limits.device_requests:
        yield "Devices", "devices"
    if limits.cgroup_parent:
        yield "CgroupParent", "cgroup-parent"
    if limits.oom_kill_disable:
        yield "OomKillDisable", "priority"
    if limits.cpu_realtime_period_us or limits.cpu_realtime_runtime_us:
        yield "CpuRealtimeRuntime", "priority"


def _of_security(security: Security) -> Iterator[Wish]:
    yield from _unclassified(security)
    if security.privileged:
        yield "Privileged", "privileged"
    for name in security.cap_add:
        bare = name.upper().removeprefix("CAP_")
        if bare not in _DEFAULT_CAPABILITIES:
            yield "CapAdd", f"capability {bare}"
    if any(option.partition("=")[0].partition(":")[0] != "no-new-privileges" for option in security.options):
        yield "SecurityOpt", "security-options"
    if security.seccomp_profile or security.apparmor_profile:
        yield "SecurityOpt", "security-options"
    if security.masked_paths is not None or security.read_only_paths is not None:
        yield "MaskedPaths", "security-options"


def of_mount(mount: Mount) -> Iterator[Wish]:
    """A recursive read-only bind is read-only to its last mount; anything weaker counts as writing."""
    yield from _unclassified(mount)
    match mount.kind:
        case "bind":
            read_only = mount.read_only and not mount.read_only_non_recursive
            yield "Binds", f"{'read-only bind' if read_only else 'bind'} {posixpath.normpath(mount.source)}"
            if mount.propagation not in _PRIVATE:
                yield "Propagation", "privileged"
        case "volume":
            if mount.volume_options or mount.volume_driver not in ("", "local"):
                yield "VolumeOptions", "volume-options"
        case "tmpfs" | "image":
            pass


def of_endpoint(endpoint: EndpointSpec) -> Iterator[Wish]:
    yield from _unclassified(endpoint)
    if endpoint.driver_options:
        yield "DriverOpts", "network-options"
    if endpoint.links:
        yield "Links", "links"


def of_ports(ports: tuple[PortBinding, ...], *, every: bool = False) -> Iterator[Wish]:
    if ports or every:
        yield "PortBindings", "publish"


def of_network(spec: NetworkSpec) -> Iterator[Wish]:
    """A subnet of one's choice could take over the host's routes; other drivers are on the host's own links."""
    yield from _unclassified(spec)
    plain = spec.driver == "bridge" and spec.ipam_driver in ("", "default")
    if not plain or spec.pools or spec.options or spec.ipam_options or spec.ingress:
        yield "Options", "network-options"


def missing(policy: Policy, wishes: Iterator[Wish]) -> Wish | None:
    """The first wish that the policy does not grant."""
    return next((wish for wish in wishes if not _granted(policy, wish[1])), None)


def _granted(policy: Policy, needed: str) -> bool:
    if needed.startswith("capability "):
        return needed.removeprefix("capability ") in policy.capabilities
    if needed.startswith("bind "):
        return policy.grants_bind(needed.removeprefix("bind "), read_only=False)
    if needed.startswith("read-only bind "):
        return policy.grants_bind(needed.removeprefix("read-only bind "), read_only=True)
    return needed in policy.features


def _unclassified(value: Any) -> Iterator[Wish]:
    known = HARMLESS[type(value)] | EXAMINED[type(value)]
    for item in fields(value):
        if item.name not in known and getattr(value, item.name) != _default(item):
            yield item.name, f"a policy that knows {item.name}"


def _default(item: "Field[Any]") -> Any:
    if item.default_factory is not MISSING:
        return item.default_factory()
    return item.default
