"""Images from registries: the registry's client and the store, put together.

One name is pulled once at a time: a second request for it waits and then finds the layers there.
"""

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from hakobu.engine.announce import object_event
from hakobu.engine.services import Events, Progress
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.registry.blob import Sink
from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import RegistrySettings
from hakobu.registry.failure import BlobMismatch
from hakobu.registry.pull import Resolved, pull
from hakobu.registry.remote import tags
from hakobu.spec.descriptor import Descriptor
from hakobu.spec.digest import Digest
from hakobu.spec.platform import Platform
from hakobu.spec.reference import Reference
from hakobu.store.imagebook import ImageRecord
from hakobu.store.inflow import LayerInflow
from hakobu.store.open import Stores
from hakobu.store.pool import WorkerFailed


class RegistryPuller:
    """What `ImageService` asks for pulls, on aiohttp and the store's workers."""

    def __init__(self, stores: Stores, settings: RegistrySettings, events: Events, threads: ThreadPoolExecutor) -> None:
        self._stores, self._settings, self._events, self._threads = stores, settings, events, threads
        self._locks: dict[str, asyncio.Lock] = {}
        self._under_way = 0

    async def pull(
        self, repository: str, tag: str, *, platform: str, auth: Mapping[str, str] | None, progress: Progress
    ) -> None:
        """`tag` may be a digest; without one all tags of the repository, as Docker has it."""
        reference = _reference(repository, tag)
        if reference.tag or reference.digest:
            await self._pull(reference, platform, auth, progress)
            return
        for name in await tags(reference, Credentials.from_auth(auth), self._settings):
            await self._pull(reference.with_tag(name), platform, auth, progress)

    async def _pull(
        self, reference: Reference, platform: str, auth: Mapping[str, str] | None, progress: Progress
    ) -> None:
        machine = Platform.from_machine(os.uname().machine)
        wanted = Platform.parse(platform, machine.architecture) if platform else machine
        key = f"{reference} {wanted}"
        self._under_way += 1
        try:
            async with self._locks.setdefault(key, asyncio.Lock()), self._stores.arrivals.arriving_async():
                resolved = await pull(
                    reference,
                    _Target(self._stores, self._threads),
                    platform=wanted,
                    credentials=Credentials.from_auth(auth),
                    settings=self._settings,
                    tell=progress,
                )
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._locks.clear()
        object_event(
            self._events, "image", "pull", resolved.reference.familiar, name=resolved.reference.familiar_repository
        )


class _Target:
    """The store as `registry.pull` sees it."""

    def __init__(self, stores: Stores, threads: ThreadPoolExecutor) -> None:
        self._stores, self._threads = stores, threads
        self._known = stores.snapshots.known_layers()

    def has_layer(self, diff_id: Digest, layer: Descriptor) -> bool:
        """Unpacked, and its blob in the very form the manifest names: saving and pushing need it."""
        return str(diff_id) in self._known and self._stores.content.has(layer.digest)

    async def open_layer(self, diff_id: Digest, layer: Descriptor) -> Sink:
        stores = self._stores
        return _Inflow(LayerInflow(stores.content, stores.snapshots, stores.pool, self._threads, layer, diff_id), layer)

    def is_current(self, resolved: Resolved) -> bool:
        record = self._stores.images.find(str(resolved.reference))
        return (
            record is not None and record.id == str(resolved.manifest.config.digest) and self._named(resolved, record)
        )

    def _named(self, resolved: Resolved, record: ImageRecord) -> bool:
        return f"{resolved.reference.repository}@{resolved.named.digest}" in record.digests

    async def commit(self, resolved: Resolved) -> None:
        await asyncio.to_thread(self._record, resolved)

    def _record(self, resolved: Resolved) -> None:
        content, known = self._stores.content, self._stores.snapshots.known_layers()
        config_digest = content.put(resolved.config_bytes, resolved.manifest.config.digest)
        manifest_digest = content.put(resolved.document.data)
        sizes = tuple(known[str(d)][1] for d in resolved.config.diff_ids)
        record = ImageRecord(
            id=str(config_digest),
            created_ns=resolved.config.created_ns,
            diff_ids=tuple(str(d) for d in resolved.config.diff_ids),
            layers=tuple(str(layer.digest) for layer in resolved.manifest.layers),
            size_bytes=sum(sizes),
            layer_sizes=sizes,
            digests=(f"{resolved.reference.repository}@{resolved.named.digest}",),
            manifest=str(manifest_digest),
            index=self._index(resolved),
        )
        names = (resolved.reference,) if resolved.reference.digest is None else ()
        self._stores.images.put(record, names)

    def _index(self, resolved: Resolved) -> str:
        if resolved.named.digest == resolved.document.digest:
            return ""
        return str(self._stores.content.put(resolved.named.data))


class _Inflow:
    """Translates what a worker says about a digest into the registry's word for it, which earns a second attempt."""

    def __init__(self, inflow: LayerInflow, layer: Descriptor) -> None:
        self._inflow, self._layer = inflow, layer

    async def resume(self) -> int:
        try:
            return await self._inflow.resume()
        except WorkerFailed as error:
            raise self._translated(error) from error

    async def write(self, data: bytes) -> None:
        try:
            await self._inflow.write(data)
        except WorkerFailed as error:
            raise self._translated(error) from error

    async def finish(self) -> None:
        try:
            await self._inflow.finish()
        except WorkerFailed as error:
            raise self._translated(error) from error

    def _translated(self, error: WorkerFailed) -> HakobuError:
        if error.kind is Kind.DATA_LOSS:
            return BlobMismatch(self._layer.digest, error.message)
        return error

    async def abandon(self) -> None:
        await self._inflow.abandon()


def _reference(repository: str, tag: str) -> Reference:
    base = Reference.parse(repository.removesuffix(":"))  # what docker pull -a sends
    if not tag:
        return base
    if base.tag or base.digest:
        raise Invalid("invalid reference format", field="fromImage")
    return base.with_digest(Digest.parse(tag)) if ":" in tag else base.with_tag(tag)
