"""A bundle's config.json as the runtime runs it: paths made whole, defaults added, what cannot be done refused.

What is changed is what runc changes, so that a configuration means the same to both: default device rules are added,
capabilities that this process does not hold are left out with a warning, `cgroupsPath` gets a default.
"""

import os
import re

from hakobu.errors import Invalid
from hakobu.kernel import apparmor, capability
from hakobu.kernel.rlimit import RLIMITS
from hakobu.runtime.plan.options import parse_options
from hakobu.runtime_cli.context import Context
from hakobu.runtime_cli.limits import without_zeros
from hakobu.spec.dataclass import replace
from hakobu.spec.resources import DeviceRule
from hakobu.spec.runtime_config import CapabilitySets, ConfigMount, IdMap, Linux, Process, RuntimeConfig
from hakobu.spec.runtime_parse import MAX_BYTES, parse_runtime_config

CONFIG = "config.json"
DEVICES = (
    DeviceRule(allow=True, type="c", access="m"),
    DeviceRule(allow=True, type="b", access="m"),
    *(
        DeviceRule(allow=True, type="c", major=major, minor=minor)
        for major, minor in ((1, 3), (1, 8), (1, 7), (5, 0), (1, 5), (1, 9), (136, None), (5, 2))
    ),
)
_VERSION = re.compile(r"1\.[0-9]+\.[0-9]+(-[0-9A-Za-z.+-]+)?\Z", re.ASCII)
_PROPAGATIONS = frozenset(
    ("", "private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable")
)


def load(directory: str, container_id: str, context: Context) -> RuntimeConfig:
    """`directory` is the bundle's absolute path."""
    path = f"{directory}/{CONFIG}"
    try:
        with open(path, "rb") as file:
            document = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise Invalid(f"JSON specification file {path} not found", field=CONFIG) from None
    config = parse_runtime_config(document)
    if not _VERSION.match(config.oci_version):
        raise Invalid(f"unsupported OCI version {config.oci_version!r}: this runtime knows 1.x", field="ociVersion")
    root = replace(config.root, path=_rootfs(directory, config.root.path))
    mounts = tuple(_mount(m, directory, config.linux, context) for m in config.mounts)
    linux = _linux(config, container_id, context)
    return replace(config, root=root, mounts=mounts, linux=linux, process=adapt(config.process, context))


def adapt(process: Process, context: Context) -> Process:
    """Of init or an exec: what a host of Linux has no use for goes, what cannot be granted is told."""
    if not process.cwd.startswith("/"):
        raise Invalid(f"process.cwd must be absolute: {process.cwd!r}", field="process.cwd")
    for i, limit in enumerate(process.rlimits):
        if limit.type not in RLIMITS:
            raise Invalid(f"process.rlimits[{i}].type is unknown: {limit.type!r}", field=f"process.rlimits[{i}].type")
    check_labels(process)
    user = replace(process.user, name="", group_names=())
    return replace(process, user=user, capabilities=_held(process.capabilities, context))


def check_labels(process: Process) -> None:
    """A label that nobody enforces is no confinement: refused, not passed over."""
    if process.apparmor_profile and not apparmor.is_enabled():
        raise Invalid(
            f"apparmor profile {process.apparmor_profile!r}: this kernel has no AppArmor",
            field="process.apparmorProfile",
        )
    if process.selinux_label and not os.path.exists("/sys/fs/selinux/enforce"):
        raise Invalid(
            f"selinux label {process.selinux_label!r}: this host has no SELinux", field="process.selinuxLabel"
        )


def _held(sets: CapabilitySets, context: Context) -> CapabilitySets:
    held = frozenset(capability.names(capability.held()))
    lost: set[str] = set()

    def kept(names: tuple[str, ...]) -> tuple[str, ...]:
        lost.update(n for n in names if n not in held)
        return tuple(n for n in names if n in held)

    granted = CapabilitySets(
        bounding=kept(sets.bounding),
        effective=kept(sets.effective),
        permitted=kept(sets.permitted),
        inheritable=kept(sets.inheritable),
        ambient=kept(sets.ambient),
    )
    if lost:
        context.log.write("warning", f"capabilities that are unknown or not held here are left out: {sorted(lost)}")
    return _without_barren(granted, context)


def _without_barren(sets: CapabilitySets, context: Context) -> CapabilitySets:
    """The kernel raises as ambient what is permitted and inheritable; `runc spec` itself asks for more, and runc
    passes over what fails."""
    possible = {*sets.permitted} & {*sets.inheritable}
    barren = [name for name in sets.ambient if name not in possible]
    if barren:
        context.log.write("debug", f"ambient capabilities that are not inheritable are left out: {barren}")
    return replace(sets, ambient=tuple(name for name in sets.ambient if name in possible))


def _rootfs(directory: str, path: str) -> str:
    whole = os.path.realpath(os.path.join(directory, path))
    if not os.path.isdir(whole):
        raise Invalid(f"the root file system {whole} is no directory", field="root.path")
    return whole


def _mount(mount: ConfigMount, directory: str, linux: Linux, context: Context) -> ConfigMount:
    options = parse_options(mount.options)
    if not mount.destination.startswith("/"):
        context.log.write("warning", f"mount destination {mount.destination} is not absolute; taken from the root")
        mount = replace(mount, destination="/" + mount.destination)
    if (options.bind or mount.type == "bind") and not mount.source.startswith("/"):
        mount = replace(mount, source=os.path.join(directory, mount.source))
    if options.idmap and not mount.uid_mappings and not mount.gid_mappings:
        if not linux.uid_mappings:
            raise Invalid(
                f"mount {mount.destination}: idmap needs uidMappings, its own or the container's", field="mounts"
            )
        mount = replace(mount, uid_mappings=linux.uid_mappings, gid_mappings=linux.gid_mappings)
    return mount


def _linux(config: RuntimeConfig, container_id: str, context: Context) -> Linux:
    linux = config.linux
    if linux.rootfs_propagation not in _PROPAGATIONS:
        raise Invalid(
            f"linux.rootfsPropagation is unknown: {linux.rootfs_propagation!r}", field="linux.rootfsPropagation"
        )
    if linux.mount_label and not os.path.exists("/sys/fs/selinux/enforce"):
        raise Invalid(f"linux.mountLabel {linux.mount_label!r}: this host has no SELinux", field="linux.mountLabel")
    if linux.mount_label:
        raise Invalid("linux.mountLabel is not supported", field="linux.mountLabel")
    _check_sysctls(config)
    _check_maps(linux.uid_mappings, "linux.uidMappings")
    _check_maps(linux.gid_mappings, "linux.gidMappings")
    devices = (DeviceRule(allow=False), *linux.resources.devices, *DEVICES)
    made = (*(DeviceRule(allow=True, type="b" if d.type == "b" else "c", major=d.major, minor=d.minor)
              for d in linux.devices if d.type != "p" and not linux.resources.devices),)  # fmt: skip
    resources = replace(without_zeros(linux.resources), devices=(*devices, *made))
    return replace(linux, resources=resources, cgroups_path=_cgroups_path(linux.cgroups_path, container_id, context))


def _check_maps(maps: tuple[IdMap, ...], field: str) -> None:
    for i, entry in enumerate(maps):
        if entry.size == 0:
            raise Invalid(f"{field}[{i}].size must not be 0", field=f"{field}[{i}].size")


def _check_sysctls(config: RuntimeConfig) -> None:
    """A namespace that is joined by a path which is the host's own keeps nothing from the host."""
    ours = {"network": "net", "ipc": "ipc", "uts": "uts"}
    for namespace in config.linux.namespaces:
        if not namespace.path or namespace.type not in ours or not config.linux.sysctl:
            continue
        try:
            theirs, mine = os.stat(namespace.path), os.stat(f"/proc/self/ns/{ours[namespace.type]}")
        except OSError:
            continue  # joining it will say so
        if (theirs.st_dev, theirs.st_ino) == (mine.st_dev, mine.st_ino):
            raise Invalid(
                f"sysctls are not allowed: {namespace.path} is the host's {namespace.type} namespace",
                field="linux.sysctl",
            )


def _cgroups_path(path: str, container_id: str, context: Context) -> str:
    if context.systemd_cgroup:
        if not os.path.isdir("/run/systemd/system"):
            raise Invalid("systemd not running on this host, cannot use systemd cgroups manager", field="cgroupsPath")
        raise Invalid("--systemd-cgroup is not supported: call with the cgroupfs manager", field="cgroupsPath")
    parts = [part for part in (path or container_id).split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Invalid(f"linux.cgroupsPath must not go up: {path!r}", field="linux.cgroupsPath")
    return "/" + "/".join(parts)
