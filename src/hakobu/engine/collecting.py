"""Garbage collection by reachability: blobs and layers that no image and no container needs."""

import asyncio

from hakobu.store.open import Stores


class Collector:
    """A collection that meets something on its way in is put off, and made up for by `collect_owed`."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def collect_owed(self) -> None:
        if self._stores.arrivals.owed:
            await self.collect()

    async def collect(self) -> int:
        """Bytes of unpacked layers that were freed, the figure `system df` counts in."""
        return await asyncio.to_thread(self._collect)

    def _collect(self) -> int:
        with self._stores.arrivals.collecting() as may:
            return self._collect_now() if may else 0

    def _collect_now(self) -> int:
        stores = self._stores
        layers = set(stores.images.used_layers())
        for image_id in stores.snapshots.containers().values():
            record = stores.images.find(image_id)
            layers |= set(record.diff_ids) if record is not None else set[str]()
        unused = [d for d in stores.snapshots.known_layers() if d not in layers and d != "init"]
        freed = stores.snapshots.remove_layers(unused)
        blobs = stores.images.used_blobs()
        for digest in list(stores.content.digests()):
            if str(digest) not in blobs:
                stores.content.delete(digest)
        return freed
