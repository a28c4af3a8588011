"""Images as a door sees them: list, load, save, import, tag, remove, history, prune.

Pulling is in `pulling`; what is stored and how is `store/`'s.
"""

import asyncio
import fnmatch
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from hakobu.engine.announce import object_event
from hakobu.engine.collecting import Collector
from hakobu.engine.commit import apply_changes
from hakobu.engine.image_removal import ImageRemover
from hakobu.engine.listing import check_filters, has_labels
from hakobu.engine.platforms import image_for, manifests_of, target_of
from hakobu.engine.records import Records
from hakobu.engine.services import Archive, Events, Filters, Image, ImageChange, Progress
from hakobu.engine.thread import in_own_thread
from hakobu.engine.when import parse_when_ns
from hakobu.errors import HakobuError, Invalid
from hakobu.registry.download import checked_url, download
from hakobu.spec.digest import Digest, is_digest
from hakobu.spec.download import Outlet
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


class ImageService:
    """Implements `services.Images`; what pulls and pushes it is given."""

    def __init__(
        self,
        stores: Stores,
        records: Records,
        events: Events,
        puller: "Puller",
        pusher: "Pusher",
        remover: ImageRemover,
        collector: Collector,
    ) -> None:
        self._stores, self._records, self._events = stores, records, events
        self._puller, self._pusher = puller, pusher
        self._remover, self._collector = remover, collector

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
        return tuple(c.id for c in self._records if image_id in c.images)

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
        hidden = frozenset[str]() if all else self._remover.hidden()
        records = {r.id: r for r in self._stores.images.all() if r.id not in hidden}
        patterns = chosen.get("reference", ())
        named = (_with_names(image, patterns) for image in map(self._image, records.values()))
        images = [image for image in named if self._matches(image, chosen)]
        images.sort(key=lambda i: i.created_ns, reverse=True)
        if not manifests:
            return images
        return await asyncio.to_thread(lambda: [self._with_target(records[i.id], True) for i in images])

    def _matches(self, image: Image, filters: Filters) -> bool:
        labels = _labels(image.config)
        dangling = not image.references
        wanted = filters.get("dangling", ())
        references = filters.get("reference")
        return (
            (not wanted or any((w.lower() in ("1", "true")) == dangling for w in wanted))
            and has_labels(labels, filters.get("label", ()))
            and all(image.created_ns < self.get(r).created_ns for r in filters.get("before", ()))
            and all(image.created_ns > self.get(r).created_ns for r in filters.get("since", ()))
            and all(image.created_ns < parse_when_ns(u) for u in filters.get("until", ()))
            and (not references or bool(image.references or image.digests))
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
        for image_id, length in self._lineage(record):
            tags: list[Json] = [Reference.parse(r).familiar for r in self._stores.images.tags_of(image_id)]
            entries[length - 1] |= {"Id": image_id, "Tags": tags or None}
        return tuple(reversed(entries))

    def _lineage(self, record: ImageRecord) -> Iterator[tuple[str, int]]:
        """The image and those it was committed from, as far as they are here, with how long a history each has."""
        held: ImageRecord | None = record
        while held is not None:
            if length := len(self._stores.images.config(held.id).history):
                yield held.id, length
            held = self._stores.images.find(held.parent) if held.parent else None

    async def diff(self, first: str, second: str) -> Sequence[ImageChange]:
        """Both stay whole meanwhile: what goes on counts as an arrival, and nothing is collected."""
        async with self._stores.arrivals.arriving_async():
            args = {"snapshots_dir": self._stores.snapshots.directory}
            layers = {"first": self._layers(first), "second": self._layers(second)}
            found = await asyncio.to_thread(self._stores.pool.run, "image-diff", {**args, **layers})
        return [ImageChange(path, kind, tuple(why), before, after) for path, kind, why, before, after in found]

    def _layers(self, ref: str) -> tuple[str, ...]:
        record = self._stores.images.get(ref)
        return self._stores.snapshots.layer_paths([Digest.parse(d) for d in record.diff_ids])

    # Changing

    async def pull(
        self, repository: str, tag: str, *, platform: str, auth: Mapping[str, str] | None, progress: Progress
    ) -> None:
        try:
            await self._puller.pull(repository, tag, platform=platform, auth=auth, progress=progress)
        finally:
            await self._collector.collect_owed()

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
            loaded = await in_own_thread(self._stores.archives.load, upload.fds, told, wanted)
        finally:
            await self._collector.collect_owed()
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

        async def send(outlet: Outlet) -> None:
            await in_own_thread(self._stores.archives.save, wanted, outlet, whole=not platform)

        return Archive(send, lambda: None)

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

    async def import_url(
        self,
        url: str,
        *,
        repository: str,
        tag: str,
        message: str,
        changes: Sequence[str],
        platform: str,
        progress: Progress,
    ) -> str:
        url = checked_url(url)
        fd = self._stores.content.nameless()
        try:
            await download(url, fd, progress)
            upload = Upload.of_file(fd)
        except BaseException:
            os.close(fd)
            raise
        told = message or f"Imported from {url}"
        try:
            return await self.import_(
                upload, repository=repository, tag=tag, message=told, changes=changes, platform=platform
            )
        finally:
            upload.close()

    async def _import(self, upload: Upload, message: str, changes: Sequence[str], platform: str) -> str:
        args = {"oci_dir": self._stores.content.directory, "snapshots_dir": self._stores.snapshots.directory}
        facts = await in_own_thread(self._stores.pool.run, "unpack", args, upload.fds, paced=True)
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

    async def remove(
        self, ref: str, *, force: bool = False, prune: bool = True, platforms: Sequence[str] = ()
    ) -> Sequence[Mapping[str, str]]:
        return await self._remover.remove(ref, force=force, prune=prune, platforms=platforms)

    async def prune(
        self, filters: Filters | None = None, *, among: Callable[[Image], bool] | None = None
    ) -> tuple[Sequence[Mapping[str, str]], int]:
        """Untagged images without containers; all unused ones, and parts of broken pulls, with `dangling=false`."""
        chosen = filters or {}
        check_filters(chosen, frozenset({"dangling", "label", "label!", "until"}))
        named = any(v.lower() in ("0", "false") for v in chosen.get("dangling", ()))

        def goes(record: ImageRecord) -> bool:
            image = self._image(record)
            return (among is None or among(image)) and _prunable(image, chosen)

        told, freed = await self._remover.prune(goes, named=named)
        if among is None and named and set(chosen) == {"dangling"}:
            freed += await asyncio.to_thread(self._stores.content.forget_partials)
        return told, freed


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


def _familiar_digest(digest: str) -> str:
    return Reference.parse(digest).familiar


def _with_names(image: Image, patterns: Sequence[str]) -> Image:
    """Under the names that a search is for; all of them without one."""
    if not patterns:
        return image
    matching = [tuple(r for r in names if _is_meant(r, patterns)) for names in (image.references, image.digests)]
    return replace(image, references=matching[0], digests=matching[1])


def _is_meant(reference: str, patterns: Sequence[str]) -> bool:
    """Shell patterns over the familiar name, whole or without tag and digest; a star stays between slashes."""
    repository = Reference.parse(reference).familiar_repository
    return any(_matches_path(pattern, text) for pattern in patterns for text in (reference, repository))


def _matches_path(pattern: str, text: str) -> bool:
    parts, wanted = text.split("/"), pattern.replace("[^", "[!").split("/")
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def _seconds(timestamp: str) -> int:
    try:
        return parse_timestamp(timestamp) // 10**9 if timestamp else 0
    except Invalid:
        return 0
