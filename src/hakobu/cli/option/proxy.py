"""Proxies of docker's configuration (`proxies`), given to containers as the variables programs look for."""

from __future__ import annotations

from hakobu.client.codec import object_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.codec import Json

_NAMES = {
    "httpProxy": "HTTP_PROXY",
    "httpsProxy": "HTTPS_PROXY",
    "noProxy": "NO_PROXY",
    "ftpProxy": "FTP_PROXY",
    "allProxy": "ALL_PROXY",
}


def with_proxies(environment: list[str], config: Json, host: str) -> list[str]:
    """The environment with the proxies set for this engine's address, or else for all; what was given wins."""
    proxies = object_of(config.get("proxies"))
    chosen = object_of(proxies.get(host) or proxies.get("default"))
    given = {item.partition("=")[0] for item in environment}
    found = [
        f"{name}={chosen[key]}"
        for key, upper in _NAMES.items()
        if chosen.get(key)
        for name in (upper, upper.lower())
        if name not in given
    ]
    return environment + found
