"""Documents of a registry: manifests and indexes by tag or digest, configurations, what a name stands for now.

Invariant: a document fetched by digest has that digest, and none is longer than its kind may be.
"""

from urllib.parse import urlsplit

from hakobu.registry.blob import MemorySink, Sink, fetch_blob
from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import RegistrySettings
from hakobu.registry.failure import BlobMismatch, RegistryFailed, RegistryUnreachable
from hakobu.registry.session import Session, Transient, pause_before, read_bounded, with_endpoints
from hakobu.spec.bounded import MAX_CONFIG_BYTES, MAX_MANIFEST_BYTES, BadDocument, Fields, load_json
from hakobu.spec.descriptor import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Descriptor
from hakobu.spec.digest import Digest, is_digest
from hakobu.spec.image_config import ImageConfig
from hakobu.spec.manifest import Index, parse_manifest
from hakobu.spec.reference import Reference
from hakobu.spec.remote import Described, Document

_ACCEPT = ", ".join((OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST))
_MAX_PAGES = 1000
_MAX_TAGS = 100_000


def pull_scope(reference: Reference) -> tuple[str, ...]:
    return (f"repository:{reference.path}:pull",)


def name_of(reference: Reference) -> str:
    """A tag or a digest, as the registry's paths have it."""
    return reference.tag if reference.digest is None else str(reference.digest)


async def document(session: Session, path: str, name: str, attempts: int = 5) -> Document:
    """What a tag or a digest names; where `name` is a digest the bytes are held against it."""
    for attempt in range(1, attempts + 1):
        try:
            async with session.request("GET", f"/v2/{path}/manifests/{name}", headers={"Accept": _ACCEPT}) as response:
                data = await read_bounded(response, MAX_MANIFEST_BYTES)
                media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
            found = Digest.of(data)
            if is_digest(name) and name.startswith("sha256:") and str(found) != name:
                raise BlobMismatch(Digest.parse(name), str(found))
            return Document(found, data, media_type)
        except (Transient, RegistryUnreachable) as error:
            if attempt == attempts:
                raise RegistryFailed(error.message) from error
            await pause_before(attempt, error.wait_s if isinstance(error, Transient) else 0.0)
    raise RegistryFailed(f"no manifest for {name}")


async def tags(reference: Reference, credentials: Credentials, settings: RegistrySettings) -> list[str]:
    """Every tag of a repository, in the registry's order; it gives them in pages."""

    async def work(session: Session) -> list[str]:
        found: list[str] = []
        path = f"/v2/{reference.path}/tags/list"
        for _ in range(_MAX_PAGES):
            async with session.request("GET", path) as response:
                found += _listed(await read_bounded(response, MAX_MANIFEST_BYTES), reference)
                following = response.links.get("next")
            if following is None:
                return found
            path = str(following.get("url", ""))
            if urlsplit(path).netloc != session.endpoint.authority:
                raise RegistryFailed(f"{reference.domain} sends elsewhere for the tags of {reference.path}")
        raise RegistryFailed(f"{reference.domain} lists the tags of {reference.path} without an end")

    return await with_endpoints(reference.domain, pull_scope(reference), credentials, settings, work)


def _listed(data: bytes, reference: Reference) -> list[str]:
    fields = Fields.of(load_json(data, what="tags", max_bytes=MAX_MANIFEST_BYTES), "tags")
    return [reference.with_tag(tag).tag for tag in fields.strings("tags", _MAX_TAGS)]


async def configuration(session: Session, path: str, described: Descriptor, attempts: int) -> bytes:
    """An image's configuration, verified."""
    if described.size > MAX_CONFIG_BYTES:
        raise BadDocument(f"the configuration has {described.size} bytes", field="config.size")
    sinks: list[MemorySink] = []

    async def open_sink() -> Sink:
        sinks.append(MemorySink(described))
        return sinks[-1]

    await fetch_blob(session, path, described, open_sink, attempts=attempts)
    return sinks[-1].data


async def describe(reference: Reference, credentials: Credentials, settings: RegistrySettings) -> Described:
    """Without the layers; the configuration only of an image that is not behind an index."""

    async def work(session: Session) -> Described:
        return await _described(session, reference, settings)

    return await with_endpoints(reference.domain, pull_scope(reference), credentials, settings, work)


async def _described(session: Session, reference: Reference, settings: RegistrySettings) -> Described:
    found = await document(session, reference.path, name_of(reference))
    parsed = parse_manifest(found.data, found.media_type)
    if isinstance(parsed, Index):
        return Described(found, tuple(m.platform for m in parsed.manifests if m.platform is not None))
    if not parsed.is_image:
        return Described(found, ())
    data = await configuration(session, reference.path, parsed.config, settings.attempts)
    return Described(found, (ImageConfig.parse(data).platform,))


async def documents(reference: Reference, credentials: Credentials, settings: RegistrySettings) -> list[Described]:
    """What a name stands for and, behind an index, each manifest with the platform that the index gives it."""

    async def work(session: Session) -> list[Described]:
        found = [await _described(session, reference, settings)]
        parsed = parse_manifest(found[0].document.data, found[0].document.media_type)
        for item in parsed.manifests if isinstance(parsed, Index) else ():
            inner = await document(session, reference.path, str(item.digest))
            found.append(Described(inner, (item.platform,) if item.platform else ()))
        return found

    return await with_endpoints(reference.domain, pull_scope(reference), credentials, settings, work)
