"""The mounts of a container as steps, parents before children. Pure."""

from hakobu.runtime.plan.options import MOUNT_ATTR_RDONLY, MountOptions, parse_options
from hakobu.spec.rootfs import Rootfs
from hakobu.spec.runtime_config import ConfigMount, IdMap, Root
from hakobu.spec.step import Json, Place, Step

NEW_MOUNT = ("fsopen", "fsconfig", "fsmount", "move_mount")


def plan_rootfs(rootfs: Rootfs | None, root: Root) -> Step:
    """An overlay of snapshots, or a directory that exists (an OCI bundle's)."""
    if rootfs is None:
        return Step("rootfs.bind", Place.CHILD, {"source": root.path}, ("open_tree", "move_mount"))
    if rootfs.merged:
        copy = f"{rootfs.snapshots_dir}/{rootfs.merged}"
        return Step("rootfs.bind", Place.CHILD, {"source": copy}, ("open_tree", "move_mount"))
    args: dict[str, Json] = {
        "snapshots_dir": rootfs.snapshots_dir,
        "lower": list(rootfs.lower),
        "upper": rootfs.upper,
        "work": rootfs.work,
    }
    return Step("rootfs.mount", Place.CHILD, args, NEW_MOUNT)


def plan_mount(mount: ConfigMount, cgroups: "list[Json]", cgroup_version: int) -> Step:
    """One entry of the configuration's mounts; `cgroups` are (name, host path) of what to show of each hierarchy."""
    options = parse_options(mount.options)
    if mount.type == "cgroup":
        return _cgroup(mount, options, cgroups, cgroup_version)
    if is_bind(mount):
        return _bind(mount, options)
    if mount.type == "overlay" and (lower := _value(options, "lowerdir")) and not _value(options, "upperdir"):
        return _layers(mount, options, lower)
    args: dict[str, Json] = {
        "type": mount.type,
        "source": mount.source,
        "target": mount.destination,
        "attributes": options.attr_set,
        "data": list(options.data),
        **({"copy_up": True} if options.copy_up else {}),
        **_propagation(options),
    }
    return Step("mount.new", Place.CHILD, args, NEW_MOUNT)


def _value(options: MountOptions, name: str) -> str:
    return next((o.partition("=")[2] for o in options.data if o.startswith(f"{name}=")), "")


def _layers(mount: ConfigMount, options: MountOptions, lower: str) -> Step:
    """Directories one above the other, to be read; `subpath` (ours) shows a place in them."""
    args: dict[str, Json] = {
        "lower": list(lower.split(":")),
        "target": mount.destination,
        "subpath": _value(options, "subpath"),
        **_propagation(options),
    }
    return Step("mount.layers", Place.CHILD, args, NEW_MOUNT)


def is_bind(mount: ConfigMount) -> bool:
    return mount.type == "bind" or "bind" in mount.options or "rbind" in mount.options


def _bind(mount: ConfigMount, options: MountOptions) -> Step:
    args: dict[str, Json] = {
        "source": mount.source,
        "target": mount.destination,
        "recursive": options.bind != 1,
        "set": options.attr_set,
        "clear": options.attr_clr,
        "recursive_set": options.recursive_set,
        **({"recursive_clear": options.recursive_clear} if options.recursive_clear else {}),
        **_id_map(mount, options),
        **_propagation(options),
    }
    return Step("mount.bind", Place.CHILD, args, _bind_syscalls(options))


def _bind_syscalls(options: MountOptions) -> tuple[str, ...]:
    """Attributes are set before the tree is attached, propagation after; without one the tree is made private."""
    changes = options.attr_set or options.attr_clr or options.recursive_set or options.recursive_clear
    before = changes or options.idmap or not options.propagation
    after = ("mount_setattr",) if options.propagation else ()
    return ("open_tree", *(("mount_setattr",) if before else ()), "move_mount", *after)


def _id_map(mount: ConfigMount, options: MountOptions) -> dict[str, Json]:
    """An idmapped mount by maps of its own, or, where only the option asks for one, by the container's."""
    if not options.idmap and not mount.uid_mappings and not mount.gid_mappings:
        return {}

    def lines(maps: tuple[IdMap, ...]) -> list[Json]:
        return [[m.container_id, m.host_id, m.size] for m in maps]

    maps: dict[str, Json] = {"uid": lines(mount.uid_mappings), "gid": lines(mount.gid_mappings)}
    return {"idmap": maps, "idmap_recursive": options.idmap == 2}


def _cgroup(mount: ConfigMount, options: MountOptions, cgroups: "list[Json]", version: int) -> Step:
    args: dict[str, Json] = {
        "target": mount.destination,
        "version": version,
        "hierarchies": cgroups,
        "read_only": bool(options.attr_set & MOUNT_ATTR_RDONLY),
    }
    return Step("mount.cgroup", Place.CHILD, args, NEW_MOUNT if version == 2 else ("fsopen", "open_tree", "move_mount"))


def _propagation(options: MountOptions) -> dict[str, Json]:
    if not options.propagation:
        return {}
    return {"propagation": options.propagation, "propagation_recursive": options.propagation_recursive}
