"""The engine itself: ping, version, info, events, disk usage, and what only Hakobu has (`/hakobu/…`)."""

from __future__ import annotations

from hakobu.client.container import encode_filters
from hakobu.client.error import ClientError, EngineError
from hakobu.client.url import quote_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hakobu.client.codec import Json
    from hakobu.client.container import Filters
    from hakobu.client.transport import Response, Transport
    from hakobu.client.url import QueryValue


class NotHakobu(ClientError):
    """The engine at this endpoint is another one, which has no word for what was asked."""


class System:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def ping(self) -> Mapping[str, str]:
        """The headers of `_ping`, names in lower case."""
        self._transport.negotiate()
        return self._transport.ping_headers

    def version(self) -> Json:
        return self._transport.call("GET", "/version")

    def info(self) -> Json:
        return self._transport.call("GET", "/info")

    def disk_usage(self, types: list[str] | None = None) -> Json:
        return self._transport.call("GET", "/system/df", {"type": types})

    def events(self, *, since: str = "", until: str = "", filters: Filters | None = None) -> Response:
        """Events as they happen (`Response.objects`), until `until` or until it is closed."""
        query = {"since": since or None, "until": until or None, "filters": encode_filters(filters)}
        return self._transport.open("GET", "/events", query)

    def login(self, auth: Json) -> Json:
        return self._transport.call("POST", "/auth", None, auth)

    def manifests(self, image: str, *, registry_auth: str = "") -> list[Json]:
        """The documents behind a name at its registry, each with descriptor, platform and bytes in base64."""
        headers = {"X-Registry-Auth": registry_auth} if registry_auth else None
        return self.hakobu("GET", f"/v1/images/{quote_path(image)}/manifests", headers=headers)

    def push_manifests(self, image: str, body: Json, *, registry_auth: str = "") -> Json:
        """A list of manifests, and its members, to a registry that has their layers; gives the digests."""
        headers = {"X-Registry-Auth": registry_auth} if registry_auth else None
        return self.hakobu("POST", f"/v1/images/{quote_path(image)}/manifests", None, body, headers=headers)

    def image_diff(self, first: str, second: str) -> list[Json]:
        """What the second image has otherwise than the first, file by file."""
        return self.hakobu("GET", f"/v1/images/{quote_path(first)}/diff", {"to": second})

    def hakobu(
        self,
        method: str,
        path: str,
        query: Mapping[str, QueryValue] | None = None,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """A call under `/hakobu/`; NotHakobu where the engine is Docker's own."""
        try:
            return self._transport.call(method, f"/hakobu{path}", query, body, headers=headers, versioned=False)
        except EngineError as e:
            if e.status == 404 and "page not found" in e.message:
                url = self._transport.endpoint.url
                raise NotHakobu(f"the engine at {url} is not a Hakobu engine and does not know this") from e
            raise
