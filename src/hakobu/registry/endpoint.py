"""Where a registry can be reached: URLs in the order in which they are tried, and how far each is trusted. Pure.

Plain HTTP is for loopback addresses, for registries that the configuration calls insecure, and for mirrors that it
gives with `http://`; nothing a registry says can lead there.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from hakobu.spec.reference import DEFAULT_DOMAIN

HUB = "registry-1.docker.io"
_HUB_INDEX = "index.docker.io"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`url` has no trailing slash; `verify` False accepts any certificate.

    A `mirror` gets no credentials unless it is `trusted` with them; `prefix` stands before its repositories' names.
    """

    url: str
    verify: bool = True
    mirror: bool = False
    trusted: bool = False
    prefix: str = ""

    @property
    def takes_credentials(self) -> bool:
        return self.trusted or not self.mirror

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def authority(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def is_plain(self) -> bool:
        return self.url.startswith("http://")


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """What the daemon's configuration says: `mirrors` of Docker Hub, `mirrors_of` any registry, and those without TLS.

    A blob of more than `chunk_bytes` is uploaded in parts of that size.
    """

    mirrors: tuple[str, ...] = ()
    insecure: tuple[str, ...] = ()
    max_downloads: int = 3
    max_uploads: int = 5
    attempts: int = 5
    chunk_bytes: int = 32 << 20
    mirrors_of: Mapping[str, tuple[Endpoint, ...]] = field(default_factory=dict[str, tuple[Endpoint, ...]])
    certificates: tuple[str, ...] = ("/etc/hakobu/certs.d", "/etc/docker/certs.d")


def endpoints(domain: str, settings: RegistrySettings, *, for_push: bool = False) -> tuple[Endpoint, ...]:
    """At least one; the registry itself is last. Mirrors are for reading only."""
    named = () if for_push else settings.mirrors_of.get(domain, ())
    if domain != DEFAULT_DOMAIN:
        return (*named, *_direct(domain, settings))
    mirrors = () if for_push else settings.mirrors
    found: list[Endpoint] = list(named)
    for mirror in mirrors:
        url = mirror.rstrip("/")
        if "://" not in url:
            found += [Endpoint(e.url, e.verify, mirror=True) for e in _direct(url, settings)]
        else:
            found.append(Endpoint(url, not is_insecure(urlsplit(url).netloc, settings.insecure), mirror=True))
    return (*found, Endpoint(f"https://{HUB}"))


def searched(domain: str, settings: RegistrySettings) -> tuple[Endpoint, ...]:
    """Where the first version's search is; Docker Hub keeps it on a host of its own."""
    return (Endpoint(f"https://{_HUB_INDEX}"),) if domain == DEFAULT_DOMAIN else _direct(domain, settings)


def _direct(authority: str, settings: RegistrySettings) -> tuple[Endpoint, ...]:
    if is_insecure(authority, settings.insecure):
        return Endpoint(f"https://{authority}", verify=False), Endpoint(f"http://{authority}", verify=False)
    return (Endpoint(f"https://{authority}"),)


def is_insecure(authority: str, configured: Sequence[str]) -> bool:
    """`configured` holds `host[:port]` and networks in CIDR form; loopback addresses always count."""
    host = (urlsplit(f"//{authority}").hostname or "").lower()
    if host == "localhost" or authority.lower() in {c.lower() for c in configured} or host in configured:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or any(address in network for network in _networks(configured))


def _networks(configured: Sequence[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    for text in configured:
        if "/" in text:
            try:
                found.append(ipaddress.ip_network(text, strict=False))
            except ValueError:
                continue
    return found
