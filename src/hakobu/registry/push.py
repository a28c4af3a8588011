"""Pushing: layers the registry does not have, the configuration, then the manifest; told in Docker's words.

A blob is sent as a stream in one PUT behind its POST; one that fails half-way starts anew with another upload.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import RegistrySettings
from hakobu.registry.failure import AccessDenied, NotFoundInRegistry, RegistryFailed, RegistryUnreachable, Unauthorized
from hakobu.registry.progress import Meter, Tell
from hakobu.registry.session import Session, Transient, connect, pause_before
from hakobu.registry.together import together
from hakobu.spec.descriptor import Descriptor
from hakobu.spec.digest import Digest
from hakobu.spec.manifest import Manifest
from hakobu.spec.reference import Reference

OpenBlob = Callable[[Descriptor], AsyncIterator[bytes]]
"""The bytes of a blob of the store, in blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    digest: Digest
    size: int


async def push(
    reference: Reference,
    manifest: Manifest,
    open_blob: OpenBlob,
    *,
    credentials: Credentials,
    settings: RegistrySettings,
    tell: Tell,
    labels: dict[Digest, str] | None = None,
) -> Pushed:
    """`labels` are the short ids to show for layers; their own digest's where there is none."""
    tell({"status": f"The push refers to repository [{reference.repository}]"})
    scope = f"repository:{reference.path}:pull,push"
    names = labels or {}
    try:
        async with connect(reference.domain, scope, credentials, settings, for_push=True) as session:
            await _layers(session, reference, manifest, open_blob, settings, tell, names)
            await _blob(session, reference.path, manifest.config, open_blob, None, settings)
            data = manifest.to_bytes()
            await _manifest(session, reference, manifest, data)
    except (Unauthorized, AccessDenied) as error:
        raise AccessDenied(f"denied: {error.message.removeprefix('denied: ')}") from error
    digest = Digest.of(data)
    tell({"status": f"{reference.tag}: digest: {digest} size: {len(data)}"})
    tell({"progressDetail": {}, "aux": {"Tag": reference.tag, "Digest": str(digest), "Size": len(data)}})
    return Pushed(digest=digest, size=len(data))


async def _layers(
    session: Session,
    reference: Reference,
    manifest: Manifest,
    open_blob: OpenBlob,
    settings: RegistrySettings,
    tell: Tell,
    names: dict[Digest, str],
) -> None:
    slots = asyncio.Semaphore(settings.max_uploads)
    layers = {layer.digest: layer for layer in manifest.layers}
    meters = {d: Meter(tell, names.get(d, d.hex[:12])) for d in layers}
    for meter in meters.values():
        meter.say("Preparing")

    async def one(layer: Descriptor) -> None:
        async with slots:
            await _blob(session, reference.path, layer, open_blob, meters[layer.digest], settings)

    await together(one(layer) for layer in layers.values())


async def _blob(
    session: Session,
    path: str,
    blob: Descriptor,
    open_blob: OpenBlob,
    meter: Meter | None,
    settings: RegistrySettings,
) -> None:
    for attempt in range(1, settings.attempts + 1):
        try:
            if await _is_there(session, path, blob.digest):
                if meter is not None:
                    meter.say("Layer already exists" if attempt == 1 else "Pushed")
                return
            await _upload(session, path, blob, open_blob, meter)
            if meter is not None:
                meter.say("Pushed")
            return
        except (Transient, RegistryUnreachable) as error:
            if attempt == settings.attempts:
                raise RegistryFailed(error.message) from error
            await pause_before(attempt, error.wait_s if isinstance(error, Transient) else 0.0)


async def _is_there(session: Session, path: str, digest: Digest) -> bool:
    try:
        async with session.request("HEAD", f"/v2/{path}/blobs/{digest}"):
            return True
    except NotFoundInRegistry:
        return False


async def _upload(session: Session, path: str, blob: Descriptor, open_blob: OpenBlob, meter: Meter | None) -> None:
    async with session.request("POST", f"/v2/{path}/blobs/uploads/", headers={"Content-Length": "0"}) as response:
        location = response.headers.get("Location", "")
    if not location:
        raise RegistryFailed("the registry does not say where to upload to")
    target = location if "://" in location else f"{session.endpoint.url}{location}"
    if urlsplit(target).scheme == "http" and not session.endpoint.is_plain:
        raise RegistryFailed("the registry wants an upload over plain HTTP, which is refused")
    target += f"{'&' if '?' in target else '?'}digest={blob.digest}"

    async def body() -> AsyncIterator[bytes]:
        sent = 0
        async for block in open_blob(blob):
            sent += len(block)
            yield block
            if meter is not None:
                meter.move("Pushing", sent, blob.size)

    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
    async with session.request("PUT", target, headers=headers, body=body()):
        return


async def _manifest(session: Session, reference: Reference, manifest: Manifest, data: bytes) -> None:
    url = f"/v2/{reference.path}/manifests/{reference.tag}"
    async with session.request("PUT", url, headers={"Content-Type": manifest.media_type}, body=data):
        return


async def log_in(domain: str, credentials: Credentials, settings: RegistrySettings) -> str:
    """Tries the credentials at a registry; Docker's word for success."""
    async with connect(domain, "", credentials, settings, for_push=True) as session:
        await session.login()
    return "Login Succeeded"
