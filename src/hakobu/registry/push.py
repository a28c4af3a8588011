"""Pushing: layers the registry does not have, the configuration, then the manifest; told in Docker's words.

What the registry has already is not sent: neither what the repository holds, nor what another repository of the same
registry lends (`sources`). What is sent goes by `upload`, which resumes.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hakobu.errors import HakobuError
from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import RegistrySettings
from hakobu.registry.failure import AccessDenied, RegistryFailed, RegistryUnreachable, Unauthorized
from hakobu.registry.progress import Meter, Tell
from hakobu.registry.session import Session, Transient, pause_before, with_endpoints
from hakobu.registry.together import together
from hakobu.registry.upload import OpenBlob, Upload, is_there, mount
from hakobu.spec.descriptor import Descriptor
from hakobu.spec.digest import Digest
from hakobu.spec.manifest import Manifest
from hakobu.spec.reference import Reference

MAX_SOURCES = 4
"""As many other repositories are asked for one blob; each costs a round trip where it has not got it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What is sent. `document` is the manifest's very bytes, whose digest the image has then.

    `labels` are the short ids to show for layers (their digest's where there is none); `sources` the repositories
    of the same registry that may hold a blob already.
    """

    manifest: Manifest
    document: bytes
    open_blob: OpenBlob
    labels: Mapping[Digest, str]
    sources: Mapping[Digest, Sequence[str]]


async def push(
    reference: Reference, parcel: Parcel, *, credentials: Credentials, settings: RegistrySettings, tell: Tell
) -> Pushed:
    """Under the reference's tag."""
    tell({"status": f"The push refers to repository [{reference.repository}]"})
    scopes = [f"repository:{reference.path}:pull,push"]
    scopes += [f"repository:{path}:pull" for path in dict.fromkeys(p for s in parcel.sources.values() for p in s)]

    async def work(session: Session) -> None:
        await _layers(session, reference, parcel, settings, tell)
        await _blob(session, reference.path, parcel.manifest.config, parcel, None, settings)
        await _manifest(session, reference, parcel, settings)

    try:
        await with_endpoints(reference.domain, scopes, credentials, settings, work, for_push=True)
    except (Unauthorized, AccessDenied) as error:
        raise _denied(error) from error
    digest, size = Digest.of(parcel.document), len(parcel.document)
    tell({"status": f"{reference.tag}: digest: {digest} size: {size}"})
    tell({"progressDetail": {}, "aux": {"Tag": reference.tag, "Digest": str(digest), "Size": size}})
    return Pushed(digest=digest, size=size)


def _denied(error: HakobuError) -> AccessDenied:
    said = error.message
    known = said.startswith(("denied: ", "unauthorized: ", "no basic auth credentials"))
    return AccessDenied(
        said if known else f"denied: {said}", hint="log in to the registry with an account that may push"
    )


async def _layers(
    session: Session, reference: Reference, parcel: Parcel, settings: RegistrySettings, tell: Tell
) -> None:
    slots = asyncio.Semaphore(settings.max_uploads)
    layers = {layer.digest: layer for layer in parcel.manifest.layers}
    meters = {d: Meter(tell, parcel.labels.get(d, d.hex[:12])) for d in layers}
    for meter in meters.values():
        meter.say("Preparing")

    async def one(layer: Descriptor) -> None:
        meter = meters[layer.digest]
        if slots.locked():
            meter.say("Waiting")
        async with slots:
            meter.say(await _blob(session, reference.path, layer, parcel, meter, settings))

    await together(one(layer) for layer in layers.values())


async def _blob(
    session: Session,
    path: str,
    blob: Descriptor,
    parcel: Parcel,
    meter: Meter | None,
    settings: RegistrySettings,
) -> str:
    """Docker's word for how the blob got there."""

    def moved(have: int) -> None:
        if meter is not None:
            meter.move("Pushing", have, blob.size)

    upload = Upload(session, path, blob, parcel.open_blob, moved, settings.chunk_bytes)
    failed = 0
    while True:
        before = upload.have
        try:
            if not upload.is_under_way:
                if await is_there(session, path, blob.digest):
                    return "Pushed" if failed else "Layer already exists"
                for source in parcel.sources.get(blob.digest, ())[:MAX_SOURCES]:
                    if await mount(session, path, blob.digest, source):
                        return f"Mounted from {source}"
            await upload.go()
            return "Pushed"
        except (Transient, RegistryUnreachable) as error:
            failed = 1 if upload.have > before else failed + 1
            if failed >= settings.attempts:
                raise RegistryFailed(f"{error.message} ({failed} attempts)") from error
            await pause_before(failed, error.wait_s if isinstance(error, Transient) else 0.0)


async def _manifest(session: Session, reference: Reference, parcel: Parcel, settings: RegistrySettings) -> None:
    url = f"/v2/{reference.path}/manifests/{reference.tag}"
    headers = {"Content-Type": parcel.manifest.media_type}
    for attempt in range(1, settings.attempts + 1):
        try:
            async with session.request("PUT", url, headers=headers, body=parcel.document):
                return
        except (Transient, RegistryUnreachable) as error:
            if attempt == settings.attempts:
                raise RegistryFailed(f"{error.message} ({attempt} attempts)") from error
            await pause_before(attempt, error.wait_s if isinstance(error, Transient) else 0.0)
