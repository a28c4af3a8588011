"""Images to registries: what is sent for an image, and what its registry may have of it already."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from hakobu.engine.announce import object_event
from hakobu.engine.platforms import image_for
from hakobu.engine.services import Events, Progress
from hakobu.errors import HakobuError, Kind
from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import RegistrySettings
from hakobu.registry.push import MAX_SOURCES, Parcel, push
from hakobu.spec.descriptor import Descriptor
from hakobu.spec.digest import Digest
from hakobu.spec.reference import Reference
from hakobu.store.imagebook import ImageRecord
from hakobu.store.open import Stores
from hakobu.store.recompress import compressed

_BLOCK = 1 << 20


class NothingToPush(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, repository: str) -> None:
        super().__init__(f"An image does not exist locally with the tag: {repository}")


class RegistryPusher:
    """What `ImageService` asks for pushes."""

    def __init__(self, stores: Stores, settings: RegistrySettings, events: Events, threads: ThreadPoolExecutor) -> None:
        self._stores, self._settings, self._events, self._threads = stores, settings, events, threads

    async def push(
        self, repository: str, tag: str, *, platform: str, auth: Mapping[str, str] | None, progress: Progress
    ) -> None:
        """One tag, or all the repository has. Nothing is sent where one of the images is for another platform."""
        base = Reference.parse_repository(repository)
        names = [base.with_tag(tag)] if tag else self._tags_of(base)
        found = [name for name in names if self._stores.images.find(str(name)) is not None]
        if not found:
            raise NothingToPush(base.familiar_repository)
        chosen = [(name, image_for(self._stores.images, name.familiar, platform)) for name in found]
        for name, record in chosen:
            await self._push_one(name, record, Credentials.from_auth(auth), progress)

    def _tags_of(self, base: Reference) -> list[Reference]:
        tags = (t for i in self._stores.images.all() for t in self._stores.images.tags_of(i.id))
        return [r for r in map(Reference.parse, tags) if r.repository == base.repository]

    async def _push_one(
        self, reference: Reference, record: ImageRecord, credentials: Credentials, progress: Progress
    ) -> None:
        async with contextlib.AsyncExitStack() as held:
            parcel = await self._parcel(reference, record, held)
            pushed = await push(reference, parcel, credentials=credentials, settings=self._settings, tell=progress)
        known = replace(record, digests=(f"{reference.repository}@{pushed.digest}",))
        await asyncio.to_thread(self._stores.images.put, known)
        object_event(self._events, "image", "push", reference.familiar, name=reference.familiar_repository)

    async def _parcel(self, reference: Reference, record: ImageRecord, held: contextlib.AsyncExitStack) -> Parcel:
        """Layers stored as plain tars are packed first, for as long as `held` is open.

        An image whose layers stay as they came goes with the very manifest it came with, and keeps its digest.
        """
        loop = asyncio.get_running_loop()
        manifest, document = await asyncio.to_thread(self._stores.archives.manifest, record)
        paths = {manifest.config.digest: self._stores.content.path(manifest.config.digest)}
        labels: dict[Digest, str] = {}
        sources: dict[Digest, Sequence[str]] = {}
        layers: list[Descriptor] = []
        for diff_id, layer in zip(record.diff_ids, manifest.layers, strict=True):
            packing = compressed(self._stores.content, layer)
            ready, path = await loop.run_in_executor(self._threads, packing.__enter__)
            held.callback(packing.__exit__, None, None, None)
            layers.append(ready)
            paths[ready.digest] = path
            labels[ready.digest] = Digest.parse(diff_id).hex[:12]
            sources[ready.digest] = self._lenders(diff_id, reference)
        sent = replace(manifest, layers=tuple(layers))
        return Parcel(
            manifest=sent,
            document=document if sent == manifest else sent.to_bytes(),
            open_blob=lambda blob, start: _read(paths[blob.digest], start),
            labels=labels,
            sources=sources,
        )

    def _lenders(self, diff_id: str, reference: Reference) -> tuple[str, ...]:
        """Other repositories of the registry that were seen to have an image with this layer."""
        digests = (d for i in self._stores.images.all() if diff_id in i.diff_ids for d in i.digests)
        seen = (Reference.parse(d) for d in digests)
        paths = (r.path for r in seen if r.domain == reference.domain and r.path != reference.path)
        return tuple(dict.fromkeys(paths))[:MAX_SOURCES]


async def _read(path: str, start: int) -> AsyncIterator[bytes]:
    """In blocks, read in a thread: a disk may take its time."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.lseek(fd, start, os.SEEK_SET)
        while block := await asyncio.to_thread(os.read, fd, _BLOCK):
            yield block
    finally:
        os.close(fd)
