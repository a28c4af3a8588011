"""Old images go by themselves where the operator wants it: by the time since their last use, and by the space all take.

Only what a registry can give again goes (an image with a repository's digest), and never one that a container has.
What goes is decided by `choose`, which is pure; it goes by the same removal as `docker rmi -f`.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hakobu.engine.clock import now_ns
from hakobu.engine.gc_policy import GcPolicy
from hakobu.engine.image_removal import ImageRemover
from hakobu.engine.records import Records
from hakobu.errors import HakobuError
from hakobu.store.imagebook import ImageRecord
from hakobu.store.open import Stores

_log = logging.getLogger("hakobu.engine")
_META = "images_used"


@dataclass(frozen=True, slots=True)
class Held:
    """An image as the choice sees it; `layers` are diff ids."""

    id: str
    layers: frozenset[str]
    used_ns: int
    may_go: bool


def choose(images: Sequence[Held], sizes: Mapping[str, int], policy: GcPolicy, now: int) -> list[str]:
    """Ids of those to remove, longest unused first: all that are too old, then until the rest fits."""
    candidates = sorted((i for i in images if i.may_go), key=lambda i: i.used_ns)
    holders = Counter(layer for image in images for layer in image.layers)
    total = sum(sizes.get(layer, 0) for layer in holders)
    gone: list[str] = []
    for image in candidates:
        too_old = policy.age_ns and now - image.used_ns > policy.age_ns
        if not too_old and not (policy.size_bytes and total > policy.size_bytes):
            continue
        gone.append(image.id)
        holders.subtract(image.layers)
        total -= sum(sizes.get(layer, 0) for layer in image.layers if not holders[layer])
    return gone


class ImageGc:
    """`tick` is called every few seconds and looks when it is time; `note` remembers a use, and costs nothing."""

    def __init__(self, stores: Stores, records: Records, remover: ImageRemover, policy: GcPolicy) -> None:
        self._stores, self._records, self._remover, self._policy = stores, records, remover, policy
        self._used: dict[str, int] = _read(stores) if policy.is_on else {}
        self._next_ns = 0

    def note(self, image_id: str) -> None:
        if self._policy.is_on:
            self._used[image_id] = now_ns()

    async def tick(self) -> None:
        if not self._policy.is_on or now_ns() < self._next_ns:
            return
        self._next_ns = now_ns() + self._policy.interval_ns
        records = self._stores.images.all()
        in_use = {image_id for c in self._records for image_id in c.images}
        self._remember(records, in_use)
        held = [self._held(record, in_use) for record in records]
        sizes = {diff_id: size for diff_id, (_, size) in self._stores.snapshots.known_layers().items()}
        for image_id in choose(held, sizes, self._policy, now_ns()):
            await self._remove(image_id)
        await asyncio.to_thread(self.flush)

    def _remember(self, records: Sequence[ImageRecord], in_use: Iterable[str]) -> None:
        now = now_ns()
        for image_id in in_use:
            self._used[image_id] = now
        known = {r.id: max(self._used.get(r.id, 0), r.tagged_ns) or now for r in records}
        self._used = known

    def _held(self, record: ImageRecord, in_use: set[str]) -> Held:
        may_go = bool(record.digests) and record.id not in in_use
        return Held(record.id, frozenset(record.diff_ids), self._used[record.id], may_go)

    async def _remove(self, image_id: str) -> None:
        if any(image_id in c.images for c in self._records):
            return  # made in the meantime
        names = ", ".join(self._stores.images.tags_of(image_id))
        try:
            await self._remover.remove(image_id, force=True)
        except HakobuError as error:
            _log.debug("image %s stays: %s", image_id, error)
            return
        self._used.pop(image_id, None)
        _log.info("removed image %s (%s), which nothing has used for long", image_id, names or "without a name")

    def flush(self) -> None:
        """Keeps the times of use over the daemon's end."""
        if self._policy.is_on:
            text = json.dumps(self._used)
            self._stores.database.call(lambda connection: connection.set_meta(_META, text))


def _read(stores: Stores) -> dict[str, int]:
    text = stores.database.call(lambda connection: connection.get_meta(_META))
    try:
        found = json.loads(text or "{}")
        return {str(image_id): int(used) for image_id, used in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
