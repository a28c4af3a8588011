"""What registries are asked through the engine: `/distribution`, `/images/search`, and their documents as they are."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from hakobu.api import query, reply
from hakobu.api.auth import registry_auth
from hakobu.api.decode import json_body
from hakobu.api.http.exchange import Reply, Request
from hakobu.api.route import Route
from hakobu.engine.services import Services
from hakobu.errors import Invalid
from hakobu.spec.digest import Digest
from hakobu.spec.remote import Document
from hakobu.wire.manifest import ManifestPush, PushedManifest


async def distribution(services: Services, request: Request) -> Reply:
    found = await services.registries.describe(request.params[0], registry_auth(request))
    platforms = [platform.to_json() for platform in found.platforms]
    return reply.json({"Descriptor": _descriptor(found.document), "Platforms": platforms})


def _descriptor(document: Document) -> Mapping[str, Any]:
    return {"mediaType": document.media_type, "digest": str(document.digest), "size": len(document.data)}


async def manifests(services: Services, request: Request) -> Reply:
    """The documents behind a name, each with its very bytes: what `manifest inspect` shows."""
    found = await services.registries.documents(request.params[0], registry_auth(request))
    return reply.json(
        [
            {
                "Descriptor": _descriptor(item.document),
                "Platform": item.platforms[0].to_json() if len(item.platforms) == 1 else None,
                "Document": base64.b64encode(item.document.data).decode(),
            }
            for item in found
        ]
    )


async def push_manifests(services: Services, request: Request) -> Reply:
    """A list of manifests and its members, whose layers the registry has: what `manifest push` sends."""
    body = json_body(request, ManifestPush)
    members = [(_document(m), m.get("Ref") or "") for m in body.get("Manifests") or ()]
    whole = _document(body)
    await services.registries.push_list(request.params[0], whole, members, registry_auth(request))
    return reply.json({"Digest": str(whole.digest), "Manifests": [str(d.digest) for d, _ in members]})


def _document(given: PushedManifest | ManifestPush) -> Document:
    try:
        data = base64.b64decode(given.get("Document") or "", validate=True)
    except binascii.Error as error:
        raise Invalid(f"Document is not base64: {error}", field="Document") from error
    return Document(Digest.of(data), data, given.get("MediaType") or "")


async def search(services: Services, request: Request) -> Reply:
    term = query.text(request, "term")
    if not term:
        raise Invalid("search term is empty", field="term")
    hits = await services.registries.search(
        term, limit=query.number(request, "limit"), filters=query.filters(request), auth=registry_auth(request)
    )
    return reply.json(
        [
            {
                "star_count": hit.stars,
                "is_official": hit.official,
                "name": hit.name,
                "is_automated": hit.automated,
                "description": hit.description,
            }
            for hit in hits
        ]
    )


ROUTES = (
    Route("GET", "/distribution/{}/json", distribution),
    Route("GET", "/images/search", search),
    Route("GET", "/hakobu/v1/images/{}/manifests", manifests),
    Route("POST", "/hakobu/v1/images/{}/manifests", push_manifests),
)
