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

from hakobu.registry.blob import Sink, fetch_blob
from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import RegistrySettings
from hakobu.registry.failure import (
    AccessDenied,
    NoSuchPlatform,
    NotFoundInRegistry,
    Unauthorized,
)
from hakobu.registry.progress import Meter, Tell
from hakobu.registry.remote import configuration, document, name_of, pull_scope
from hakobu.registry.session import Session, with_endpoints
from hakobu.registry.together import together
from hakobu.spec.bounded import BadDocument
from hakobu.spec.descriptor import Descriptor
from hakobu.spec.digest import Digest
from hakobu.spec.image_config import ImageConfig
from hakobu.spec.manifest import Index, Manifest, parse_manifest
from hakobu.spec.platform import Platform, best_match
from hakobu.spec.reference import Reference
from hakobu.spec.remote import Document

_DEPTH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """An image at a registry. `named` is what the reference named (the index, where it is one)."""

    reference: Reference
    named: Document
    manifest: Manifest
    document: Document
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

    async def work(session: Session) -> Resolved:
        return await _pull(session, reference, target, platform, settings, tell)

    return await with_endpoints(reference.domain, pull_scope(reference), credentials, settings, work)


async def _pull(
    session: Session, reference: Reference, target: Target, platform: Platform, settings: RegistrySettings, tell: Tell
) -> Resolved:
    name = name_of(reference)
    named = await _named(reference, document(session, reference.path, name))
    tell({"status": f"Pulling from {reference.path}", "id": name})
    manifest, found = await _descend(session, reference, named, platform)
    config_bytes = await configuration(session, reference.path, manifest.config, settings.attempts)
    config = ImageConfig.parse(config_bytes)
    if len(config.diff_ids) != len(manifest.layers):
        raise BadDocument(
            f"the manifest has {len(manifest.layers)} layers, the configuration {len(config.diff_ids)}",
            field="rootfs.diff_ids",
        )
    resolved = Resolved(
        reference=reference,
        named=named,
        manifest=manifest,
        document=found,
        config=config,
        config_bytes=config_bytes,
    )
    current = target.is_current(resolved)
    await _layers(session, resolved, target, settings, tell)
    await target.commit(resolved)
    tell({"status": f"Digest: {named.digest}"})
    words = "Image is up to date for" if current else "Downloaded newer image for"
    tell({"status": f"Status: {words} {reference.familiar}"})
    return resolved


async def _named(reference: Reference, work: Awaitable[Document]) -> Document:
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


async def _descend(
    session: Session, reference: Reference, named: Document, platform: Platform
) -> tuple[Manifest, Document]:
    """From an index to the manifest for the platform."""
    at = named
    for _ in range(_DEPTH):
        found = parse_manifest(at.data, at.media_type)
        if isinstance(found, Manifest):
            if not found.is_image:
                raise BadDocument(
                    f"{reference.familiar} is no image but an artifact of type {found.config.media_type}",
                    field="config",
                )
            return found, at
        chosen = choose(found, platform)
        at = await document(session, reference.path, str(chosen.digest))
        at = Document(at.digest, at.data, chosen.media_type or at.media_type)
    raise BadDocument("the index leads to an index that leads to an index", field="manifests")


def choose(index: Index, platform: Platform) -> Descriptor:
    """The manifest for a platform; attestations stand in an index as platform `unknown`."""
    offers = [m for m in index.manifests if m.platform is None or m.platform.os != "unknown"]
    picked = best_match(platform, [m.platform for m in offers])
    if picked is None:
        raise NoSuchPlatform(str(platform))
    return offers[picked]


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
