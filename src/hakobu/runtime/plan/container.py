"""The plan of a container's start: every step from its cgroup to its execve, in order. Pure."""

from collections.abc import Mapping, Sequence

from hakobu.errors import Invalid
from hakobu.runtime.plan.attributes import plan_attributes, plan_label
from hakobu.runtime.plan.identity import Confinement, plan_execute, plan_identity, plan_user
from hakobu.runtime.plan.mounts import is_bind, plan_mount, plan_rootfs
from hakobu.runtime.plan.sysctls import plan_sysctls
from hakobu.spec.dataclass import dataclass, field
from hakobu.spec.plan import Plan
from hakobu.spec.rootfs import Rootfs
from hakobu.spec.runtime_config import Hook, IdMap, Namespace, RuntimeConfig
from hakobu.spec.step import Json, Place, Step

DEFAULT_NODES = (("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9))
LINKS = (
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
)
OWN_PROPAGATIONS = ("shared", "rshared", "unbindable", "runbindable")
"""Those that the container's own root takes on, once the host's is out of sight."""
_TYPES = frozenset({"pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeInputs:
    """What a plan needs beside the configuration.

    `network_steps` come from the endpoints; `seccomp_program` is base64; `cgroups` lists (name, host path) of
    the hierarchies the container sees; `init` is the host's path of an init binary, empty for none;
    `host_devices` lets a privileged container see the host's devices. `state` is what hooks read of the container.
    `outlives` is for who is not ended by the death of the process that made it, `preserve_fds` descriptors stay open
    from 3 on, and where `pivot` is false the root is moved over the old one instead (a host without a root that can
    be pivoted away from).
    """

    container_id: str
    rootfs: Rootfs | None
    network_steps: tuple[Step, ...] = ()
    seccomp_program: str = ""
    cgroup_version: int = 2
    cgroups: tuple[tuple[str, str], ...] = ()
    init: str = ""
    host_devices: bool = False
    working_dir: str = ""
    seccomp_flags: int = 0
    seccomp_listener: bool = False
    state: Mapping[str, Json] = field(default_factory=dict[str, Json])
    outlives: bool = False
    preserve_fds: int = 0
    pivot: bool = True
    keyring: bool = True


def plan_container(config: RuntimeConfig, inputs: RuntimeInputs) -> Plan:
    """Refuses (`Invalid`) what the configuration must not ask for."""
    _check(config)
    shim, child = _split(inputs.network_steps)
    steps = (
        _step(Place.SHIM, "cgroup.create", _cgroup_args(config), "mkdirat", "write"),
        _namespaces(config),
        *_id_maps(config),
        *shim,
        *_net_devices(config),
        *_hooks("prestart", config.hooks.prestart, inputs),
        *_hooks("create_runtime", config.hooks.create_runtime, inputs),
        _step(Place.CHILD, "process.harden", {}, "prctl", "close_range"),
        *_isolation(config),
        plan_rootfs(inputs.rootfs, config.root),
        *_file_system(config, inputs),
        plan_user(config.process, before="rootfs"),
        *child,
        *_uts(config),
        *_hooks("create_container", config.hooks.create_container, inputs, Place.CHILD),
        *plan_label(config.process),
        _pivot(config, inputs),
        *plan_sysctls(config.linux.sysctl, own_namespaces(config)),
        *(_path("path.readonly", p, "open_tree", "mount_setattr", "move_mount") for p in config.linux.readonly_paths),
        *(_path("path.mask", p, "open_tree", "move_mount") for p in config.linux.masked_paths),
        *((_step(Place.CHILD, "root.readonly", {}, "mount_setattr"),) if config.root.readonly else ()),
        *plan_attributes(config.process, config.linux),
        _step(Place.CHILD, "cgroup.join", {"path": config.linux.cgroups_path}, "write"),
        *_late_cgroup_namespace(config, inputs),
        *plan_identity(config.process, _confinement(inputs)),
        *_hooks("start_container", config.hooks.start_container, inputs, Place.CHILD),
        plan_execute(config.process),
        *_hooks("poststart", config.hooks.poststart, inputs),
    )
    return Plan(inputs.container_id, steps)


def own_namespaces(config: RuntimeConfig) -> frozenset[str]:
    """The types the container does not share with the host."""
    return frozenset(n.type for n in config.linux.namespaces)


def _isolation(config: RuntimeConfig) -> tuple[Step, ...]:
    """Who has the host's mount namespace, by an OCI configuration's own wish, must not change how it propagates."""
    if not config.has_namespace("mount"):
        return ()
    return (_step(Place.CHILD, "mounts.isolate", {"propagation": _outer(config)}, "mount"),)


def _outer(config: RuntimeConfig) -> str:
    """How the host's mounts reach the container while it is made; unbindable is for its own root alone."""
    wanted = config.linux.rootfs_propagation or "rslave"
    return "rprivate" if wanted in ("unbindable", "runbindable") else wanted


def _check(config: RuntimeConfig) -> None:
    seen: set[str] = set()
    for i, namespace in enumerate(config.linux.namespaces):
        if namespace.type not in _TYPES or namespace.type in seen:
            raise Invalid(f"namespace {namespace.type!r} is unknown or twice", field=f"linux.namespaces[{i}]")
        seen.add(namespace.type)
    if (config.linux.uid_mappings or config.linux.gid_mappings) and "user" not in seen:
        raise Invalid("id mappings need a user namespace", field="linux.uidMappings")
    if config.linux.intel_rdt:
        raise Invalid("linux.intelRdt is not supported: no class of the resource director can be given", field="linux")
    if config.linux.net_devices and "network" not in seen:
        raise Invalid("net devices need a network namespace", field="linux.netDevices")
    if (config.hostname or config.domainname) and "uts" not in seen:
        raise Invalid("a host name needs a uts namespace of its own", field="hostname")


def _step(place: Place, name: str, args: dict[str, Json], *syscalls: str) -> Step:
    return Step(name, place, args, syscalls)


def _path(name: str, path: str, *syscalls: str) -> Step:
    return _step(Place.CHILD, name, {"path": path}, *syscalls)


def _split(steps: Sequence[Step]) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Those of the shim (and the daemon, told in their place) and those of the child."""
    return (
        tuple(s for s in steps if s.place is not Place.CHILD),
        tuple(s for s in steps if s.place is Place.CHILD),
    )


def _cgroup_args(config: RuntimeConfig) -> dict[str, Json]:
    return {"path": config.linux.cgroups_path, "resources": config.linux.resources.to_json()}


def _namespaces(config: RuntimeConfig) -> Step:
    """The kernel enters a cgroup at the clone where it can (v2); the shim writes the pid elsewhere."""

    def named(which: Sequence[Namespace]) -> list[Json]:
        return [n.type for n in which]

    fresh = [n for n in config.linux.namespaces if not n.path]
    args: dict[str, Json] = {
        "new": named(fresh),
        "join": {n.type: n.path for n in config.linux.namespaces if n.path},
        "cgroup": config.linux.cgroups_path,
        "time_offsets": {k: [s, n] for k, (s, n) in config.linux.time_offsets.items()},
    }
    return _step(Place.SHIM, "namespaces.clone", args, "clone3")


def _id_maps(config: RuntimeConfig) -> tuple[Step, ...]:
    fresh = any(n.type == "user" and not n.path for n in config.linux.namespaces)
    if not fresh or not (config.linux.uid_mappings or config.linux.gid_mappings):
        return ()

    def lines(maps: Sequence[IdMap]) -> list[Json]:
        return [[m.container_id, m.host_id, m.size] for m in maps]

    args: dict[str, Json] = {"uid": lines(config.linux.uid_mappings), "gid": lines(config.linux.gid_mappings)}
    return (_step(Place.SHIM, "idmap.write", args, "openat", "write"),)


def _net_devices(config: RuntimeConfig) -> tuple[Step, ...]:
    """Interfaces of the host that become the container's; with it they come back to nobody (netdevice(7))."""
    return tuple(
        _step(Place.SHIM, "link.give", {"host": host, "name": name}, "sendto")
        for host, name in sorted(config.linux.net_devices.items())
    )


def _confinement(inputs: RuntimeInputs) -> Confinement:
    return Confinement(
        seccomp=inputs.seccomp_program,
        seccomp_flags=inputs.seccomp_flags,
        seccomp_listener=inputs.seccomp_listener,
        keyring=f"_ses.{inputs.container_id}" if inputs.keyring else "",
        outlives=inputs.outlives,
        preserve_fds=inputs.preserve_fds,
    )


def _pivot(config: RuntimeConfig, inputs: RuntimeInputs) -> Step:
    args: dict[str, Json] = {}
    if not config.has_namespace("mount"):
        return _step(Place.CHILD, "root.pivot", {"chroot": True}, "chroot")
    if config.linux.rootfs_propagation in OWN_PROPAGATIONS:
        args["propagation"] = config.linux.rootfs_propagation
    if inputs.pivot:
        return _step(Place.CHILD, "root.pivot", args, "pivot_root", "umount2")
    return _step(Place.CHILD, "root.pivot", {**args, "move": True}, "move_mount", "chroot")


def _file_system(config: RuntimeConfig, inputs: RuntimeInputs) -> tuple[Step, ...]:
    """Mounts, then what stands in /dev; later mounts may lie in earlier ones."""
    shown: list[Json] = [[name, path] for name, path in inputs.cgroups]
    steps = [plan_mount(m, shown, inputs.cgroup_version) for m in config.mounts]
    if _owns_dev(config):
        at = _after_dev(config)
        steps[at:at] = _devices(config, inputs)
    if inputs.init:
        args: dict[str, Json] = {
            "source": inputs.init,
            "target": "/sbin/docker-init",
            "recursive": False,
            "set": 1,
            "clear": 0,
            "recursive_set": 0,
        }
        steps.append(Step("mount.bind", Place.CHILD, args, ("open_tree", "mount_setattr", "move_mount")))
    if config.process.terminal:
        steps.append(_step(Place.CHILD, "console.open", {}, "openat", "ioctl", "open_tree", "move_mount"))
    if inputs.working_dir:
        steps.append(_step(Place.CHILD, "cwd.make", {"path": inputs.working_dir}, "mkdirat"))
    return tuple(steps)


def _owns_dev(config: RuntimeConfig) -> bool:
    """Whoever binds a /dev of the host brings what is in it."""
    return not any(m.destination.rstrip("/") == "/dev" and is_bind(m) for m in config.mounts)


def _after_dev(config: RuntimeConfig) -> int:
    """Behind the engine's own mounts below /dev, before the user's."""
    own = [i for i, m in enumerate(config.mounts) if m.destination in ("/dev", "/dev/pts")]
    return max(own) + 1 if own else len(config.mounts)


def _devices(config: RuntimeConfig, inputs: RuntimeInputs) -> list[Step]:
    nodes: list[Step] = [_node(f"/dev/{name}", "c", 1, minor, 0o666) for name, minor in DEFAULT_NODES]
    nodes.append(_node("/dev/tty", "c", 5, 0, 0o666))
    if inputs.host_devices:
        nodes.append(_step(Place.CHILD, "device.host", {}, "mknodat"))
    nodes += [_node(d.path, d.type, d.major, d.minor, d.mode, d.uid, d.gid) for d in config.linux.devices]
    links: list[Step] = [
        _step(Place.CHILD, "device.link", {"path": path, "target": target}, "symlinkat") for path, target in LINKS
    ]
    return nodes + links


def _node(path: str, type: str, major: int, minor: int, mode: int, uid: int = 0, gid: int = 0) -> Step:
    args: dict[str, Json] = {"path": path, "type": type, "major": major, "minor": minor, "mode": mode}
    return _step(Place.CHILD, "device.node", {**args, "uid": uid, "gid": gid}, "mknodat")


def _uts(config: RuntimeConfig) -> tuple[Step, ...]:
    steps: list[Step] = []
    if config.hostname:
        steps.append(_step(Place.CHILD, "uts.hostname", {"name": config.hostname}, "sethostname"))
    if config.domainname:
        steps.append(_step(Place.CHILD, "uts.domainname", {"name": config.domainname}, "setdomainname"))
    return tuple(steps)


def _late_cgroup_namespace(config: RuntimeConfig, inputs: RuntimeInputs) -> tuple[Step, ...]:
    """On v1 the namespace must be made once the process is in its cgroups, or it would show the shim's."""
    new = any(n.type == "cgroup" and not n.path for n in config.linux.namespaces)
    if not new or inputs.cgroup_version == 2:
        return ()
    return (_step(Place.CHILD, "namespaces.cgroup", {}, "unshare"),)


def _hooks(kind: str, hooks: Sequence[Hook], inputs: RuntimeInputs, place: Place = Place.SHIM) -> tuple[Step, ...]:
    if not hooks:
        return ()
    told: list[Json] = [
        {"path": h.path, "args": list(h.args), "env": list(h.env), "timeout_s": h.timeout_s} for h in hooks
    ]
    return (_step(place, "hooks.run", {"kind": kind, "hooks": told, "state": dict(inputs.state)}, "execve"),)
