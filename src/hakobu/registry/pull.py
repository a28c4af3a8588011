"""Pulling: from a reference to verified layers in the store, told in Docker's words.

    resolve       manifest, or index → the platform's manifest, each against its digest
    configuration fetched first: its diff IDs say which layers are already here
    layers        at most `max_downloads` at once, each streamed into a sink of the store's

The store's side is the `Target` protocol; this module knows nothing of disks.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from hakobu.registry.blob import MemorySink, Sink, fetch_blob
from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import RegistrySettings
from hakobu.registry.failure import (
    AccessDenied,
    BlobMismatch,
    NoSuchPlatform,
    NotFoundInRegistry,
    RegistryFailed,
    RegistryUnreachable,
    Unauthorized,
)
from hakobu.registry.progress import Meter, Tell
from hakobu.registry.session import Session, Transient, connect, pause_before, read_bounded
from hakobu.registry.together import together
from hakobu.spec.bounded import MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES, BadDocument
from hakobu.spec.descriptor import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Descriptor
from hakobu.spec.digest import Digest, is_digest
from hakobu.spec.image_config import ImageConfig
from hakobu.spec.manifest import Index, Manifest, parse_manifest
from hakobu.spec.platform import Platform, best_match
from hakobu.spec.reference import Reference

_ACCEPT = ", ".join((OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST))
_DEPTH = 3
_Named = tuple[Digest, bytes, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """An image at a registry. `digest` is what the reference named (of the index, where it is one)."""

    reference: Reference
    digest: Digest
    manifest: Manifest
    manifest_bytes: bytes
    manifest_digest: Digest
    config: ImageConfig
    config_bytes: bytes


class Target(Protocol):
    """The store, as pulling needs it."""

    def has_layer(self, diff_id: Digest, layer: Descriptor) -> bool: ...
    async def open_layer(self, diff_id: Digest, layer: Descriptor) -> Sink:
        """Its `finish` verifies both digests and records the layer."""
        ...

    def is_current(self, resolved: Resolved) -> bool:
        """Whether the reference already names exactly this image."""
        ...

    async def commit(self, resolved: Resolved) -> None:
        """Records the image and its reference, all layers being there."""
        ...


async def pull(
    reference: Reference,
    target: Target,
    *,
    platform: Platform,
    credentials: Credentials,
    settings: RegistrySettings,
    tell: Tell,
) -> Resolved:
    """Everything or nothing of it: the image is recorded when every layer has been verified."""
    scope = f"repository:{reference.path}:pull"
    async with connect(reference.domain, scope, credentials, settings) as session:
        name = reference.tag if reference.digest is None else str(reference.digest)
        digest, data, media_type = await _named(reference, _manifest(session, reference.path, name))
        tell({"status": f"Pulling from {reference.path}", "id": name})
        manifest, manifest_bytes, manifest_digest = await _descend(
            session, reference, digest, data, media_type, platform
        )
        config_bytes = await _config(session, reference, manifest, settings)
        config = ImageConfig.parse(config_bytes)
        if len(config.diff_ids) != len(manifest.layers):
            raise BadDocument(
                f"the manifest has {len(manifest.layers)} layers, the configuration {len(config.diff_ids)}",
                field="rootfs.diff_ids",
            )
        resolved = Resolved(
            reference=reference,
            digest=digest,
            manifest=manifest,
            manifest_bytes=manifest_bytes,
            manifest_digest=manifest_digest,
            config=config,
            config_bytes=config_bytes,
        )
        current = target.is_current(resolved)
        await _layers(session, resolved, target, settings, tell)
        await target.commit(resolved)
    tell({"status": f"Digest: {digest}"})
    words = "Image is up to date for" if current else "Downloaded newer image for"
    tell({"status": f"Status: {words} {reference.familiar}"})
    return resolved


async def resolve(
    reference: Reference, *, platform: Platform, credentials: Credentials, settings: RegistrySettings
) -> tuple[Digest, Manifest]:
    """What a reference names at its registry now, without its layers."""
    async with connect(reference.domain, f"repository:{reference.path}:pull", credentials, settings) as session:
        name = reference.tag if reference.digest is None else str(reference.digest)
        digest, data, media_type = await _named(reference, _manifest(session, reference.path, name))
        manifest, _, _ = await _descend(session, reference, digest, data, media_type, platform)
        return digest, manifest


async def _named(reference: Reference, work: Awaitable[_Named]) -> _Named:
    """Docker's texts for the two ways in which an image is not there."""
    name = reference.familiar
    try:
        return await work
    except NotFoundInRegistry as error:
        raise NotFoundInRegistry(f"manifest for {name} not found: {error.message}") from error
    except (Unauthorized, AccessDenied) as error:
        raise NotFoundInRegistry(
            f"pull access denied for {reference.familiar_repository}, repository does not exist or may require "
            f"'docker login': denied: {error.message}"
        ) from error


async def _manifest(session: Session, path: str, name: str, attempts: int = 5) -> tuple[Digest, bytes, str]:
    """A manifest's digest, bytes and media type; where `name` is a digest the bytes are held against it."""
    for attempt in range(1, attempts + 1):
        try:
            async with session.request("GET", f"/v2/{path}/manifests/{name}", headers={"Accept": _ACCEPT}) as response:
                data = await read_bounded(response, MAX_MANIFEST_BYTES)
                media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
            found = Digest.of(data)
            if is_digest(name) and name.startswith("sha256:") and str(found) != name:
                raise BlobMismatch(Digest.parse(name), str(found))
            return found, data, media_type
        except (Transient, RegistryUnreachable) as error:
            if attempt == attempts:
                raise RegistryFailed(error.message) from error
            await pause_before(attempt, error.wait_s if isinstance(error, Transient) else 0.0)
    raise RegistryFailed(f"no manifest for {name}")


async def _descend(
    session: Session, reference: Reference, digest: Digest, data: bytes, media_type: str, platform: Platform
) -> tuple[Manifest, bytes, Digest]:
    """From an index to the manifest for the platform."""
    for _ in range(_DEPTH):
        found = parse_manifest(data, media_type)
        if isinstance(found, Manifest):
            if not found.is_image:
                raise BadDocument(
                    f"{reference.familiar} is no image but an artifact of type {found.config.media_type}",
                    field="config",
                )
            return found, data, digest
        chosen = _choose(found, platform)
        digest, data, media_type = await _manifest(session, reference.path, str(chosen.digest))
        media_type = chosen.media_type or media_type
    raise BadDocument("the index leads to an index that leads to an index", field="manifests")


def _choose(index: Index, platform: Platform) -> Descriptor:
    offers = [m for m in index.manifests if m.platform is None or m.platform.os != "unknown"]
    picked = best_match(platform, [m.platform for m in offers])
    if picked is None:
        raise NoSuchPlatform(str(platform))
    return offers[picked]


async def _config(session: Session, reference: Reference, manifest: Manifest, settings: RegistrySettings) -> bytes:
    if manifest.config.size > MAX_CONFIG_BYTES:
        raise BadDocument(f"the configuration has {manifest.config.size} bytes", field="config.size")
    sinks: list[MemorySink] = []

    async def open_sink() -> Sink:
        sinks.append(MemorySink(manifest.config))
        return sinks[-1]

    await fetch_blob(session, reference.path, manifest.config, open_sink, attempts=settings.attempts)
    return sinks[-1].data


async def _layers(session: Session, resolved: Resolved, target: Target, settings: RegistrySettings, tell: Tell) -> None:
    slots = asyncio.Semaphore(settings.max_downloads)
    wanted: dict[Digest, tuple[Descriptor, Meter]] = {}
    for diff_id, layer in zip(resolved.config.diff_ids, resolved.manifest.layers, strict=True):
        meter = Meter(tell, layer.digest.hex[:12])
        if diff_id in wanted:
            continue
        if target.has_layer(diff_id, layer):
            meter.say("Already exists")
        else:
            meter.say("Pulling fs layer")
            wanted[diff_id] = (layer, meter)
    await together(
        _layer(session, resolved.reference, target, diff_id, layer, meter, slots, settings)
        for diff_id, (layer, meter) in wanted.items()
    )


async def _layer(
    session: Session,
    reference: Reference,
    target: Target,
    diff_id: Digest,
    layer: Descriptor,
    meter: Meter,
    slots: asyncio.Semaphore,
    settings: RegistrySettings,
) -> None:
    if slots.locked():
        meter.say("Waiting")

    def complete() -> None:
        meter.move("Downloading", layer.size, layer.size, always=True)
        meter.say("Verifying Checksum")
        meter.say("Download complete")
        meter.move("Extracting", layer.size, layer.size, always=True)

    async with slots:
        await fetch_blob(
            session,
            reference.path,
            layer,
            lambda: target.open_layer(diff_id, layer),
            attempts=settings.attempts,
            on_bytes=lambda have: meter.move("Downloading", have, layer.size),
            on_complete=complete,
        )
    meter.say("Pull complete")
