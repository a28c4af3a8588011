"""What is asked of a registry without an image on its way: logins, what a name stands for, a search."""

from collections.abc import Mapping, Sequence

from hakobu.engine.config import EngineConfig
from hakobu.engine.listing import check_filters
from hakobu.engine.services import Filters
from hakobu.errors import Invalid
from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import RegistrySettings
from hakobu.registry.login import log_in
from hakobu.registry.mirrors import read_mirrors
from hakobu.registry.push_list import Member, push_list
from hakobu.registry.remote import describe, documents
from hakobu.registry.search import search
from hakobu.spec.reference import DEFAULT_DOMAIN, Reference
from hakobu.spec.remote import Described, Document, Hit

_HUB_SERVERS = ("", "https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io")
_SEARCH_KEYS = frozenset({"is-automated", "is-official", "stars"})
_MAX_HITS = 100
DEFAULT_HITS = 25
REGISTRIES = "/etc/hakobu/registries.toml"


def registry_settings(config: EngineConfig) -> RegistrySettings:
    """Reads the file of mirrors; one that was named must be there. Raises `BadRegistries`."""
    return RegistrySettings(
        mirrors_of=read_mirrors(config.registries or REGISTRIES, required=bool(config.registries)),
        mirrors=config.mirrors,
        insecure=config.insecure_registries,
        max_downloads=config.max_downloads,
        max_uploads=config.max_uploads,
        attempts=config.max_download_attempts,
    )


class RegistryService:
    """Implements `services.Registries`."""

    def __init__(self, settings: RegistrySettings) -> None:
        self._settings = settings

    async def authenticate(self, auth: Mapping[str, str]) -> tuple[str, str]:
        credentials = Credentials.from_auth(auth)
        server = credentials.server.strip().rstrip("/") if credentials.server not in _HUB_SERVERS else ""
        domain = server.removeprefix("https://").removeprefix("http://").partition("/")[0] or DEFAULT_DOMAIN
        Reference.parse(f"{domain}/login")
        return "Login Succeeded", await log_in(domain, credentials, self._settings)

    async def describe(self, name: str, auth: Mapping[str, str] | None) -> Described:
        return await describe(Reference.parse(name).tagged(), Credentials.from_auth(auth), self._settings)

    async def documents(self, name: str, auth: Mapping[str, str] | None) -> Sequence[Described]:
        return await documents(Reference.parse(name).tagged(), Credentials.from_auth(auth), self._settings)

    async def push_list(
        self, name: str, whole: Document, members: Sequence[tuple[Document, str]], auth: Mapping[str, str] | None
    ) -> None:
        lent = [Member(document, Reference.parse(ref).tagged()) for document, ref in members]
        target = Reference.parse(name).tagged()
        await push_list(target, whole, lent, Credentials.from_auth(auth), self._settings)

    async def search(
        self, term: str, *, limit: int = 0, filters: Filters | None = None, auth: Mapping[str, str] | None = None
    ) -> Sequence[Hit]:
        chosen = filters or {}
        check_filters(chosen, _SEARCH_KEYS)
        wanted = limit or DEFAULT_HITS
        if not 1 <= wanted <= _MAX_HITS:
            raise Invalid(f"limit {limit} is outside the range of [1, {_MAX_HITS}]", field="limit")
        official, automated = _choice(chosen, "is-official"), _choice(chosen, "is-automated")
        stars = max((_stars(text) for text in chosen.get("stars", ())), default=0)
        domain, path = _index(term)
        hits = await search(domain, path, wanted, Credentials.from_auth(auth), self._settings)
        return [
            hit
            for hit in hits
            if hit.stars >= stars and official in (None, hit.official) and automated in (None, hit.automated)
        ]


def _index(term: str) -> tuple[str, str]:
    """The registry a search is for, and the word; as Docker reads `host:port/word`."""
    if "://" in term:
        raise Invalid(f'invalid repository name "{term}": it must not name a scheme', field="term")
    first, slash, rest = term.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        domain = DEFAULT_DOMAIN if first in _HUB_SERVERS else first
        Reference.parse(f"{domain}/search")
        return domain, rest
    return DEFAULT_DOMAIN, term


def _choice(filters: Filters, key: str) -> bool | None:
    values = filters.get(key, ())
    if not values:
        return None
    if values[0].lower() not in ("true", "false", "1", "0"):
        raise Invalid(f"invalid filter '{key}={values[0]}'", field="filters")
    return values[0].lower() in ("true", "1")


def _stars(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise Invalid(f"invalid filter 'stars={text}'", field="filters")
    return int(text)
