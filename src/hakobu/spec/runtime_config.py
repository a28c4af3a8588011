"""The OCI runtime configuration (`config.json`) for Linux as values; OCI's names in snake_case.

Constructed by the engine, or read from a stranger's file by `runtime_parse`; `to_json` gives OCI's document back.
Source: OCI runtime specification 1.3, config.md and config-linux.md.
Invariant: a value that was parsed needs no further check of its types by whoever acts on it.
"""

from collections.abc import Mapping

from hakobu.spec.dataclass import dataclass, field
from hakobu.spec.resources import Resources
from hakobu.spec.step import Json

OCI_VERSION = "1.3.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """`name` is ours: a user as the image knows it (`nginx`, `1000:www`), resolved inside before pivot_root."""

    uid: int = 0
    gid: int = 0
    additional_gids: tuple[int, ...] = ()
    umask: int | None = None
    name: str = ""
    group_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rlimit:
    """`type` as RLIMIT_NOFILE."""

    type: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilitySets:
    """Names as CAP_CHOWN. Inheritable and ambient stay empty unless asked for (CVE-2022-24769)."""

    bounding: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()
    inheritable: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """`policy` as SCHED_OTHER, `flags` as SCHED_FLAG_RESET_ON_FORK; times in nanoseconds. See sched_setattr(2)."""

    policy: str
    nice: int = 0
    priority: int = 0
    flags: tuple[str, ...] = ()
    runtime_ns: int = 0
    deadline_ns: int = 0
    period_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class IoPriority:
    """`io_class` as IOPRIO_CLASS_BE."""

    io_class: str
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecAffinity:
    """Lists of processors like `0-3,7`: of an exec before it enters the container's cgroup, and after."""

    initial: str = ""
    final: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """`console_size` is (rows, columns)."""

    args: tuple[str, ...]
    cwd: str = "/"
    env: tuple[str, ...] = ()
    terminal: bool = False
    user: User = User()
    rlimits: tuple[Rlimit, ...] = ()
    capabilities: CapabilitySets = CapabilitySets()
    no_new_privileges: bool = False
    oom_score_adj: int | None = None
    apparmor_profile: str = ""
    selinux_label: str = ""
    console_size: tuple[int, int] = (0, 0)
    scheduler: Scheduler | None = None
    io_priority: IoPriority | None = None
    exec_affinity: ExecAffinity = ExecAffinity()


@dataclass(frozen=True, slots=True, kw_only=True)
class IdMap:
    """`size` ids from `container_id` on are those of the host from `host_id` on."""

    container_id: int
    host_id: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMount:
    """A mount as OCI has it: `options` are those of mount(8), propagation, `rro` and `idmap` included."""

    destination: str
    type: str = ""
    source: str = ""
    options: tuple[str, ...] = ()
    uid_mappings: tuple[IdMap, ...] = ()
    gid_mappings: tuple[IdMap, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A program by its absolute path; without `args` its path is all it gets."""

    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """By the moment at which they run, in the order in which those come."""

    prestart: tuple[Hook, ...] = ()
    create_runtime: tuple[Hook, ...] = ()
    create_container: tuple[Hook, ...] = ()
    start_container: tuple[Hook, ...] = ()
    poststart: tuple[Hook, ...] = ()
    poststop: tuple[Hook, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """`type` is pid, network, mount, ipc, uts, user, cgroup or time; a `path` joins an existing one."""

    type: str
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNode:
    """`type` is c, u, b or p."""

    path: str
    type: str
    major: int = 0
    minor: int = 0
    mode: int = 0o666
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPolicy:
    """`mode` as MPOL_BIND, `nodes` a list like `0-1`, `flags` as MPOL_F_STATIC_NODES. See set_mempolicy(2)."""

    mode: str
    nodes: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Personality:
    """`domain` is LINUX or LINUX32."""

    domain: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Linux:
    """`net_devices` maps an interface of the host to its name inside; `intel_rdt` says that something of it was asked.

    `seccomp` is a profile in Docker's or OCI's JSON, or None for unconfined; an empty object is the built-in one."""

    namespaces: tuple[Namespace, ...] = ()
    uid_mappings: tuple[IdMap, ...] = ()
    gid_mappings: tuple[IdMap, ...] = ()
    time_offsets: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    devices: tuple[DeviceNode, ...] = ()
    cgroups_path: str = ""
    resources: Resources = Resources()
    seccomp: Mapping[str, Json] | None = None
    sysctl: Mapping[str, str] = field(default_factory=dict[str, str])
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()
    rootfs_propagation: str = ""
    mount_label: str = ""
    memory_policy: MemoryPolicy | None = None
    personality: Personality | None = None
    net_devices: Mapping[str, str] = field(default_factory=dict[str, str])
    intel_rdt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """`path` is a directory of the host."""

    path: str
    readonly: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeConfig:
    """The whole document."""

    process: Process
    root: Root
    hostname: str = ""
    domainname: str = ""
    mounts: tuple[ConfigMount, ...] = ()
    hooks: Hooks = Hooks()
    linux: Linux = Linux()
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    oci_version: str = OCI_VERSION

    def has_namespace(self, type: str) -> bool:
        return any(n.type == type for n in self.linux.namespaces)

    def to_json(self) -> dict[str, Json]:
        return _config_to_json(self)


def _given(**values: Json) -> dict[str, Json]:
    """Only what says something."""
    return {k: v for k, v in values.items() if v is not None and v not in ("", [], {}, False)}


def _config_to_json(c: RuntimeConfig) -> dict[str, Json]:
    return {
        "ociVersion": c.oci_version,
        **({"process": _process_to_json(c.process)} if c.process.args else {}),
        "root": {"path": c.root.path, "readonly": c.root.readonly},
        **_given(
            hostname=c.hostname,
            domainname=c.domainname,
            mounts=[_mount_to_json(m) for m in c.mounts],
            hooks=_hooks_to_json(c.hooks),
            annotations=dict(c.annotations),
        ),
        "linux": _linux_to_json(c.linux),
    }


def _process_to_json(p: Process) -> dict[str, Json]:
    user = _given(additionalGids=list(p.user.additional_gids), username=p.user.name)
    sets = p.capabilities
    optional = _given(
        terminal=p.terminal,
        env=list(p.env),
        noNewPrivileges=p.no_new_privileges,
        apparmorProfile=p.apparmor_profile,
        selinuxLabel=p.selinux_label,
        consoleSize={"height": p.console_size[0], "width": p.console_size[1]} if p.console_size != (0, 0) else None,
        scheduler=_scheduler_to_json(p.scheduler),
        ioPriority=p.io_priority and {"class": p.io_priority.io_class, "priority": p.io_priority.priority},
        execCPUAffinity=_given(initial=p.exec_affinity.initial, final=p.exec_affinity.final),
        rlimits=[{"type": r.type, "soft": r.soft, "hard": r.hard} for r in p.rlimits],
        capabilities=_given(
            bounding=list(sets.bounding),
            effective=list(sets.effective),
            permitted=list(sets.permitted),
            inheritable=list(sets.inheritable),
            ambient=list(sets.ambient),
        ),
    )
    if p.user.umask is not None:
        user["umask"] = p.user.umask
    if p.user.group_names:
        user["groupnames"] = list(p.user.group_names)
    if p.oom_score_adj is not None:
        optional["oomScoreAdj"] = p.oom_score_adj
    return {"user": {"uid": p.user.uid, "gid": p.user.gid, **user}, "args": list(p.args), "cwd": p.cwd, **optional}


def _scheduler_to_json(s: Scheduler | None) -> dict[str, Json]:
    if s is None:
        return {}
    numbers = _given(
        nice=s.nice or None,
        priority=s.priority or None,
        flags=list(s.flags),
        runtime=s.runtime_ns or None,
        deadline=s.deadline_ns or None,
        period=s.period_ns or None,
    )
    return {"policy": s.policy, **numbers}


def _maps(entries: tuple[IdMap, ...]) -> list[Json]:
    return [{"containerID": e.container_id, "hostID": e.host_id, "size": e.size} for e in entries]


def _mount_to_json(m: ConfigMount) -> dict[str, Json]:
    told = _given(
        type=m.type,
        source=m.source,
        options=list(m.options),
        uidMappings=_maps(m.uid_mappings),
        gidMappings=_maps(m.gid_mappings),
    )
    return {"destination": m.destination, **told}


def _hooks_to_json(h: Hooks) -> dict[str, Json]:
    def told(hooks: tuple[Hook, ...]) -> list[Json]:
        return [{"path": k.path, **_given(args=list(k.args), env=list(k.env), timeout=k.timeout_s)} for k in hooks]

    return _given(
        prestart=told(h.prestart),
        createRuntime=told(h.create_runtime),
        createContainer=told(h.create_container),
        startContainer=told(h.start_container),
        poststart=told(h.poststart),
        poststop=told(h.poststop),
    )


def _linux_to_json(v: Linux) -> dict[str, Json]:
    policy, personality = v.memory_policy, v.personality
    told = _given(
        memoryPolicy=policy and {"mode": policy.mode, "nodes": policy.nodes, "flags": list(policy.flags)},
        personality=personality and {"domain": personality.domain, "flags": list(personality.flags)},
        netDevices={host: {"name": inside} for host, inside in v.net_devices.items()},
        intelRdt={"enableMonitoring": True} if v.intel_rdt else None,
        namespaces=[{"type": n.type, **_given(path=n.path)} for n in v.namespaces],
        uidMappings=_maps(v.uid_mappings),
        gidMappings=_maps(v.gid_mappings),
        timeOffsets={k: {"secs": s, "nanosecs": n} for k, (s, n) in v.time_offsets.items()},
        devices=[_device_to_json(d) for d in v.devices],
        cgroupsPath=v.cgroups_path,
        resources=v.resources.to_json(),
        sysctl=dict(v.sysctl),
        maskedPaths=list(v.masked_paths),
        readonlyPaths=list(v.readonly_paths),
        rootfsPropagation=v.rootfs_propagation,
        mountLabel=v.mount_label,
    )
    if v.seccomp is not None:
        told["seccomp"] = dict(v.seccomp)
    return told


def _device_to_json(d: DeviceNode) -> dict[str, Json]:
    return {
        "path": d.path,
        "type": d.type,
        "major": d.major,
        "minor": d.minor,
        "fileMode": d.mode,
        "uid": d.uid,
        "gid": d.gid,
    }
