"""Images as a door sees them: list, load, save, import, tag, remove, history, prune.

Pulling is in `pulling`; what is stored and how is `store/`'s.
"""

import asyncio
import fnmatch
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from hakobu.engine.announce import object_event
from hakobu.engine.commit import apply_changes
from hakobu.engine.listing import check_filters, has_labels
from hakobu.engine.platforms import image_for, manifests_of, target_of
from hakobu.engine.records import Records
from hakobu.engine.services import Archive, Events, Filters, Image, Progress
from hakobu.engine.when import parse_when_ns
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.spec.digest import Digest, is_digest
from hakobu.spec.image_config import HistoryEntry, ImageConfig, new_config
from hakobu.spec.platform import Platform
from hakobu.spec.reference import Reference
from hakobu.spec.step import Json
from hakobu.spec.timestamp import format_timestamp, parse_timestamp
from hakobu.spec.upload import Upload
from hakobu.store.imagebook import ImageRecord
from hakobu.store.open import Stores
from hakobu.store.snapshots import LayerFacts

_KEYS = frozenset({"before", "dangling", "label", "reference", "since", "until"})


class ImageInUse(HakobuError):
    kind = Kind.CONFLICT


class ImageService:
    """Implements `services.Images`; what pulls and pushes it is given."""

    def __init__(
        self,
        stores: Stores,
        records: Records,
        events: Events,
        puller: "Puller",
        pusher: "Pusher",
        spawn_reader: "Spawn",
    ) -> None:
        self._stores, self._records, self._events = stores, records, events
        self._puller, self._pusher, self._spawn = puller, pusher, spawn_reader

    # Reading

    def get(self, ref: str, *, platform: str = "") -> Image:
        return self._image(image_for(self._stores.images, ref, platform))

    async def inspect(self, ref: str, *, platform: str = "", manifests: bool = False) -> Image:
        record = image_for(self._stores.images, ref, platform)
        return await asyncio.to_thread(self._with_target, record, manifests)

    def _with_target(self, record: ImageRecord, manifests: bool) -> Image:
        content, images = self._stores.content, self._stores.images
        image = replace(self._image(record), target=target_of(content, record))
        return replace(image, manifests=manifests_of(content, images, record, self._users)) if manifests else image

    def _users(self, image_id: str) -> tuple[str, ...]:
        return tuple(c.id for c in self._records if c.image_id == image_id)

    def _image(self, record: ImageRecord) -> Image:
        config, comment = self._document(record)
        return Image(
            id=record.id,
            references=tuple(Reference.parse(r).familiar for r in self._stores.images.tags_of(record.id)),
            digests=tuple(_familiar_digest(d) for d in record.digests),
            created_ns=record.created_ns,
            size_bytes=record.size_bytes,
            config=config,
            parent=record.parent,
            containers=len(self._users(record.id)),
            last_tagged_ns=record.tagged_ns,
            comment=comment,
            layer_sizes=record.layer_sizes,
        )

    def _document(self, record: ImageRecord) -> tuple[Mapping[str, Json], str]:
        """The configuration and the comment; of an image whose configuration is damaged, the reason."""
        try:
            return self._stores.images.config(record.id).document, record.comment
        except (HakobuError, OSError) as error:
            return {}, record.comment or f"broken: {error}"

    def ancestors(self, ref: str) -> frozenset[str]:
        """Ids of images that are `ref` or were made from it (share its layers)."""
        found = self._stores.images.find(ref)
        if found is None:
            return frozenset()
        base = found.diff_ids
        return frozenset(i.id for i in self._stores.images.all() if i.diff_ids[: len(base)] == base)

    async def list(
        self, *, all: bool = False, filters: Filters | None = None, manifests: bool = False
    ) -> Sequence[Image]:
        chosen = filters or {}
        check_filters(chosen, _KEYS)
        records = {r.id: r for r in self._stores.images.all()}
        images = [i for i in map(self._image, records.values()) if self._matches(i, chosen)]
        images.sort(key=lambda i: i.created_ns, reverse=True)
        if not manifests:
            return images
        return await asyncio.to_thread(lambda: [self._with_target(records[i.id], True) for i in images])

    def _matches(self, image: Image, filters: Filters) -> bool:
        labels = _labels(image.config)
        dangling = not image.references
        wanted = filters.get("dangling", ())
        references = filters.get("reference", ())
        return (
            (not wanted or any((w.lower() in ("1", "true")) == dangling for w in wanted))
            and has_labels(labels, filters.get("label", ()))
            and all(image.created_ns < self.get(r).created_ns for r in filters.get("before", ()))
            and all(image.created_ns > self.get(r).created_ns for r in filters.get("since", ()))
            and all(image.created_ns < parse_when_ns(u) for u in filters.get("until", ()))
            and (not references or any(_reference_matches(p, r) for p in references for r in image.references))
        )

    async def history(self, ref: str, *, platform: str = "") -> Sequence[Mapping[str, Json]]:
        record = image_for(self._stores.images, ref, platform)
        config = self._stores.images.config(record.id)
        sizes = list(record.layer_sizes)
        entries: list[dict[str, Json]] = []
        for entry in config.history:
            size = 0 if entry.empty_layer or not sizes else sizes.pop(0)
            entries.append(
                {
                    "Id": "<missing>",
                    "Created": _seconds(entry.created),
                    "CreatedBy": entry.created_by,
                    "Tags": None,
                    "Size": size,
                    "Comment": entry.comment,
                }
            )
        if entries:
            tags: list[Json] = [Reference.parse(r).familiar for r in self._stores.images.tags_of(record.id)]
            entries[-1] |= {"Id": record.id, "Tags": tags or None}
        return tuple(reversed(entries))

    # Changing

    async def pull(
        self, repository: str, tag: str, *, platform: str, auth: Mapping[str, str] | None, progress: Progress
    ) -> None:
        try:
            await self._puller.pull(repository, tag, platform=platform, auth=auth, progress=progress)
        finally:
            await self._collect_owed()

    async def push(
        self, repository: str, tag: str, *, platform: str, auth: Mapping[str, str] | None, progress: Progress
    ) -> None:
        await self._pusher.push(repository, tag, platform=platform, auth=auth, progress=progress)

    async def load(self, upload: Upload, *, platform: str = "", progress: Progress) -> Sequence[str]:
        loop = asyncio.get_running_loop()

        def told(facts: Mapping[str, Json]) -> None:
            layer = str(facts.get("layer", ""))[7:19]
            message: dict[str, Json] = {
                "status": "Loading layer",
                "id": layer,
                "progressDetail": {"current": facts.get("size")},
            }
            loop.call_soon_threadsafe(progress, message)

        try:
            wanted = Platform.parse(platform) if platform else None
            loaded = await asyncio.to_thread(self._stores.archives.load, upload.fds, told, wanted)
        finally:
            await self._collect_owed()
        lines: list[str] = []
        for item in loaded:
            object_event(self._events, "image", "load", item.image_id, name=item.image_id)
            names = [Reference.parse(n).tagged().familiar for n in item.names]
            lines += [f"Loaded image: {n}" for n in names] or [f"Loaded image ID: {item.image_id}"]
        return lines

    async def save(self, refs: Sequence[str], *, platform: str = "") -> Archive:
        chosen: dict[str, tuple[ImageRecord, list[str]]] = {}
        for ref in refs:
            record = image_for(self._stores.images, ref, platform)
            names = chosen.setdefault(record.id, (record, []))[1]
            names += [n for n in self._names_meant(ref, record) if n not in names]
            object_event(self._events, "image", "save", record.id, name=ref)
        wanted = [(record, tuple(names)) for record, names in chosen.values()]
        return self._spawn(lambda fd: self._stores.archives.save(wanted, fd, whole=not platform))

    def _names_meant(self, ref: str, record: ImageRecord) -> Sequence[str]:
        """An id saves without names, a name with itself, a bare repository with all its tags."""
        if is_digest(ref) or record.id.removeprefix("sha256:").startswith(ref):
            return ()
        reference = Reference.parse(ref)
        return (str(reference.tagged()),) if reference.digest is None else ()

    async def import_(
        self, upload: Upload, *, repository: str, tag: str, message: str, changes: Sequence[str], platform: str
    ) -> str:
        async with self._stores.arrivals.arriving_async():
            image_id = await self._import(upload, message, changes, platform)
        if repository:
            await self.tag(image_id, repository, tag)
        object_event(self._events, "image", "import", image_id, name=image_id)
        return image_id

    async def _import(self, upload: Upload, message: str, changes: Sequence[str], platform: str) -> str:
        args = {"oci_dir": self._stores.content.directory, "snapshots_dir": self._stores.snapshots.directory}
        facts = await asyncio.to_thread(self._stores.pool.run, "unpack", args, upload.fds)
        diff_id = Digest.parse(facts["diff_id"])
        self._stores.snapshots.add_layer(LayerFacts(facts["directory"], diff_id, facts["size"]))
        created = format_timestamp(time.time_ns())
        chosen = Platform.parse(platform) if platform else Platform.from_machine(os.uname().machine)
        history = (HistoryEntry(created=created, comment=message or "Imported from -"),)
        defaults = apply_changes({}, changes)
        document = new_config(platform=chosen, created=created, diff_ids=(diff_id,), history=history, defaults=defaults)
        return await self.record(document, (str(diff_id),), (facts["digest"],), (facts["size"],), comment=message)

    async def record(
        self,
        document: bytes,
        diff_ids: tuple[str, ...],
        blobs: tuple[str, ...],
        sizes: tuple[int, ...],
        *,
        parent: str = "",
        comment: str = "",
    ) -> str:
        """Stores a configuration as an image whose layers are in the store already."""
        config = ImageConfig.parse(document)
        image_id = str(await asyncio.to_thread(self._stores.content.put, document))
        record = ImageRecord(
            id=image_id,
            created_ns=config.created_ns,
            diff_ids=diff_ids,
            layers=blobs,
            size_bytes=sum(sizes),
            layer_sizes=sizes,
            parent=parent,
            comment=comment,
        )
        await asyncio.to_thread(self._stores.images.put, record)
        return image_id

    async def tag(self, ref: str, repository: str, tag: str) -> None:
        record = self._stores.images.get(ref)
        target = named(repository, tag)
        await asyncio.to_thread(self._stores.images.put, record, (target,))
        object_event(self._events, "image", "tag", record.id, name=target.familiar)

    async def remove(self, ref: str, *, force: bool = False, prune: bool = True) -> Sequence[Mapping[str, str]]:
        record = self._stores.images.get(ref)
        tags = self._stores.images.tags_of(record.id)
        by_id = self._is_id(ref, record)
        told: list[dict[str, str]] = []
        if by_id and len({t.rpartition(":")[0] for t in tags}) > 1 and not force:
            raise ImageInUse(
                f"conflict: unable to delete {_short(record.id)} (must be forced) - "
                "image is referenced in multiple repositories"
            )
        going = tags if by_id else tuple(t for t in tags if t == str(Reference.parse(ref).tagged()))
        if not by_id and len(tags) > len(going):
            return await self._untag(record, going, told)
        self._check_unused(record, force, ref)
        await self._untag(record, going, told)
        await self._delete(record, told)
        return told

    def _is_id(self, ref: str, record: ImageRecord) -> bool:
        bare = ref.removeprefix("sha256:")
        return record.id.removeprefix("sha256:").startswith(bare) and self._stores.images.tagged(_full(ref)) is None

    def _check_unused(self, record: ImageRecord, force: bool, ref: str) -> None:
        for container in self._records:
            if container.image_id != record.id:
                continue
            running = container.state.status.value in ("running", "paused", "restarting")
            if running and not force:
                raise ImageInUse(
                    f'conflict: unable to remove repository reference "{ref}" (must force) - container '
                    f"{container.id[:12]} is using its referenced image {_short(record.id)}"
                )
            if running:
                raise ImageInUse(
                    f"conflict: unable to delete {_short(record.id)} (cannot be forced) - image is being used by "
                    f"running container {container.id[:12]}"
                )
            if not force:
                raise ImageInUse(
                    f'conflict: unable to remove repository reference "{ref}" (must force) - container '
                    f"{container.id[:12]} is using its referenced image {_short(record.id)}"
                )

    async def _untag(
        self, record: ImageRecord, names: Sequence[str], told: "list[dict[str, str]]"
    ) -> "list[dict[str, str]]":
        for name in names:
            await asyncio.to_thread(self._stores.images.untag, name)
            familiar = Reference.parse(name).familiar
            told.append({"Untagged": familiar})
            object_event(self._events, "image", "untag", record.id, name=familiar)
            told += [{"Untagged": _familiar_digest(d)} for d in await self._untag_digests(record.id, name)]
        return told

    async def _untag_digests(self, image_id: str, name: str) -> tuple[str, ...]:
        """A repository whose last tag of the image went takes its digests along, as Docker's does."""
        repository = Reference.parse(name).repository
        if any(Reference.parse(t).repository == repository for t in self._stores.images.tags_of(image_id)):
            return ()
        return await asyncio.to_thread(self._stores.images.drop_digests, image_id, repository)

    async def _delete(self, record: ImageRecord, told: "list[dict[str, str]]") -> None:
        if any(c.image_id == record.id for c in self._records):
            return  # forced: its containers keep the layers, the names are gone
        left = self._stores.images.get(record.id)
        told += [{"Untagged": _familiar_digest(d)} for d in left.digests]
        await asyncio.to_thread(self._stores.images.remove, record.id)
        told.append({"Deleted": record.id})
        object_event(self._events, "image", "delete", record.id, name=record.id)
        await self.collect()

    async def prune(self, filters: Filters | None = None) -> tuple[Sequence[Mapping[str, str]], int]:
        """Untagged images without containers; all unused ones with `dangling=false`."""
        chosen = filters or {}
        check_filters(chosen, frozenset({"dangling", "label", "label!", "until"}))
        takes_all = any(v.lower() in ("0", "false") for v in chosen.get("dangling", ()))
        used = {c.image_id for c in self._records}
        told: list[dict[str, str]] = []
        freed = 0
        for record in self._stores.images.all():
            names = self._stores.images.tags_of(record.id)
            if record.id in used or (names and not takes_all):
                continue
            if not _prunable(self._image(record), chosen):
                continue
            freed += record.size_bytes
            await self._untag(record, names, told)
            await self._delete(record, told)
        return told, freed

    async def _collect_owed(self) -> None:
        """A collection that was skipped for what has now arrived, or that an arrival which failed made necessary."""
        if self._stores.arrivals.owed:
            await self.collect()

    async def collect(self) -> int:
        """Garbage collection by reachability: blobs and layers no image and no container needs. Bytes freed."""
        return await asyncio.to_thread(self._collect)

    def _collect(self) -> int:
        with self._stores.arrivals.collecting() as may:
            return self._collect_now() if may else 0

    def _collect_now(self) -> int:
        images = self._stores.images
        layers = set(images.used_layers())
        for image_id in self._stores.snapshots.containers().values():
            record = images.find(image_id)
            layers |= set(record.diff_ids) if record is not None else set[str]()
        unused = [d for d in self._stores.snapshots.known_layers() if d not in layers and d != "init"]
        freed = self._stores.snapshots.remove_layers(unused)
        blobs = images.used_blobs()
        freed += sum(self._stores.content.delete(d) for d in self._stores.content.digests() if str(d) not in blobs)
        return freed


def named(repository: str, tag: str) -> Reference:
    """A repository and a tag as the API has them; a tag may stand in the repository (`docker import - a:1`)."""
    if not tag:
        return Reference.parse(repository).tagged()
    return Reference.parse_repository(repository).with_tag(tag)


class Puller(Protocol):
    """What fetches from registries."""

    async def pull(
        self, repository: str, tag: str, *, platform: str, auth: Mapping[str, str] | None, progress: Progress
    ) -> None: ...


class Pusher(Protocol):
    """What sends to registries."""

    async def push(
        self, repository: str, tag: str, *, platform: str, auth: Mapping[str, str] | None, progress: Progress
    ) -> None: ...


Spawn = Callable[[Callable[[int], None]], Archive]
"""Runs a blocking writer of a tar stream in a thread and gives the reading end."""


def _prunable(image: Image, filters: Filters) -> bool:
    labels = _labels(image.config)
    return (
        all(image.created_ns < parse_when_ns(u) for u in filters.get("until", ()))
        and has_labels(labels, filters.get("label", ()))
        and not any(has_labels(labels, (unwanted,)) for unwanted in filters.get("label!", ()))
    )


def _labels(config: Mapping[str, Json]) -> dict[str, str]:
    inner = config.get("config")
    labels = inner.get("Labels") if isinstance(inner, dict) else None
    return {k: str(v) for k, v in labels.items()} if isinstance(labels, dict) else {}


def _full(ref: str) -> str:
    try:
        return str(Reference.parse(ref).tagged())
    except Invalid:
        return ""


def _short(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:12]


def _familiar_digest(digest: str) -> str:
    return Reference.parse(digest).familiar


def _reference_matches(pattern: str, reference: str) -> bool:
    """A shell pattern over the familiar name, with or without its tag."""
    repository = reference.rpartition(":")[0]
    return fnmatch.fnmatchcase(reference, pattern) or fnmatch.fnmatchcase(repository, pattern)


def _seconds(timestamp: str) -> int:
    try:
        return parse_timestamp(timestamp) // 10**9 if timestamp else 0
    except Invalid:
        return 0
