"""Fetching one blob, whatever happens on the way: resume by Range, attempts with backoff, nothing believed.

    fetch      registry                                        sink (the store's)
               GET, or Range: bytes=<have>-  ───────────────▶  write
               closed, reset, stalled, 5xx, 429: wait, resume
               all there                     ───────────────▶  finish: digest checked there, else start anew

Invariant: a blob counts when its sink has verified it; a sink whose `finish` was not reached is always abandoned.
"""

import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol

from hakobu.registry.failure import BlobMismatch, RegistryFailed, RegistryUnreachable
from hakobu.registry.session import Session, Transient, pause_before
from hakobu.spec.descriptor import Descriptor

_LATER = "what has come is kept: the same pull goes on from there once the registry answers"


class Sink(Protocol):
    """Where a blob's bytes go. Ends with exactly one of `finish` (which verifies the digest) and `abandon`."""

    async def resume(self) -> int:
        """Called first: how many bytes of the blob it has already, from an earlier run. Raises `BlobMismatch`."""
        ...

    async def write(self, data: bytes) -> None: ...
    async def finish(self) -> None:
        """Raises `BlobMismatch`, or what unpacking ran into."""
        ...

    async def abandon(self) -> None: ...


OpenSink = Callable[[], Awaitable[Sink]]


async def fetch_blob(
    session: Session,
    path: str,
    descriptor: Descriptor,
    open_sink: OpenSink,
    *,
    attempts: int = 5,
    on_bytes: Callable[[int], None] | None = None,
    on_complete: Callable[[], None] | None = None,
) -> None:
    """`path` is the repository's. An attempt that brought bytes does not use up the budget of attempts."""
    url = f"/v2/{path}/blobs/{descriptor.digest}"
    for whole in (1, 2):
        sink = await open_sink()
        finishing = False
        try:
            have = await sink.resume()
            await _transfer(session, url, descriptor, sink, have, attempts, on_bytes)
            if on_complete is not None:
                on_complete()
            finishing = True
            await sink.finish()
            return
        except BlobMismatch:
            if not finishing:
                await sink.abandon()
            if whole == 2:
                raise
        except BaseException:
            await sink.abandon()
            raise


async def _transfer(
    session: Session,
    url: str,
    descriptor: Descriptor,
    sink: Sink,
    have: int,
    attempts: int,
    on_bytes: Callable[[int], None] | None,
) -> None:
    failed = 0
    while have < descriptor.size:
        before = have
        try:
            async for block in _blocks(session, url, descriptor, have):
                have += len(block)
                await sink.write(block)
                if on_bytes is not None:
                    on_bytes(have)
            if have < descriptor.size:
                raise Transient(f"the registry closed the connection at {have} of {descriptor.size} bytes")
        except (Transient, RegistryUnreachable) as error:
            failed = 1 if have > before else failed + 1
            if failed >= attempts:
                raise RegistryFailed(f"{error.message} ({attempts} attempts)", hint=_LATER) from error
            await pause_before(failed, error.wait_s if isinstance(error, Transient) else 0.0)


async def _blocks(session: Session, url: str, descriptor: Descriptor, have: int) -> AsyncGenerator[bytes, None]:
    headers = {"Range": f"bytes={have}-{descriptor.size - 1}"} if have else {}
    async with session.request("GET", url, headers=headers) as response:
        skip = have if response.status == 200 else 0
        if response.status == 206 and not _starts_at(response.headers.get("Content-Range", ""), have):
            raise RegistryFailed("the registry answered a range with another one")
        position = have - skip
        async for block in response.content.iter_any():
            position += len(block)
            if position > descriptor.size:
                raise BlobMismatch(descriptor.digest, f"more than its {descriptor.size} bytes")
            if skip:
                cut = min(skip, len(block))
                skip, block = skip - cut, block[cut:]
            if block:
                yield block


def _starts_at(content_range: str, have: int) -> bool:
    return not content_range or content_range.startswith(f"bytes {have}-")


class MemorySink:
    """For configurations: kept in memory, bounded by the descriptor's size, verified."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._descriptor = descriptor
        self._parts: list[bytes] = []

    async def resume(self) -> int:
        return 0

    async def write(self, data: bytes) -> None:
        self._parts.append(data)

    async def finish(self) -> None:
        found = f"{self._descriptor.digest.algorithm}:{self._hex()}"
        if found != str(self._descriptor.digest):
            raise BlobMismatch(self._descriptor.digest, found)

    def _hex(self) -> str:
        return hashlib.new(self._descriptor.digest.algorithm, self.data).hexdigest()

    async def abandon(self) -> None:
        self._parts.clear()

    @property
    def data(self) -> bytes:
        return b"".join(self._parts)
