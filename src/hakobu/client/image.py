"""Images: one method a route of `/images`. Pull, load and import give their progress as they run."""

from __future__ import annotations

from hakobu.client.codec import encode
from hakobu.client.container import encode_filters
from hakobu.client.error import ClientError
from hakobu.client.url import quote_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hakobu.client.codec import Json
    from hakobu.client.container import Filters
    from hakobu.client.transport import Body, Response, Transport


class Images:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self, *, all: bool = False, filters: Filters | None = None, digests: bool = False, manifests: bool = False
    ) -> list[Json]:
        """With `manifests` each has the variants of its index, here or not (API 1.47)."""
        query = {"all": all, "filters": encode_filters(filters), "digests": digests, "manifests": manifests or None}
        return self._transport.call("GET", "/images/json", query)

    def inspect(self, image: str, *, platform: str = "", manifests: bool = False) -> Json:
        """`platform` (`linux/arm64`): that member of an index, from API 1.49 on; `manifests`: all it lists, 1.48."""
        query = {"platform": self.platform_query(platform, "1.49"), "manifests": manifests or None}
        return self._transport.call("GET", _path(image, "/json"), query)

    def history(self, image: str, *, platform: str = "") -> list[Json]:
        """The layers, newest first; `platform` from API 1.48 on."""
        query = {"platform": self.platform_query(platform, "1.48")}
        return self._transport.call("GET", _path(image, "/history"), query)

    def platform_query(self, platform: str, since: str) -> str | None:
        """`OS[/ARCH[/VARIANT]]` as the API's JSON; ClientError where the engine is older than the parameter."""
        if platform and not self._transport.at_least(since):
            theirs = self._transport.version
            raise ClientError(
                f'"--platform" requires API version {since}, but the Docker daemon API version is {theirs}'
            )
        return _platform(platform)

    def pull(self, image: str, tag: str = "", *, platform: str = "", registry_auth: str = "") -> Response:
        """Progress messages (`Response.objects`); an error may come as their last one (`progress.check`)."""
        query = {"fromImage": image, "tag": tag or None, "platform": platform or None}
        headers = {"X-Registry-Auth": registry_auth} if registry_auth else {}
        return self._transport.open("POST", "/images/create", query, headers=headers)

    def push(self, image: str, tag: str = "", *, platform: str = "", registry_auth: str = "") -> Response:
        """All tags of the repository where none is given."""
        headers = {"X-Registry-Auth": registry_auth or "e30="}
        query = {"tag": tag or None, "platform": _platform(platform)}
        return self._transport.open("POST", _path(image, "/push"), query, headers=headers)

    def search(
        self, term: str, *, limit: int = 0, filters: Filters | None = None, registry_auth: str = ""
    ) -> list[Json]:
        """Repositories of Docker Hub, or of the registry that the term begins with (`host:port/word`)."""
        query = {"term": term, "limit": limit or None, "filters": encode_filters(filters)}
        headers = {"X-Registry-Auth": registry_auth} if registry_auth else {}
        return self._transport.call("GET", "/images/search", query, headers=headers)

    def distribution(self, image: str, *, registry_auth: str = "") -> Json:
        """Descriptor and platforms of what a name stands for at its registry now."""
        headers = {"X-Registry-Auth": registry_auth} if registry_auth else {}
        return self._transport.call("GET", f"/distribution/{quote_path(image)}/json", headers=headers)

    def import_(
        self,
        source: str,
        body: Body = None,
        *,
        repo: str = "",
        tag: str = "",
        message: str = "",
        changes: Iterable[str] = (),
        platform: str = "",
    ) -> Response:
        """An image of a root file system's tar: a URL the engine fetches, or `-` with the tar as body."""
        query = {
            "fromSrc": source,
            "repo": repo or None,
            "tag": tag or None,
            "message": message or None,
            "changes": list(changes),
            "platform": platform or None,
        }
        return self._transport.open("POST", "/images/create", query, body, content_type="application/x-tar")

    def load(self, body: Body, *, quiet: bool = True, platform: str = "") -> Response:
        query = {"quiet": "1" if quiet else "0", "platform": self.platform_query(platform, "1.48")}
        return self._transport.open("POST", "/images/load", query, body, content_type="application/x-tar")

    def save(self, images: Iterable[str], *, platform: str = "") -> Response:
        query = {"names": list(images), "platform": self.platform_query(platform, "1.48")}
        return self._transport.open("GET", "/images/get", query)

    def tag(self, image: str, repo: str, tag: str) -> None:
        self._transport.call("POST", _path(image, "/tag"), {"repo": repo, "tag": tag})

    def remove(
        self, image: str, *, force: bool = False, prune: bool = True, platforms: Iterable[str] = ()
    ) -> list[Json]:
        """What was untagged and deleted; with `platforms` (API 1.50) those members of an index only."""
        members = [self.platform_query(item, "1.50") or "" for item in platforms]
        query = {"force": force, "noprune": not prune, "platforms": members or None}
        return self._transport.call("DELETE", _path(image), query) or []

    def prune(self, filters: Filters | None = None) -> Json:
        return self._transport.call("POST", "/images/prune", {"filters": encode_filters(filters)})


def _platform(text: str) -> str | None:
    """`os[/architecture[/variant]]` as Docker's JSON object."""
    if not text:
        return None
    return encode(dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))).decode()


def _path(image: str, action: str = "") -> str:
    return f"/images/{quote_path(image)}{action}"
