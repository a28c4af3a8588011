"""The file system of containers: snapshots, volumes, and every mount a container will have.

Implements `ports.Roots` on `store/`'s facade; what blocks runs in threads, what walks trees in workers.
"""

import asyncio
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace

from hakobu.engine.records import Records
from hakobu.errors import HakobuError, Invalid
from hakobu.kernel import mountinfo
from hakobu.runtime.defaults import INIT_LAYER
from hakobu.spec.container import Container, FileSystem, Mount, ResolvedMount
from hakobu.spec.digest import Digest, is_hex_id
from hakobu.spec.rootfs import Rootfs
from hakobu.spec.volume import Volume
from hakobu.store.open import Stores
from hakobu.store.snapshots import has_failed

VolumeEvent = Callable[[str, Volume], None]
"""What happened to a volume."""


class ContainerRoots:
    def __init__(
        self, stores: Stores, records: Records, directory_of: Callable[[str], str], volume_event: VolumeEvent
    ) -> None:
        self._stores, self._records, self._directory_of = stores, records, directory_of
        self._volume_event = volume_event

    def _diff_ids(self, image_id: str) -> tuple[Digest, ...]:
        return tuple(Digest.parse(d) for d in self._stores.images.get(image_id).diff_ids)

    async def prepare(self, container_id: str, image_id: str) -> "asyncio.Future[None]":
        snapshots, arrivals = self._stores.snapshots, self._stores.arrivals
        if not snapshots.has_init:
            await asyncio.to_thread(snapshots.ensure_init, INIT_LAYER)
        await arrivals.enter()
        try:
            made = snapshots.prepare(container_id, image_id, self._diff_ids(image_id))
        except BaseException:
            arrivals.leave(failed=True)
            raise
        made.add_done_callback(lambda done: arrivals.leave(failed=has_failed(done)))
        return asyncio.ensure_future(self._made(container_id, image_id, asyncio.wrap_future(made)))

    async def _made(self, container_id: str, image_id: str, made: "asyncio.Future[None]") -> None:
        """The directory for files while the row is written, when whatever else was to be queued has been."""
        os.makedirs(self._directory_of(container_id), mode=0o710, exist_ok=True)
        await made
        if self._stores.snapshots.is_native:
            rootfs = self._stores.snapshots.rootfs(container_id, self._diff_ids(image_id))
            base = rootfs.snapshots_dir
            args = {"layers": [f"{base}/{name}" for name in rootfs.lower], "merged": f"{base}/{rootfs.merged}"}
            await asyncio.to_thread(self._stores.pool.run, "native-make", args)

    def upper(self, container: Container) -> str:
        """The directory of what the container changed, as of now; blocks, where it must be found out first."""
        rootfs = self.rootfs(container)
        upper = f"{rootfs.snapshots_dir}/{rootfs.upper}"
        if rootfs.merged:
            args = {"merged": f"{rootfs.snapshots_dir}/{rootfs.merged}", "upper": upper}
            self._stores.pool.run("native-changes", args)
        return upper

    def rootfs(self, container: Container) -> Rootfs:
        return self._stores.snapshots.rootfs(container.id, self._diff_ids(container.image_id))

    async def remove(self, container_id: str) -> None:
        await asyncio.to_thread(self._remove, container_id)

    async def discard(self, container_id: str) -> None:
        await asyncio.to_thread(self._discard, container_id)

    def _remove(self, container_id: str) -> None:
        self._stores.snapshots.remove(container_id)
        self._discard(container_id)

    def _discard(self, container_id: str) -> None:
        self._stores.snapshots.discard(container_id)
        shutil.rmtree(self._directory_of(container_id), ignore_errors=True)

    def clean(self, known: frozenset[str]) -> None:
        """Directories of containers that are gone, left by a daemon that died while it removed them."""
        top = os.path.dirname(self._directory_of("x"))
        for name in os.listdir(top) if os.path.isdir(top) else ():
            if is_hex_id(name) and name not in known:
                shutil.rmtree(f"{top}/{name}", ignore_errors=True)

    # Mounts and volumes

    async def volumes(self, container: Container) -> tuple[ResolvedMount, ...]:
        """The user's mounts win over those of `volumes_from`, and these over the image's volumes."""
        resolved: dict[str, ResolvedMount] = {}
        made: list[str] = []
        try:
            for mount in self._inherited(container):
                resolved[mount.target] = mount
            for mount in container.spec.mounts:
                resolved[os.path.normpath(mount.target)] = await self._resolve(container, mount, made)
            for target in container.volumes:
                path = os.path.normpath(target)
                if path not in resolved:
                    anonymous = Mount(kind="volume", target=path)
                    resolved[path] = await self._resolve(container, anonymous, made)
        except BaseException:
            for name in made:
                await asyncio.to_thread(self._stores.volumes.remove, name)
            raise
        return tuple(resolved.values())

    def _inherited(self, container: Container) -> Sequence[ResolvedMount]:
        found: list[ResolvedMount] = []
        for given in container.spec.volumes_from:
            ref, _, mode = given.partition(":")
            for mount in self._records.get(ref).mounts:
                if mount.kind in ("bind", "volume"):
                    writes = mount.read_write and mode != "ro"
                    found.append(_with(mount, writes, mode))
        return found

    async def _resolve(self, container: Container, mount: Mount, made: list[str]) -> ResolvedMount:
        match mount.kind:
            case "bind":
                return self._bind(mount)
            case "tmpfs":
                return ResolvedMount(
                    kind="tmpfs", target=os.path.normpath(mount.target), read_write=not mount.read_only
                )
            case "image":
                return self._image(mount)
            case "volume":
                return await self._volume(container, mount, made)

    def _image(self, mount: Mount) -> ResolvedMount:
        """Its layers are mounted read-only; it stays for as long as a container mounts it."""
        record = self._stores.images.get(mount.source)
        return ResolvedMount(
            kind="image",
            target=os.path.normpath(mount.target),
            source=mount.source,
            read_write=False,
            image_id=record.id,
            subpath=mount.subpath,
        )

    def layers(self, image_id: str) -> tuple[str, ...]:
        """Directories on the host, from top to bottom."""
        snapshots = self._stores.snapshots
        return tuple(f"{snapshots.directory}/{path}" for path in snapshots.layer_paths(self._diff_ids(image_id)))

    def _bind(self, mount: Mount) -> ResolvedMount:
        if not os.path.exists(mount.source):
            if not mount.create_source:
                raise Invalid(
                    f'invalid mount config for type "bind": bind source path does not exist: {mount.source}',
                    field="Mounts",
                )
            try:
                os.makedirs(mount.source, exist_ok=True)
            except OSError as error:
                raise HakobuError(
                    f"error while creating mount source path '{mount.source}': {(error.strerror or '').lower()}"
                ) from error
        _check_propagation(mount)
        return ResolvedMount(
            kind="bind",
            target=os.path.normpath(mount.target),
            source=os.path.normpath(mount.source),
            mode=_mode_of(mount),
            read_write=not mount.read_only,
            propagation=mount.propagation or "rprivate",
        )

    async def _volume(self, container: Container, mount: Mount, made: list[str]) -> ResolvedMount:
        volumes = self._stores.volumes
        driver = mount.volume_driver or container.spec.volume_driver
        volume, is_new = await asyncio.to_thread(
            volumes.create, mount.source, driver, mount.volume_options, mount.volume_labels
        )
        if is_new:
            made.append(volume.name)
            self._volume_event("create", volume)
        if volume.options:
            return await _foreign(volume, mount)
        source = volume.mountpoint
        if not mount.no_copy and not mount.subpath and not os.listdir(source):
            await self._copy_up(container, mount.target, source)
        if mount.subpath:
            source = _inside(source, mount.subpath)
        return ResolvedMount(
            kind="volume",
            target=os.path.normpath(mount.target),
            source=source,
            volume=volume.name,
            driver=volume.driver,
            mode=_mode_of(mount) or "z",
            read_write=not mount.read_only,
            propagation="",
        )

    async def _copy_up(self, container: Container, path: str, target: str) -> None:
        """What the image has at the mount point becomes the content of an empty volume."""
        overlay = await asyncio.to_thread(self.overlay, container)
        args = {"overlay": overlay, "path": path, "target": target}
        await asyncio.to_thread(self._stores.pool.run, "copy-tree", args)

    def overlay(self, container: Container) -> dict[str, object]:
        """The container's root for a worker to mount in a namespace of its own."""
        rootfs = self.rootfs(container)
        return {
            "snapshots_dir": rootfs.snapshots_dir,
            "lower": list(rootfs.lower),
            "upper": rootfs.upper,
            "work": rootfs.work,
            "merged": rootfs.merged,
            "mounts": [[_on_disk(m), m.target] for m in container.mounts if m.kind in ("bind", "volume")],
        }

    async def remove_anonymous(self, mounts: Sequence[ResolvedMount]) -> None:
        used = {m.volume for c in self._records for m in c.mounts if m.volume}
        for mount in mounts:
            volume = next((v for v in self._stores.volumes.all() if v.name == mount.volume), None)
            if volume is not None and volume.anonymous and volume.name not in used:
                await asyncio.to_thread(self._stores.volumes.remove, volume.name)
                self._volume_event("destroy", volume)


def _with(mount: ResolvedMount, read_write: bool, mode: str) -> ResolvedMount:
    return replace(mount, mode=mode or mount.mode, read_write=read_write)


async def _foreign(volume: Volume, mount: Mount) -> ResolvedMount:
    """A volume that is a file system of its own (or a directory elsewhere): nothing is copied into it."""
    options = await _with_addresses(volume.options.get("o", ""))
    if mount.subpath:
        raise Invalid(f"subpath is not supported of a volume with options: {volume.name}", field="Mounts")
    return ResolvedMount(
        kind="volume",
        target=os.path.normpath(mount.target),
        source=volume.mountpoint,
        volume=volume.name,
        driver=volume.driver,
        mode=_mode_of(mount) or "z",
        read_write=not mount.read_only,
        file_system=FileSystem(volume.options["type"], volume.options["device"], options),
    )


async def _with_addresses(options: str) -> str:
    """`addr=` of a network file system by number, as the kernel wants it."""
    found: list[str] = []
    for option in options.split(","):
        name, _, host = option.partition("=")
        if name == "addr" and host:
            try:
                host = (await asyncio.get_running_loop().getaddrinfo(host, None))[0][4][0]
            except OSError as error:
                raise Invalid(f"error resolving passed in network volume address: {error}", field="Mounts") from error
            option = f"addr={host}"
        found.append(option)
    return ",".join(found)


def _on_disk(mount: ResolvedMount) -> str:
    """Where a stopped container's mount lies; what is not a directory of the host has nothing to show then."""
    own = mount.file_system
    return own.device if own is not None and own.is_bind else mount.source


def _check_propagation(mount: Mount) -> None:
    """What is to be shared with the host must lie on a mount that the host shares."""
    allowed = {"shared": {"shared"}, "slave": {"shared", "slave"}}.get(mount.propagation.removeprefix("r"))
    if allowed is None:
        return
    path = os.path.realpath(mount.source)
    found = mountinfo.mount_of(path, mountinfo.read())
    if found is not None and found.propagation not in allowed:
        what = "shared" if allowed == {"shared"} else "shared or slave"
        raise HakobuError(f"path {mount.source} is mounted on {found.mount_point} but it is not a {what} mount")


def _mode_of(mount: Mount) -> str:
    """The third part of a `Binds` string, as `inspect` shows it."""
    parts = mount.raw.split(":")
    return parts[2] if len(parts) > 2 else ""


def _inside(root: str, subpath: str) -> str:
    """A directory of a volume, resolved without leaving it."""
    path = os.path.realpath(f"{root}/{subpath}")
    if (path != root and not path.startswith(f"{root}/")) or not os.path.isdir(path):
        raise Invalid(f"subpath {subpath!r} is not a directory of the volume", field="Mounts")
    return path
