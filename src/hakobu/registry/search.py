"""`docker search`: the search that registries of the first version, and Docker Hub, have.

The protocol's second version has none: such a registry answers 404, and Docker's words for that are given.
"""

import json
from typing import Any
from urllib.parse import urlencode

from hakobu.errors import HakobuError
from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import RegistrySettings
from hakobu.registry.failure import NotFoundInRegistry, RegistryFailed, RegistryUnreachable
from hakobu.registry.session import Session, read_bounded, with_endpoints
from hakobu.spec.reference import DEFAULT_DOMAIN
from hakobu.spec.remote import Hit

_MAX_BYTES = 4 << 20


class SearchFailed(HakobuError):
    """The registry has no search, or nothing that answers one."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="only Docker Hub and registries of the first version can be searched")


async def search(
    domain: str, term: str, limit: int, credentials: Credentials, settings: RegistrySettings
) -> tuple[Hit, ...]:
    """At most `limit`, best first as the registry has them."""
    word = term.removeprefix("library/") if domain == DEFAULT_DOMAIN else term
    path = f"/v1/search?{urlencode({'q': word, 'n': limit})}"

    async def work(session: Session) -> bytes:
        async with session.request("GET", path, headers={"X-Docker-Token": "true"}) as response:
            return await read_bounded(response, _MAX_BYTES)

    try:
        data = await with_endpoints(domain, (), credentials, settings, work, for_push=True, first_version=True)
    except NotFoundInRegistry as error:
        raise SearchFailed("Unexpected status code 404") from error
    except RegistryUnreachable as error:
        raise SearchFailed(f"invalid registry endpoint https://{domain}/v1/: {error.message}") from error
    return tuple(_hits(data, domain))[:limit]


def _hits(data: bytes, domain: str) -> list[Hit]:
    try:
        told: Any = json.loads(data)
        return [
            Hit(
                str(item["name"]),
                str(item.get("description") or ""),
                int(item.get("star_count") or 0),
                item.get("is_official") is True,
                item.get("is_automated") is True,
            )
            for item in told["results"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise RegistryFailed(f"{domain} answers a search with something else than results") from None
