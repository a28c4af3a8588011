"""Removing images, by name, by id, and all that nobody needs; what stands against it is told in Docker's words.

    hard   a running container, an image made from this one            force does not help
    soft   a stopped container, names in several repositories          force does

A name goes before its image; an image whose name went but which something still needs stays, without a word.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from hakobu.engine.announce import object_event
from hakobu.engine.collecting import Collector
from hakobu.engine.platforms import image_for
from hakobu.engine.records import Records
from hakobu.engine.services import Events
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.spec.container import Container, Status
from hakobu.spec.digest import Digest, chain_id
from hakobu.spec.reference import Reference
from hakobu.store.imagebook import ImageRecord
from hakobu.store.open import Stores

_RUNNING = frozenset({Status.RUNNING, Status.PAUSED, Status.RESTARTING})
Told = list[dict[str, str]]


class ImageInUse(HakobuError):
    kind = Kind.CONFLICT

    def __init__(self, image_id: str, why: str, *, hard: bool) -> None:
        force = "cannot be forced" if hard else "must be forced"
        super().__init__(f"conflict: unable to delete {_short(image_id)} ({force}) - {why}")


class LastName(HakobuError):
    """The last name of an image that a container uses."""

    kind = Kind.CONFLICT

    def __init__(self, ref: str, container: Container, image_id: str) -> None:
        super().__init__(
            f'conflict: unable to remove repository reference "{ref}" (must force) - container '
            f"{container.id[:12]} is using its referenced image {_short(image_id)}"
        )


class ImageRemover:
    def __init__(self, stores: Stores, records: Records, events: Events, collector: Collector) -> None:
        self._stores, self._records, self._events, self._collector = stores, records, events, collector

    async def remove(
        self, ref: str, *, force: bool = False, prune: bool = True, platforms: Sequence[str] = ()
    ) -> Sequence[Mapping[str, str]]:
        """`prune` takes the images along that this one was made from, where nothing else needs them."""
        told: Told = []
        gone: list[ImageRecord] = []
        if platforms:
            for record in [image_for(self._stores.images, ref, platform) for platform in platforms]:
                await self._hand_names_on(record)
                await self._remove_by_id(record, force, prune, told, gone)
        else:
            record = self._stores.images.get(ref)
            if self._is_id(ref, record):
                await self._remove_by_id(record, force, prune, told, gone)
            else:
                await self._remove_by_name(record, ref, force, prune, told, gone)
        await self._finish(told, gone)
        return told

    async def prune(self, wanted: Callable[[ImageRecord], bool], *, named: bool) -> tuple[Told, int]:
        """Images without a container and, unless `named`, without a name; bytes freed."""
        used = {i for c in self._records for i in c.images}
        told: Told = []
        gone: list[ImageRecord] = []
        for record in self._stores.images.all():
            if self._stores.images.find(record.id) is None:
                continue  # it went with one that was made from it
            names = self._stores.images.tags_of(record.id)
            if record.id in used or (not named and (names or self._children(record) or self.is_variant(record))):
                continue
            if wanted(record):
                await self._untag(record, names, told)
                await self._delete_quietly(record, False, True, told, gone)
        return told, await self._finish(told, gone)

    def is_variant(self, record: ImageRecord) -> bool:
        """Without a name of its own, but of an index that another image's name leads to."""
        images = self._stores.images
        return bool(record.index) and not images.tags_of(record.id) and any(map(images.tags_of, self._beside(record)))

    def hidden(self) -> frozenset[str]:
        """Ids that a list leaves out: variants, and what is without a name and kept for what was made from it."""
        images, named = self._stores.images.all(), self._stores.images.named()
        parents = {i.parent for i in images}
        indexes = {i.index for i in images if i.index and i.id in named}
        without = (i for i in images if i.id not in named)
        return frozenset(i.id for i in without if i.index in indexes or (i.id in parents and not i.digests))

    def _beside(self, record: ImageRecord) -> list[str]:
        return [i.id for i in self._stores.images.all() if i.index == record.index and i.id != record.id]

    def _children(self, record: ImageRecord) -> list[str]:
        return [i.id for i in self._stores.images.all() if i.parent == record.id]

    def _is_id(self, ref: str, record: ImageRecord) -> bool:
        bare = ref.removeprefix("sha256:")
        if not record.id.removeprefix("sha256:").startswith(bare):
            return False
        try:
            return self._stores.images.tagged(str(Reference.parse(ref).tagged())) is None
        except Invalid:
            return True

    async def _remove_by_name(
        self, record: ImageRecord, ref: str, force: bool, prune: bool, told: Told, gone: list[ImageRecord]
    ) -> None:
        name = Reference.parse(ref).tagged()
        if not force and _is_single(self._references(record.id)):
            for container in self._users(record.id):
                raise LastName(ref, container, record.id)
        if name.digest is None:
            await self._untag(record, (str(name),), told)
        else:
            told += await self._drop(record.id, (f"{name.repository}@{name.digest}",))
        if not self._references(record.id):
            await self._delete_quietly(record, force, prune, told, gone)

    async def _remove_by_id(
        self, record: ImageRecord, force: bool, prune: bool, told: Told, gone: list[ImageRecord]
    ) -> None:
        single = _is_single(self._references(record.id))
        self._check(record, force=force, references=not single)
        await self._untag(record, self._stores.images.tags_of(record.id), told)
        await self._delete(record, force, prune, told, gone)

    def _references(self, image_id: str) -> tuple[Reference, ...]:
        record = self._stores.images.get(image_id)
        return tuple(Reference.parse(text) for text in (*self._stores.images.tags_of(image_id), *record.digests))

    def _users(self, image_id: str) -> list[Container]:
        return [c for c in self._records if image_id in c.images]

    def _check(self, record: ImageRecord, *, force: bool, references: bool) -> None:
        if self._children(record):
            raise ImageInUse(record.id, "image has dependent child images", hard=True)
        users = self._users(record.id)
        running = next((c for c in users if c.state.status in _RUNNING), None)
        if running is not None:
            why = f"image is being used by running container {running.id[:12]}"
            raise ImageInUse(record.id, why, hard=True)
        if force:
            return
        if references and len(self._references(record.id)) > 1:
            raise ImageInUse(record.id, "image is referenced in multiple repositories", hard=False)
        if users:
            why = f"image is being used by stopped container {users[0].id[:12]}"
            raise ImageInUse(record.id, why, hard=False)

    async def _untag(self, record: ImageRecord, names: Sequence[str], told: Told) -> None:
        """A repository whose last tag of the image went takes its digests along, as Docker's does."""
        images = self._stores.images
        for name in names:
            await asyncio.to_thread(images.untag, name)
            familiar = Reference.parse(name).familiar
            told.append({"Untagged": familiar})
            object_event(self._events, "image", "untag", record.id, name=familiar)
            repository = Reference.parse(name).repository
            if not any(Reference.parse(t).repository == repository for t in images.tags_of(record.id)):
                left = images.get(record.id).digests
                told += await self._drop(record.id, tuple(d for d in left if d.startswith(f"{repository}@")))

    async def _drop(self, image_id: str, digests: tuple[str, ...]) -> Told:
        gone = await asyncio.to_thread(self._stores.images.drop_digests, image_id, digests)
        return [{"Untagged": Reference.parse(digest).familiar} for digest in gone]

    async def _delete_quietly(
        self, record: ImageRecord, force: bool, prune: bool, told: Told, gone: list[ImageRecord]
    ) -> None:
        try:
            self._check(record, force=force, references=True)
        except ImageInUse:
            return
        await self._delete(record, force, prune, told, gone)

    async def _delete(self, record: ImageRecord, force: bool, prune: bool, told: Told, gone: list[ImageRecord]) -> None:
        if self._users(record.id):
            return  # forced: its containers keep the layers, the names are gone
        left = self._stores.images.get(record.id)
        told += [{"Untagged": Reference.parse(digest).familiar} for digest in left.digests]
        beside = self._beside(record) if record.index else []
        await asyncio.to_thread(self._stores.images.remove, record.id)
        told.append({"Deleted": record.id})
        gone.append(record)
        object_event(self._events, "image", "delete", record.id, name=record.id)
        if not prune:
            return
        for image_id in (*beside, record.parent):
            other = self._stores.images.find(image_id) if image_id else None
            if other is not None and not self._stores.images.tags_of(other.id) and not self.is_variant(other):
                await self._delete_quietly(other, False, True, told, gone)

    async def _hand_names_on(self, record: ImageRecord) -> None:
        """Before one platform's image goes, its names move to another of the same index, where there is one."""
        images = self._stores.images
        names = tuple(Reference.parse(t) for t in images.tags_of(record.id))
        others = self._beside(record) if record.index else []
        if names and others:
            await asyncio.to_thread(images.put, images.get(others[0]), names)

    async def _finish(self, told: Told, gone: Sequence[ImageRecord]) -> int:
        """Collects what the images held alone, and tells of the layers that went; bytes freed."""
        if not gone:
            return 0
        freed = await self._collector.collect()
        known = self._stores.snapshots.known_layers()
        seen: set[str] = set()
        for record in gone:
            diff_ids = tuple(Digest.parse(d) for d in record.diff_ids)
            for count in range(len(diff_ids), 0, -1):
                chain = str(chain_id(diff_ids[:count]))
                if str(diff_ids[count - 1]) not in known and chain not in seen:
                    seen.add(chain)
                    told.append({"Deleted": chain})
        return freed


def _is_single(references: Sequence[Reference]) -> bool:
    """One name, with the digests of its repository at most."""
    tags = [r for r in references if r.digest is None]
    repositories = {r.repository for r in references}
    return bool(references) and len(tags) <= 1 and len(repositories) == 1


def _short(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:12]
