"""A container as an OCI runtime configuration: Docker's defaults, the user's wishes, the operator's choices. Pure.

What must be looked up (an image's root, other containers' pids, devices of the host) comes in as values.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from hakobu.engine.capabilities import capability_names
from hakobu.engine.config import EngineConfig
from hakobu.engine.merge import process_env
from hakobu.engine.ownership import ALL_IDS, Maps
from hakobu.engine.validate import named_profile
from hakobu.errors import Invalid
from hakobu.kernel import capability
from hakobu.runtime import defaults
from hakobu.spec.container import Container, FileSystem, Limits, Mount, ResolvedMount
from hakobu.spec.resources import BlockIO, Cpu, DeviceRule, Memory, Resources, ThrottleDevice, WeightDevice
from hakobu.spec.runtime_config import (
    CapabilitySets,
    ConfigMount,
    DeviceNode,
    Linux,
    Namespace,
    Process,
    Rlimit,
    Root,
    RuntimeConfig,
    User,
)

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_RULE = re.compile(r"([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the configuration depends on beside the container itself.

    `joined` maps a namespace type to the path of one to join; `held` are the capabilities the engine holds;
    `layers` gives an image's directories; `shared` where a running container has this volume's memory, if one has;
    `id_maps` are those of an idmapped mount, of users and of groups;
    `cgroup_path` is below the instance's parent; `directory` is the container's own on the host.
    """

    config: EngineConfig
    directory: str
    cgroup_path: str
    cgroup_version: int
    held: int
    cpus: int
    joined: dict[str, str]
    shm_source: str = ""
    link_env: tuple[str, ...] = ()
    layers: Callable[[str], tuple[str, ...]] = lambda _: ()
    shared: Callable[[ResolvedMount], str] = lambda _: ""
    id_maps: Callable[[ResolvedMount], Maps] = lambda _: ((), ())
    last_gid: int = defaults.LAST_GID


def runtime_config(container: Container, around: Surroundings) -> RuntimeConfig:
    """The whole configuration, for the container's init."""
    spec = container.spec
    masked, readonly = _hidden(container, around)
    resources = _resources(container, around)
    return RuntimeConfig(
        process=_process(container, around),
        root=Root(path="rootfs", readonly=spec.security.read_only_rootfs),
        hostname="" if _shares_uts(container) else container.hostname,
        domainname="" if _shares_uts(container) else spec.domain_name,
        mounts=(*_base_mounts(container, around), *_further_mounts(container, around)),
        linux=Linux(
            namespaces=_namespaces(container, around),
            devices=tuple(_device_nodes(spec.limits)),
            cgroups_path=around.cgroup_path,
            resources=resources,
            sysctl=_sysctls(container, around),
            masked_paths=masked,
            readonly_paths=readonly,
            rootfs_propagation=_root_propagation(container),
        ),
        annotations=dict(spec.annotations),
    )


def exec_process(
    base: RuntimeConfig,
    container: Container,
    *,
    argv: tuple[str, ...],
    env: tuple[str, ...],
    user: str,
    working_dir: str,
    tty: bool,
    privileged: bool,
    held: int,
) -> Process:
    """A further process under the container's confinement; `privileged` gives it all the engine holds."""
    names = capability.names(held) if privileged else base.process.capabilities.bounding
    sets = CapabilitySets(bounding=names, effective=names, permitted=names)
    inherited = tuple(e for e in base.process.env if not e.startswith("TERM=")) + (("TERM=xterm",) if tty else ())
    return replace(
        base.process,
        args=argv,
        env=process_env(inherited, env),
        cwd=working_dir or base.process.cwd,
        terminal=tty,
        user=replace(base.process.user, name=user) if user else base.process.user,
        capabilities=sets,
    )


# The process


def _process(container: Container, around: Surroundings) -> Process:
    spec = container.spec
    init = spec.init if spec.init is not None else around.config.init
    argv = ("/sbin/docker-init", "--", *container.argv) if init else container.argv
    names = _capabilities(container, around)
    return Process(
        args=argv,
        cwd=container.working_dir or "/",
        env=_env(container, around.link_env),
        terminal=spec.tty,
        user=User(name=container.user, group_names=spec.groups),
        rlimits=_rlimits(container, around),
        capabilities=CapabilitySets(bounding=names, effective=names, permitted=names),
        no_new_privileges=spec.security.no_new_privileges or around.config.no_new_privileges,
        apparmor_profile=named_profile(spec.security),
        oom_score_adj=spec.oom_score_adj or None,
    )


def _env(container: Container, link_env: tuple[str, ...]) -> tuple[str, ...]:
    base = [DEFAULT_PATH, f"HOSTNAME={container.hostname}"]
    if container.spec.tty:
        base.append("TERM=xterm")
    return process_env((*base, *link_env), container.env)


def _capabilities(container: Container, around: Surroundings) -> tuple[str, ...]:
    """Docker's rules: ALL on either side, single names with or without CAP_, in any case."""
    security = container.spec.security
    if security.privileged:
        return capability.names(around.held)
    return _chosen_capabilities(security.cap_add, security.cap_drop, around.held)


@lru_cache(maxsize=64)
def _chosen_capabilities(cap_add: tuple[str, ...], cap_drop: tuple[str, ...], held: int) -> tuple[str, ...]:
    """Nearly all containers ask for the same ones."""
    add, drop = capability_names(cap_add, "CapAdd"), capability_names(cap_drop, "CapDrop")
    everything = set(capability.names(held))
    if "ALL" in add:
        chosen = everything
    elif "ALL" in drop:
        chosen = set[str]()
    else:
        chosen = set(defaults.CAPABILITIES)
    chosen = (chosen - drop) | (add - {"ALL"})
    return tuple(n for n in capability.names(capability.ALL) if n in chosen & everything)


def _rlimits(container: Container, around: Surroundings) -> tuple[Rlimit, ...]:
    chosen = {u.name: u for u in around.config.ulimits} | {u.name: u for u in container.spec.limits.ulimits}
    return tuple(Rlimit(type=f"RLIMIT_{u.name.upper()}", soft=u.soft, hard=u.hard) for u in chosen.values())


# Namespaces


def _shares_uts(container: Container) -> bool:
    return container.spec.namespaces.uts == "host"


def _namespaces(container: Container, around: Surroundings) -> tuple[Namespace, ...]:
    modes = container.spec.namespaces
    shared = {
        "pid": modes.pid == "host",
        "network": container.spec.network_mode == "host",
        "ipc": modes.ipc == "host",
        "uts": modes.uts == "host",
        "cgroup": _cgroupns(container, around) == "host",
    }
    chosen = [Namespace(type="mount")]
    for type, is_shared in shared.items():
        if not is_shared:
            chosen.append(Namespace(type=type, path=around.joined.get(type, "")))
    return tuple(chosen)


def _cgroupns(container: Container, around: Surroundings) -> str:
    """Docker's default: private on v2, the host's on v1."""
    mode = container.spec.namespaces.cgroup or around.config.cgroupns_mode
    if mode:
        return mode
    return "private" if around.cgroup_version == 2 and not container.spec.security.privileged else "host"


def _sysctls(container: Container, around: Surroundings) -> dict[str, str]:
    mode = container.spec.network_mode
    own_network = mode != "host" and not mode.startswith("container:")
    base = defaults.private_network_sysctls(around.last_gid) if own_network else {}
    return {**base, **container.spec.sysctls}


# Mounts


def _base_mounts(container: Container, around: Surroundings) -> tuple[ConfigMount, ...]:
    ipc = container.spec.namespaces.ipc or around.config.ipc_mode
    own_shm = ipc in ("private", "shareable", "none", "")
    found = _default_mounts(
        shm_bytes=container.spec.shm_bytes or around.config.shm_bytes,
        private_ipc=own_shm and ipc != "none",
        sysfs_writable=container.spec.security.privileged,
    )
    if own_shm:
        return found
    source = around.shm_source or "/dev/shm"
    shm = ConfigMount(destination="/dev/shm", type="bind", source=source, options=("rbind", "rprivate"))
    mqueue = ConfigMount(
        destination="/dev/mqueue", type="mqueue", source="mqueue", options=("nosuid", "noexec", "nodev")
    )
    return (*found, mqueue, shm)


_default_mounts = lru_cache(maxsize=32)(defaults.mounts)


def _own_files(container: Container, around: Surroundings) -> Iterator[ConfigMount]:
    """resolv.conf, hostname and hosts, unless the user mounts something there."""
    taken = {m.target for m in container.mounts}
    read_only = ("ro",) if container.spec.security.read_only_rootfs else ()
    for name in ("resolv.conf", "hostname", "hosts"):
        target = f"/etc/{name}"
        if target not in taken:
            yield ConfigMount(
                destination=target,
                type="bind",
                source=f"{around.directory}/{name}",
                options=("bind", "rprivate", *read_only),
            )


def _further_mounts(container: Container, around: Surroundings) -> Sequence[ConfigMount]:
    """Parents before children, whatever order they were given in: a volume at /etc still shows the hosts file."""
    asked = {os.path.normpath(m.target): m for m in container.spec.mounts}
    users = [_user_mount(m, asked.get(os.path.normpath(m.target)), around) for m in container.mounts]
    return sorted((*_own_files(container, around), *users), key=lambda m: m.destination.count("/"))


def _user_mount(mount: ResolvedMount, asked: Mount | None, around: Surroundings) -> ConfigMount:
    if mount.kind == "tmpfs":
        return _tmpfs(mount, asked)
    if mount.kind == "image":
        return _image(mount, around.layers(mount.image_id))
    if mount.file_system is not None:
        return _foreign(mount, mount.file_system, around.shared(mount))
    options = ["bind" if asked is not None and asked.non_recursive else "rbind"]
    options.append(mount.propagation or "rprivate")
    if not mount.read_write:
        options.append("ro")
        if asked is not None and asked.kind == "bind" and not asked.read_only_non_recursive:
            options.append("rro")
    uids, gids = around.id_maps(mount)
    if uids or gids:  # the kernel wants both; one map alone would leave the other kind without any id
        uids, gids = uids or ALL_IDS, gids or ALL_IDS
        options.append("ridmap" if "rbind" in options else "idmap")
    return ConfigMount(
        destination=mount.target,
        type="bind",
        source=mount.source,
        options=tuple(options),
        uid_mappings=uids,
        gid_mappings=gids,
    )


def _foreign(mount: ResolvedMount, system: FileSystem, shared: str) -> ConfigMount:
    """A volume with options. A file system in memory is one for all who have it: the first one's is bound."""
    options = [o for o in system.options.split(",") if o]
    if not mount.read_write:
        options.append("ro")
    if system.is_bind:
        return ConfigMount(destination=mount.target, type="bind", source=system.device, options=("rbind", *options))
    if shared:
        read_only = ("ro",) if not mount.read_write else ()
        return ConfigMount(destination=mount.target, type="bind", source=shared, options=("rbind", *read_only))
    return ConfigMount(destination=mount.target, type=system.type, source=system.device, options=tuple(options))


def _image(mount: ResolvedMount, layers: tuple[str, ...]) -> ConfigMount:
    options = (f"lowerdir={':'.join(layers)}", "ro", *((f"subpath={mount.subpath}",) if mount.subpath else ()))
    return ConfigMount(destination=mount.target, type="overlay", source="overlay", options=options)


def _tmpfs(mount: ResolvedMount, asked: Mount | None) -> ConfigMount:
    options = ["noexec", "nosuid", "nodev"]
    if asked is not None:
        options += [o for o in asked.tmpfs_options.split(",") if o]
        if asked.tmpfs_size_bytes:
            options.append(f"size={asked.tmpfs_size_bytes}")
        if asked.tmpfs_mode:
            options.append(f"mode={asked.tmpfs_mode:o}")
        if asked.read_only:
            options.append("ro")
    return ConfigMount(destination=mount.target, type="tmpfs", source="tmpfs", options=tuple(options))


def _root_propagation(container: Container) -> str:
    """A mount that is to be shared or a slave needs a root that lets it."""
    wanted = {m.propagation for m in container.mounts}
    if wanted & {"shared", "rshared"}:
        return "shared"
    if wanted & {"slave", "rslave"}:
        return "rslave"
    return ""


def _hidden(container: Container, around: Surroundings) -> tuple[tuple[str, ...], tuple[str, ...]]:
    security = container.spec.security
    if security.privileged:
        return security.masked_paths or (), security.read_only_paths or ()
    masked = security.masked_paths
    if masked is None:
        masked = (*defaults.MASKED_PATHS, *defaults.thermal_throttle_paths(around.cpus))
    readonly = defaults.READONLY_PATHS if security.read_only_paths is None else security.read_only_paths
    return masked, readonly


# Resources


def _resources(container: Container, around: Surroundings) -> Resources:
    limits = container.spec.limits
    return replace(limits_to_resources(limits), devices=tuple(_device_rules(container)))


def limits_to_resources(limits: Limits) -> Resources:
    """The user's limits in OCI's words; what was not given stays None."""
    return Resources(
        memory=Memory(
            limit=limits.memory_bytes or None,
            reservation=limits.memory_reservation_bytes or None,
            swap=_swap(limits),
            swappiness=None if limits.memory_swappiness in (None, -1) else limits.memory_swappiness,
            disable_oom_killer=limits.oom_kill_disable,
        ),
        cpu=_cpu(limits),
        pids_limit=limits.pids if limits.pids else None,
        block_io=_block_io(limits),
    )


def _swap(limits: Limits) -> int | None:
    """Docker's default: as much swap again as memory, when only memory is limited."""
    if limits.memory_swap_bytes:
        return limits.memory_swap_bytes
    return limits.memory_bytes * 2 if limits.memory_bytes else None


def _cpu(limits: Limits) -> Cpu:
    period, quota = limits.cpu_period_us or None, limits.cpu_quota_us or None
    if limits.nano_cpus:
        period, quota = 100_000, limits.nano_cpus // 10_000
    return Cpu(
        shares=limits.cpu_shares or None,
        period=period,
        quota=quota,
        realtime_period=limits.cpu_realtime_period_us or None,
        realtime_runtime=limits.cpu_realtime_runtime_us or None,
        cpus=limits.cpuset_cpus,
        mems=limits.cpuset_mems,
    )


def _block_io(limits: Limits) -> BlockIO:
    def throttles(pairs: tuple[tuple[str, int], ...]) -> tuple[ThrottleDevice, ...]:
        return tuple(ThrottleDevice(major=a, minor=b, rate=r) for (a, b), r in ((_number(p), r) for p, r in pairs))

    return BlockIO(
        weight=limits.blkio_weight or None,
        weight_device=tuple(
            WeightDevice(major=a, minor=b, weight=w)
            for (a, b), w in ((_number(p), w) for p, w in limits.blkio_weight_device)
        ),
        throttle_read_bps_device=throttles(limits.blkio_read_bps),
        throttle_write_bps_device=throttles(limits.blkio_write_bps),
        throttle_read_iops_device=throttles(limits.blkio_read_iops),
        throttle_write_iops_device=throttles(limits.blkio_write_iops),
    )


def _number(path: str) -> tuple[int, int]:
    try:
        info = os.stat(path)
    except OSError as error:
        raise Invalid(f"no such device: {path}: {error.strerror}", field="BlkioDevice") from None
    return os.major(info.st_rdev), os.minor(info.st_rdev)


# Devices


def _device_rules(container: Container) -> Iterator[DeviceRule]:
    if container.spec.security.privileged:
        yield DeviceRule(allow=True)
        return
    yield from defaults.DEVICE_RULES
    limits = container.spec.limits
    permissions = {d.container_path: d.permissions for d in limits.devices}
    for node in _device_nodes(limits):
        kind = "b" if node.type == "b" else "c"
        access = permissions.get(node.path) or _permissions_of(node.path, permissions)
        yield DeviceRule(allow=True, type=kind, major=node.major, minor=node.minor, access=access)
    yield from (_rule(text) for text in limits.device_cgroup_rules)


def _permissions_of(path: str, permissions: dict[str, str]) -> str:
    """Of a node in a directory that was given as a whole."""
    return next((p for top, p in permissions.items() if path.startswith(f"{top}/")), "rwm")


def _rule(text: str) -> DeviceRule:
    if not (found := _RULE.match(text)):
        raise Invalid(f"invalid device cgroup rule format: '{text}'", field="DeviceCgroupRules")
    kind, major, minor, access = found.groups()
    return DeviceRule(
        allow=True,
        type="a" if kind == "a" else "b" if kind == "b" else "c",
        major=None if major == "*" else int(major),
        minor=None if minor == "*" else int(minor),
        access=access,
    )


def _device_nodes(limits: Limits) -> Iterator[DeviceNode]:
    """Nodes for what was given: a device, or every device below a directory."""
    for device in limits.devices:
        try:
            info = os.stat(device.host_path)
        except OSError:
            raise Invalid(
                f'error gathering device information while adding custom device "{device.host_path}": '
                "no such file or directory",
                field="Devices",
            ) from None
        if stat.S_ISDIR(info.st_mode):
            for directory, _, names in os.walk(device.host_path):
                for name in names:
                    path = f"{directory}/{name}"
                    inside = device.container_path + path.removeprefix(device.host_path)
                    yield from _node(path, inside, os.stat(path))
            continue
        nodes = tuple(_node(device.host_path, device.container_path, info))
        if not nodes:
            raise Invalid(f"not a device node: {device.host_path}", field="Devices")
        yield from nodes


def _node(host_path: str, path: str, info: os.stat_result) -> Iterator[DeviceNode]:
    kind = "c" if stat.S_ISCHR(info.st_mode) else "b" if stat.S_ISBLK(info.st_mode) else ""
    if kind:
        yield DeviceNode(
            path=path,
            type=kind,
            major=os.major(info.st_rdev),
            minor=os.minor(info.st_rdev),
            mode=stat.S_IMODE(info.st_mode),
            uid=info.st_uid,
            gid=info.st_gid,
        )
