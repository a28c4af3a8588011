"""`Binds`, `Mounts`, `Tmpfs` and `Volumes`: four ways of saying what is mounted where, into one.

Texts and rules are Docker's. Whether a source exists is the engine's business.
"""

import posixpath
import re

from hakobu.errors import Invalid
from hakobu.spec.container import Mount
from hakobu.wire import container as wire
from hakobu.wire.version import READ_ONLY_MOUNTS_RECURSE, ApiVersion

PROPAGATIONS = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
_CONSISTENCY = frozenset({"consistent", "cached", "delegated", "default"})
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


def mounts(host: wire.HostConfigShape, version: ApiVersion) -> tuple[Mount, ...]:
    """All mounts of a create request; the same target twice is refused."""
    recursive = version >= READ_ONLY_MOUNTS_RECURSE
    driver = host.get("VolumeDriver") or ""
    found = [
        *(_bind(raw, driver, read_only_recursive=recursive) for raw in host.get("Binds") or ()),
        *(_mount(given, read_only_recursive=recursive) for given in host.get("Mounts") or ()),
        *(_tmpfs(target, options) for target, options in (host.get("Tmpfs") or {}).items()),
    ]
    seen: set[str] = set()
    for mount in found:
        if mount.target in seen:
            raise Invalid(f"Duplicate mount point: {mount.target}", field="HostConfig.Mounts")
        seen.add(mount.target)
    return tuple(found)


def volume_paths(volumes: "dict[str, wire.Empty] | None") -> tuple[str, ...]:
    """`Config.Volumes`: anonymous volumes by their target."""
    return tuple(_target(path, "volume") for path in volumes or ())


def _bind(raw: str, driver: str, *, read_only_recursive: bool) -> Mount:
    parts = raw.split(":")
    if not 1 <= len(parts) <= 3 or "" in parts or (len(parts) == 2 and _is_mode(parts[1])):
        raise _bad_spec(raw)
    source, target = ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1])
    mode = parts[2] if len(parts) == 3 else ""
    flags = _mode_flags(mode)
    read_only = "ro" in flags
    propagation = next((flag for flag in flags if flag in PROPAGATIONS), "")
    try:
        if source.startswith("/"):
            return Mount(
                kind="bind",
                source=posixpath.normpath(source),
                target=_target(target, "bind"),
                read_only=read_only,
                read_only_non_recursive=read_only and not read_only_recursive,
                propagation=propagation,
                create_source=True,
                consistency=next((flag for flag in flags if flag in _CONSISTENCY), ""),
                raw=raw,
            )
        if propagation:
            raise _bad_mount("volume", f"invalid propagation mode: {propagation}")
        return Mount(
            kind="volume",
            source=_volume_name(source),
            target=_target(target, "volume"),
            read_only=read_only,
            no_copy="nocopy" in flags,
            volume_driver=driver,
            raw=raw,
        )
    except Invalid as error:
        raise Invalid(f"{_bad_spec(raw)}: {error}", field="HostConfig.Binds") from error


def _is_mode(text: str) -> bool:
    try:
        _mode_flags(text)
    except Invalid:
        return False
    return True


def _mode_flags(mode: str) -> tuple[str, ...]:
    """The flags of a bind's third part; each group at most once."""
    flags = tuple(mode.split(",")) if mode else ()
    groups = (frozenset({"ro", "rw"}), frozenset({"z", "Z"}), frozenset({"nocopy"}), PROPAGATIONS, _CONSISTENCY)
    if any(not any(flag in group for group in groups) for flag in flags) or any(
        sum(f in group for f in flags) > 1 for group in groups
    ):
        raise Invalid(f"invalid mode: {mode}", field="HostConfig.Binds")
    return flags


def _mount(given: wire.Mount, *, read_only_recursive: bool) -> Mount:
    kind = given.get("Type") or ""
    target = _target(given.get("Target") or "", kind)
    options = {name: given.get(name) for name in ("BindOptions", "VolumeOptions", "TmpfsOptions", "ImageOptions")}
    allowed = {"bind": "BindOptions", "volume": "VolumeOptions", "tmpfs": "TmpfsOptions", "image": "ImageOptions"}
    if kind not in allowed:
        raise _bad_mount(kind, "mount type unknown")
    for name, value in options.items():
        if value is not None and name != allowed[kind]:
            raise _bad_mount(kind, f"field {name} must not be specified")
    match kind:
        case "bind":
            return _bind_mount(given, target, read_only_recursive=read_only_recursive)
        case "volume":
            return _volume_mount(given, target)
        case "tmpfs":
            return _tmpfs_mount(given, target)
        case _:
            return _image_mount(given, target)


def _bind_mount(given: wire.Mount, target: str, *, read_only_recursive: bool) -> Mount:
    source = given.get("Source") or ""
    options: wire.BindOptionsShape = given.get("BindOptions") or {}
    read_only = bool(given.get("ReadOnly"))
    propagation = options.get("Propagation") or ""
    if not source:
        raise _bad_mount("bind", "field Source must not be empty")
    if not source.startswith("/"):
        raise _bad_mount("bind", f"invalid mount path: '{source}' mount path must be absolute")
    if propagation and propagation not in PROPAGATIONS:
        raise _bad_mount("bind", f"invalid propagation mode: {propagation}")
    force = bool(options.get("ReadOnlyForceRecursive"))
    non_recursive = bool(options.get("ReadOnlyNonRecursive"))
    if (force or non_recursive) and not read_only:
        raise _bad_mount("bind", "mount must be read-only for its recursive read-only options")
    if force and (non_recursive or (propagation and propagation != "rprivate")):
        raise _bad_mount("bind", "ReadOnlyForceRecursive needs private propagation and no ReadOnlyNonRecursive")
    return Mount(
        kind="bind",
        source=posixpath.normpath(source),
        target=target,
        read_only=read_only,
        propagation=propagation,
        non_recursive=bool(options.get("NonRecursive")),
        read_only_non_recursive=read_only and (non_recursive or not (read_only_recursive or force)),
        read_only_force_recursive=force,
        create_source=bool(options.get("CreateMountpoint")),
        consistency=_consistency(given),
    )


def _volume_mount(given: wire.Mount, target: str) -> Mount:
    source = given.get("Source") or ""
    options: wire.VolumeOptionsShape = given.get("VolumeOptions") or {}
    driver: wire.VolumeDriver = options.get("DriverConfig") or {}
    if not source and given.get("ReadOnly"):
        raise _bad_mount("volume", "must not set ReadOnly mode when using anonymous volumes")
    subpath = options.get("Subpath") or ""
    if subpath and (subpath.startswith("/") or ".." in subpath.split("/")):
        raise _bad_mount("volume", f"subpath must be a relative path within the volume: {subpath}")
    return Mount(
        kind="volume",
        source=_volume_name(source) if source else "",
        target=target,
        read_only=bool(given.get("ReadOnly")),
        no_copy=bool(options.get("NoCopy")),
        subpath=subpath,
        volume_driver=driver.get("Name") or "",
        volume_options=dict(driver.get("Options") or {}),
        volume_labels=dict(options.get("Labels") or {}),
        consistency=_consistency(given),
    )


def _tmpfs_mount(given: wire.Mount, target: str) -> Mount:
    options: wire.TmpfsOptionsShape = given.get("TmpfsOptions") or {}
    if given.get("Source"):
        raise _bad_mount("tmpfs", "field Source must not be specified")
    extra = ",".join("=".join(pair) for pair in options.get("Options") or ())
    return Mount(
        kind="tmpfs",
        target=target,
        read_only=bool(given.get("ReadOnly")),
        tmpfs_size_bytes=options.get("SizeBytes") or 0,
        tmpfs_mode=options.get("Mode") or 0,
        tmpfs_options=extra,
        consistency=_consistency(given),
    )


def _image_mount(given: wire.Mount, target: str) -> Mount:
    source = given.get("Source") or ""
    options: wire.ImageOptionsShape = given.get("ImageOptions") or {}
    if not source:
        raise _bad_mount("image", "field Source must not be empty")
    return Mount(kind="image", source=source, target=target, read_only=True, subpath=options.get("Subpath") or "")


def _tmpfs(target: str, options: str) -> Mount:
    """An entry of `HostConfig.Tmpfs`; `raw` marks it, so that inspect can say it the same way."""
    return Mount(kind="tmpfs", target=_target(target, "tmpfs"), tmpfs_options=options, raw=target)


def _consistency(given: wire.Mount) -> str:
    value = given.get("Consistency") or ""
    if value and value not in _CONSISTENCY:
        raise _bad_mount(given.get("Type") or "", f"invalid consistency: {value}")
    return value


def _target(path: str, kind: str) -> str:
    if not path:
        raise _bad_mount(kind, "field Target must not be empty")
    if not path.startswith("/"):
        raise _bad_mount(kind, f"invalid mount path: '{path}' mount path must be absolute")
    clean = posixpath.normpath(path)
    if clean in ("/", "//"):
        raise _bad_mount(kind, "invalid specification: destination can't be '/'")
    return clean


def _volume_name(name: str) -> str:
    if name and _VOLUME_NAME.fullmatch(name) is None:
        raise Invalid(
            f'"{name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are '
            "allowed. If you intended to pass a host directory, use absolute path",
            field="HostConfig.Binds",
        )
    return name


def _bad_mount(kind: str, why: str) -> Invalid:
    return Invalid(f'invalid mount config for type "{kind}": {why}', field="HostConfig.Mounts")


def _bad_spec(raw: str) -> Invalid:
    return Invalid(f"invalid volume specification: '{raw}'", field="HostConfig.Binds")
