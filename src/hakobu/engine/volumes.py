"""Volumes as a door sees them, with Docker's refusals and filters."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence

from hakobu.engine.announce import volume_event
from hakobu.engine.listing import check_filters, has_labels, prunable
from hakobu.engine.records import Records
from hakobu.engine.services import Events, Filters
from hakobu.errors import HakobuError, Kind
from hakobu.spec.volume import Volume
from hakobu.store.open import Stores
from hakobu.store.volumes import NoSuchVolume, VolumeNameInUse

_KEYS = frozenset({"dangling", "driver", "label", "name"})


class VolumeInUse(HakobuError):
    kind = Kind.CONFLICT

    def __init__(self, name: str, holders: Sequence[str], *, verb: str = "remove") -> None:
        super().__init__(f"{verb} {name}: volume is in use - [{', '.join(holders)}]")


class NothingToClone(HakobuError):
    kind = Kind.INVALID

    def __init__(self, name: str) -> None:
        super().__init__(f"clone {name}: the volume mounts a device of its own: its files are not the engine's")


class VolumeService:
    """Implements `services.Volumes`."""

    def __init__(self, stores: Stores, records: Records, events: Events) -> None:
        self._stores, self._records, self._events = stores, records, events

    async def create(self, name: str, driver: str, options: Mapping[str, str], labels: Mapping[str, str]) -> Volume:
        volume, is_new = await asyncio.to_thread(self._stores.volumes.create, name, driver, options, labels)
        if is_new:
            volume_event(self._events, "create", volume)
        return volume

    def get(self, name: str) -> Volume:
        return self._stores.volumes.get(name)

    async def list(self, filters: Filters | None = None) -> Sequence[Volume]:
        chosen = filters or {}
        check_filters(chosen, _KEYS)
        return [v for v in self._stores.volumes.all() if self._matches(v, chosen)]

    async def remove(self, name: str, *, force: bool = False) -> None:
        try:
            volume = self._stores.volumes.get(name)
        except NoSuchVolume:
            if force:
                return
            raise
        if holders := self._holders(name):
            raise VolumeInUse(name, holders)
        await asyncio.to_thread(self._stores.volumes.remove, name)
        volume_event(self._events, "destroy", volume)

    async def rename(self, name: str, new: str) -> Volume:
        """Containers know their volumes by name: one that refers to it, running or not, is in the way."""
        self._stores.volumes.get(name)
        if holders := self._holders(name):
            raise VolumeInUse(name, holders, verb="rename")
        renamed = await asyncio.to_thread(self._stores.volumes.rename, name, new)
        volume_event(self._events, "rename", renamed, oldName=name)
        return renamed

    async def clone(self, name: str, new: str) -> Volume:
        """A new volume with the files of another, their owners, links and holes; labels come along.

        Nothing is held still meanwhile: a file that is being written is copied as it is at that moment.
        """
        source = self._stores.volumes.get(name)
        if source.options:
            raise NothingToClone(name)
        if any(volume.name == new for volume in self._stores.volumes.all()):
            raise VolumeNameInUse(new)
        clone = await self.create(new, source.driver, {}, source.labels)
        try:
            await asyncio.to_thread(self._copy, source, clone)
        except BaseException:
            await asyncio.to_thread(self._stores.volumes.remove, new)
            raise
        return clone

    def _copy(self, source: Volume, target: Volume) -> None:
        source_fd = os.open(source.mountpoint, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            info = os.fstat(source_fd)
            os.chown(target.mountpoint, info.st_uid, info.st_gid)
            os.chmod(target.mountpoint, info.st_mode & 0o7777)
            self._stores.pool.run("copy-tree", {"path": "/", "target": target.mountpoint}, [source_fd])
        finally:
            os.close(source_fd)

    async def prune(
        self, filters: Filters | None = None, *, among: Callable[[Volume], bool] | None = None
    ) -> tuple[tuple[str, ...], int]:
        """Anonymous ones; all unused ones with `all=true`."""
        chosen = filters or {}
        check_filters(chosen, frozenset({"label", "label!", "all"}))
        takes_named = any(v.lower() in ("1", "true") for v in chosen.get("all", ()))
        rest = {k: v for k, v in chosen.items() if k != "all"}
        removed, freed = list[str](), 0
        for volume in self._stores.volumes.all():
            if (among and not among(volume)) or self._holders(volume.name) or not (volume.anonymous or takes_named):
                continue
            if prunable(volume.created_ns, volume.labels, rest):
                freed += (await self._sizes([volume]))[0]
                await self.remove(volume.name)
                removed.append(volume.name)
        return tuple(removed), freed

    async def usage(self) -> Mapping[str, tuple[int, int]]:
        volumes = self._stores.volumes.all()
        sizes = await self._sizes(volumes)
        return {v.name: (s, len(self._holders(v.name))) for v, s in zip(volumes, sizes, strict=True)}

    async def _sizes(self, volumes: Sequence[Volume]) -> "Sequence[int]":
        if not volumes:
            return []
        args = {"directories": [v.mountpoint for v in volumes]}
        return await asyncio.to_thread(self._stores.pool.run, "usage", args)

    def _holders(self, name: str) -> Sequence[str]:
        return [c.id for c in self._records if any(m.volume == name for m in c.mounts)]

    def _matches(self, volume: Volume, filters: Filters) -> bool:
        names, drivers = filters.get("name", ()), filters.get("driver", ())
        dangling = not self._holders(volume.name)
        wanted = filters.get("dangling", ())
        return (
            (not names or any(n in volume.name for n in names))
            and (not drivers or volume.driver in drivers)
            and has_labels(volume.labels, filters.get("label", ()))
            and (not wanted or any((w.lower() in ("1", "true")) == dangling for w in wanted))
        )
