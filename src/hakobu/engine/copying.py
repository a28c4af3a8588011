"""Copying in and out of containers, export, diff and sizes: on the running container's root, or on its snapshot.

The root is a descriptor that the shim hands over, walked from outside by a worker; of a stopped container a
worker mounts the overlay in a namespace of its own for the time of the walk.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any, cast

from hakobu.engine.records import Records
from hakobu.engine.roots import ContainerRoots
from hakobu.engine.services import Archive, Change, ContainerSize, PathStat
from hakobu.engine.thread import in_own_thread
from hakobu.errors import HakobuError, Kind
from hakobu.runtime.defaults import INIT_LAYER
from hakobu.runtime.passwd import resolve
from hakobu.spec.container import Container, Status
from hakobu.spec.download import Outlet
from hakobu.spec.plan import Runtime
from hakobu.spec.upload import Upload
from hakobu.store.open import Stores

_ALIVE = (Status.RUNNING, Status.PAUSED)


class NoSuchPath(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, name: str, path: str) -> None:
        super().__init__(f"Could not find the file {path} in container {name}")


class NotADirectory(HakobuError):
    kind = Kind.INVALID

    def __init__(self, path: str) -> None:
        super().__init__(f"extraction point is not a directory: {path}")


class Copier:
    def __init__(self, stores: Stores, roots: ContainerRoots, records: Records, runtime: Runtime) -> None:
        self._stores, self._roots, self._records, self._runtime = stores, roots, records, runtime

    async def _root(self, container: Container) -> "tuple[dict[str, object], tuple[int, ...]]":
        """What a worker needs to see the container's root; the descriptor, if there is one, is the caller's."""
        current = self._records.get(container.id)
        if current.state.status in _ALIVE:
            return {}, (await self._runtime.root(container.id),)
        return {"overlay": await asyncio.to_thread(self._roots.overlay, current)}, ()

    async def stat(self, container: Container, path: str) -> PathStat:
        where, fds = await self._root(container)
        try:
            args = {**where, "path": _absolute(path)}
            facts = cast("dict[str, Any] | None", await asyncio.to_thread(self._stores.pool.run, "stat", args, fds))
        finally:
            for fd in fds:
                os.close(fd)
        if facts is None:
            raise NoSuchPath(container.name, path)
        name = os.path.basename(_absolute(path).rstrip("/")) or "/"
        return PathStat(name, facts["size"], facts["mode"], facts["mtime_ns"], facts["link"])

    async def copy_out(self, container: Container, path: str) -> Archive:
        stat = await self.stat(container, path)
        where, fds = await self._root(container)
        inside = os.path.normpath(_absolute(path))
        name = "." if path.rstrip("/").endswith("/.") or inside == "/" else os.path.basename(inside)
        args = {**where, "path": inside, "name": "" if inside == "/" else name}
        return self._packing(args, fds, stat)

    async def export(self, container: Container) -> Archive:
        where, fds = await self._root(container)
        skip = [m.target + "/" for m in container.mounts]
        args = {**where, "path": "/", "name": "", "one_device": True, "skip": skip}
        return self._packing(args, fds)

    def _packing(self, args: "dict[str, object]", fds: Sequence[int], stat: PathStat | None = None) -> Archive:
        async def send(outlet: Outlet) -> None:
            told = {**args, "chunked": outlet.chunked}
            await in_own_thread(self._stores.pool.run, "pack-tree", told, (outlet.fd, *fds), paced=True)

        def close() -> None:
            for fd in fds:
                os.close(fd)

        return Archive(send, close, stat)

    async def copy_in(
        self, container: Container, path: str, upload: Upload, *, no_overwrite_dir_non_dir: bool, copy_owner: bool
    ) -> None:
        target = await self.stat(container, _absolute(path).rstrip("/") + "/")
        if target.mode & 0o170000 != 0o040000:
            raise NotADirectory(path)
        args: dict[str, object] = {
            "path": _absolute(path),
            "no_overwrite_dir_non_dir": no_overwrite_dir_non_dir,
            "owner": await self._owner(container) if copy_owner else None,
        }
        self._refuse_read_only(container, path)
        where, fds = await self._root(container)
        try:
            await in_own_thread(self._stores.pool.run, "apply", {**where, **args}, (*upload.fds, *fds), paced=True)
        finally:
            for fd in fds:
                os.close(fd)

    def _refuse_read_only(self, container: Container, path: str) -> None:
        inside = os.path.normpath(_absolute(path))
        for mount in sorted(container.mounts, key=lambda m: -len(m.target)):
            if inside == mount.target or inside.startswith(f"{mount.target}/"):
                if not mount.read_write:
                    raise ReadOnly("mounted volume is marked read-only")
                return
        if container.spec.security.read_only_rootfs:
            raise ReadOnly("container rootfs is marked read-only")

    async def _owner(self, container: Container) -> Sequence[int]:
        """The ids of the container's user, by the image's own files."""
        _, fds = await self._root(container)
        if not fds:
            rootfs = self._roots.rootfs(container)
            fds = (os.open(f"{rootfs.snapshots_dir}/{rootfs.lower[-1]}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC),)
        try:
            found = resolve(fds[0], container.user, ())
        finally:
            for fd in fds:
                os.close(fd)
        return found.uid, found.gid

    async def changes(self, container: Container) -> Sequence[Change]:
        rootfs = await asyncio.to_thread(self._roots.rootfs, container)
        base = rootfs.snapshots_dir
        skip = [m.target for m in container.mounts] + [e.path for e in INIT_LAYER]
        args = {
            "upper": await asyncio.to_thread(self._roots.upper, container),
            "lowers": [f"{base}/{name}" for name in rootfs.lower],
            "skip": skip,
        }
        found = await asyncio.to_thread(self._stores.pool.run, "diff", args)
        return [Change(path, kind) for path, kind in found]

    def layer_paths(self, container: Container) -> Mapping[str, str]:
        """Empty for a container whose image or layers are lost."""
        try:
            rootfs = self._roots.rootfs(container)
        except HakobuError:
            return {}
        base = rootfs.snapshots_dir
        return {
            "LowerDir": ":".join(f"{base}/{name}" for name in rootfs.lower),
            "UpperDir": f"{base}/{rootfs.upper}",
            "WorkDir": f"{base}/{rootfs.work}",
        }

    async def size(self, container: Container) -> ContainerSize:
        args = {"directories": [await asyncio.to_thread(self._roots.upper, container)]}
        writable = (await asyncio.to_thread(self._stores.pool.run, "usage", args))[0]
        image = self._stores.images.find(container.image_id)
        return ContainerSize(writable, writable + (image.size_bytes if image else 0))


class ReadOnly(HakobuError):
    kind = Kind.INVALID


def _absolute(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"
