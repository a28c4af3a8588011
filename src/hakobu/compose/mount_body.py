"""A service's volumes, secrets and configs as binds and mounts of a create body. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from hakobu.compose.model.project import FileObject, Project, Volume
from hakobu.compose.model.resource import FileReference
from hakobu.compose.model.service import Service
from hakobu.compose.model.volume import ServiceVolume
from hakobu.compose.wanted import Wanted
from hakobu.spec.step import Json

_API_SOCKET = "/var/run/docker.sock"
"""Where clients in a container look for the engine."""


def mounts_of(wanted: Wanted) -> tuple[Json, Json]:
    """`Binds` for what a bind string can say (and the engine creates missing sources), `Mounts` for the rest."""
    binds: list[Json] = [f"{name}:{target}" for target, name in sorted(wanted.inherited.items())]
    mounts: list[Json] = []
    for volume in wanted.service.volumes:
        if volume.type == "volume" and not volume.source:
            continue
        if _needs_mount(volume):
            mounts.append(_mount(volume, wanted.project.volumes))
        else:
            binds.append(_bind(volume, wanted.project.volumes))
    if wanted.service.use_api_socket:
        binds.append(f"{wanted.socket}:{_API_SOCKET}:rw")
    return binds, mounts + _file_mounts(wanted)


def _needs_mount(volume: ServiceVolume) -> bool:
    """A bind string creates a missing source, and knows neither subpaths nor labels nor recursion."""
    special = volume.type in ("tmpfs", "image") or volume.subpath or volume.labels or volume.recursive
    return bool(special) or (volume.type == "bind" and volume.has_options and not volume.create_host_path)


def _bind(volume: ServiceVolume, volumes: Mapping[str, Volume]) -> str:
    source = volumes[volume.source].name if volume.type == "volume" else volume.source
    options = ["ro" if volume.read_only else "rw", volume.selinux, volume.propagation]
    options.append("nocopy" if volume.no_copy else "")
    return f"{source}:{volume.target}:{','.join(o for o in options if o)}"


def _mount(volume: ServiceVolume, volumes: Mapping[str, Volume]) -> Json:
    document: dict[str, Json] = {"Type": volume.type, "Target": volume.target, "ReadOnly": volume.read_only}
    if volume.type == "tmpfs":
        sizes: dict[str, Json] = {"SizeBytes": volume.tmpfs_size, "Mode": volume.tmpfs_mode}
        document["TmpfsOptions"] = {name: value for name, value in sizes.items() if value}
        return document
    if volume.type == "image":
        image: dict[str, Json] = {"Subpath": volume.subpath} if volume.subpath else {}
        return {**document, "Source": volume.source, "ImageOptions": image}
    if volume.type == "volume":
        options: dict[str, Json] = {"NoCopy": volume.no_copy, "Labels": dict[str, Json](dict(volume.labels))}
        if volume.subpath:
            options["Subpath"] = volume.subpath
        document |= {"Source": volumes[volume.source].name, "VolumeOptions": options}
        return document
    bind: dict[str, Json] = {"Propagation": volume.propagation} if volume.propagation else {}
    if volume.recursive == "disabled":
        bind["NonRecursive"] = True
    if volume.recursive == "writable":
        bind["ReadOnlyNonRecursive"] = True
    if volume.recursive == "readonly":
        bind["ReadOnlyForceRecursive"] = True
    document |= {"Source": volume.source, "BindOptions": bind}
    return document


def _file_mounts(wanted: Wanted) -> list[Json]:
    """Secrets and configs that are files of the host."""
    return [
        {"Type": "bind", "Source": o.file, "Target": r.target, "ReadOnly": True, "BindOptions": {}}
        for r, o in placed_files(wanted.project, wanted.service)
        if o.file and not has_owner(r)
    ]


_SECRETS, _CONFIGS = "/run/secrets", ""
"""What a target that is not absolute is below."""


def placed_files(project: Project, service: Service) -> list[tuple[FileReference, FileObject]]:
    """A service's secrets and configs, each with its absolute place in the container, and what it is."""
    found = [(_placed(r, _SECRETS), project.secrets[r.source]) for r in service.secrets]
    return found + [(_placed(r, _CONFIGS), project.configs[r.source]) for r in service.configs]


def _placed(reference: FileReference, folder: str) -> FileReference:
    target = reference.target or reference.source
    return reference if target.startswith("/") and reference.target else replace(reference, target=f"{folder}/{target}")


def has_owner(reference: FileReference) -> bool:
    """Whether a secret or config asks for an owner or a mode, which a mounted file cannot be given."""
    return bool(reference.uid or reference.gid or reference.mode is not None)
