"""Applications in registries: sent, and brought into the user's cache, where the files are read as any others are.

Logins are those of docker's configuration. A tag is asked for each time; what it named then lies below its digest.
"""

import asyncio
import os
import tempfile
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

from hakobu.client.codec import decode
from hakobu.client.credential import read_config, registry_auth
from hakobu.client.endpoint import docker_config_dir
from hakobu.compose.artifact import EMPTY, NotAnApplication, Part, manifest_of, parts_of
from hakobu.compose.memory import folder
from hakobu.registry.blob import MemorySink, Sink, fetch_blob
from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import RegistrySettings
from hakobu.registry.push import Parcel, push
from hakobu.registry.remote import document, name_of, pull_scope
from hakobu.registry.session import Session, with_endpoints
from hakobu.spec.descriptor import Descriptor
from hakobu.spec.manifest import Manifest, parse_manifest
from hakobu.spec.reference import Reference

SCHEME = "oci://"


def _credentials(reference: Reference, env: Mapping[str, str]) -> Credentials:
    auth = registry_auth(read_config(docker_config_dir(env)), reference.domain)
    return Credentials.from_auth(decode(urlsafe_b64decode(auth))) if auth else Credentials()


def send(name: str, parts: tuple[Part, ...], env: Mapping[str, str]) -> str:
    """Pushes the artifact under the name, `latest` where it has no tag; gives its digest."""
    reference = Reference.parse(name).tagged()
    manifest = manifest_of(parts, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    blobs = {part.layer().digest: part.data for part in parts} | {manifest.config.digest: EMPTY}

    async def open_blob(blob: Descriptor, offset: int) -> AsyncIterator[bytes]:
        yield blobs[blob.digest][offset:]

    parcel = Parcel(manifest=manifest, document=manifest.to_bytes(), open_blob=open_blob, labels={}, sources={})
    credentials = _credentials(reference, env)
    settings = RegistrySettings()
    pushed = asyncio.run(push(reference, parcel, credentials=credentials, settings=settings, tell=lambda _: None))
    return str(pushed.digest)


def bring(name: str, env: Mapping[str, str]) -> tuple[str, ...]:
    """The Compose files of `oci://NAME`, in the cache; NotAnApplication for what is none."""
    reference = Reference.parse(name.removeprefix(SCHEME))
    reference = reference if reference.digest else reference.tagged()

    async def work(session: Session) -> tuple[str, ...]:
        found = await document(session, reference.path, name_of(reference))
        manifest = parse_manifest(found.data, found.media_type)
        if not isinstance(manifest, Manifest):
            raise NotAnApplication(name, "it is an index of images")
        target = os.path.join(folder(env), "oci", found.digest.hex)
        given: list[str] = []
        for layer, file, is_given in parts_of(name, manifest):
            path = os.path.join(target, file)
            _write(path, await _fetch(session, reference.path, layer))
            given += [path] if is_given else []
        return tuple(given)

    credentials = _credentials(reference, env)
    return asyncio.run(with_endpoints(reference.domain, pull_scope(reference), credentials, RegistrySettings(), work))


async def _fetch(session: Session, path: str, layer: Descriptor) -> bytes:
    """A blob, verified."""
    sinks: list[MemorySink] = []

    async def open_sink() -> Sink:
        sinks.append(MemorySink(layer))
        return sinks[-1]

    await fetch_blob(session, path, layer, open_sink, attempts=RegistrySettings().attempts)
    return sinks[-1].data


def _write(path: str, data: bytes) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path))
    with open(descriptor, "wb") as file:
        file.write(data)
    os.rename(temporary, path)
