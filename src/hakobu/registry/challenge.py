"""`WWW-Authenticate`: which proof a registry wants, and whether credentials may go where it sends us. Pure.

The realm rule: credentials go to the registry's own host, or to one in the same parent domain (registry-1.docker.io
and auth.docker.io); over TLS, unless the registry itself is spoken to without and the realm is on its host.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from hakobu.registry.endpoint import Endpoint

_SCHEME = re.compile(r"\s*,?\s*([A-Za-z]+)(?:\s+|\Z)")
_PARAMETER = re.compile(r'\s*,?\s*([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_MAX = 8192


@dataclass(frozen=True, slots=True)
class Challenge:
    """`scheme` is lower-case: basic or bearer."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def parse_challenges(headers: Sequence[str]) -> tuple[Challenge, ...]:
    """What could be read; an unknown scheme or rubbish gives nothing."""
    found: list[Challenge] = []
    for header in headers:
        at, text = 0, header[:_MAX]
        while matched := _SCHEME.match(text, at):
            at = matched.end()
            parameters: dict[str, str] = {}
            while pair := _PARAMETER.match(text, at):
                at = pair.end()
                value = pair[3] if pair[2] is None else re.sub(r"\\(.)", r"\1", pair[2])
                parameters[pair[1].lower()] = value
            scheme = matched[1].lower()
            if scheme in ("basic", "bearer"):
                picked = (parameters.get(key, "") for key in ("realm", "service", "scope"))
                found.append(Challenge(scheme, *picked))
    return tuple(found)


def may_ask(endpoint: Endpoint, realm: str) -> bool:
    """Whether a token may be asked for at this realm at all."""
    parts = urlsplit(realm)
    if not parts.hostname or parts.username or parts.password:
        return False
    if parts.scheme == "https":
        return True
    return parts.scheme == "http" and endpoint.is_plain and parts.hostname == endpoint.host


def may_send_credentials(endpoint: Endpoint, realm: str) -> bool:
    host, ours = (urlsplit(realm).hostname or "").lower(), endpoint.host.lower()
    if not may_ask(endpoint, realm) or not endpoint.takes_credentials:
        return False
    if host == ours:
        return True
    parent = ours.partition(".")[2]
    return "." in parent and not parent.replace(".", "").isdigit() and (host == parent or host.endswith(f".{parent}"))
