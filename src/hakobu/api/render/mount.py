"""Mounts: as inspect lists them (resolved), and as the request said them (`Binds`, `Mounts`, `Tmpfs`)."""

from typing import Any

from hakobu.spec.container import Mount, ResolvedMount


def mount_point(mount: ResolvedMount) -> dict[str, Any]:
    """One entry of inspect's and ps's `Mounts`."""
    value: dict[str, Any] = {"Type": mount.kind}
    if mount.volume:
        value["Name"] = mount.volume
    value["Source"] = mount.source if mount.kind != "tmpfs" else ""
    value["Destination"] = mount.target
    if mount.driver:
        value["Driver"] = mount.driver
    return {**value, "Mode": mount.mode, "RW": mount.read_write, "Propagation": mount.propagation}


def binds(mounts: tuple[Mount, ...]) -> list[str] | None:
    return [m.raw for m in mounts if m.raw and m.kind != "tmpfs"] or None


def tmpfs(mounts: tuple[Mount, ...]) -> dict[str, str]:
    return {m.target: m.tmpfs_options for m in mounts if m.kind == "tmpfs" and m.raw}


def requested(mounts: tuple[Mount, ...]) -> list[dict[str, Any]]:
    """`HostConfig.Mounts`: what came in that form."""
    return [_requested(m) for m in mounts if not m.raw]


def _requested(mount: Mount) -> dict[str, Any]:
    value: dict[str, Any] = {"Type": mount.kind}
    if mount.source:
        value["Source"] = mount.source
    value["Target"] = mount.target
    if mount.read_only and mount.kind != "image":
        value["ReadOnly"] = True
    if mount.consistency:
        value["Consistency"] = mount.consistency
    options = _OPTIONS[mount.kind](mount)
    if options:
        value[f"{mount.kind.title()}Options"] = options
    return value


def _bind_options(mount: Mount) -> dict[str, Any]:
    flags = {
        "Propagation": mount.propagation,
        "NonRecursive": mount.non_recursive,
        "CreateMountpoint": mount.create_source,
        "ReadOnlyNonRecursive": mount.read_only_non_recursive,
        "ReadOnlyForceRecursive": mount.read_only_force_recursive,
    }
    return {name: value for name, value in flags.items() if value}


def _volume_options(mount: Mount) -> dict[str, Any]:
    driver = {"Name": mount.volume_driver, "Options": dict(mount.volume_options)}
    options: dict[str, Any] = {
        "NoCopy": mount.no_copy,
        "Labels": dict(sorted(mount.volume_labels.items())),
        "Subpath": mount.subpath,
        "DriverConfig": {name: value for name, value in driver.items() if value},
    }
    return {name: value for name, value in options.items() if value}


def _tmpfs_options(mount: Mount) -> dict[str, Any]:
    options: dict[str, Any] = {
        "SizeBytes": mount.tmpfs_size_bytes,
        "Mode": mount.tmpfs_mode,
        "Options": [part.split("=", 1) for part in mount.tmpfs_options.split(",") if part],
    }
    return {name: value for name, value in options.items() if value}


def _image_options(mount: Mount) -> dict[str, Any]:
    return {"Subpath": mount.subpath} if mount.subpath else {}


_OPTIONS = {"bind": _bind_options, "volume": _volume_options, "tmpfs": _tmpfs_options, "image": _image_options}
