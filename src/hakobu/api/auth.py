"""`X-Registry-Auth`: a user's login for one registry, as clients send it along."""

import base64
import binascii
from typing import Any

import msgspec

from hakobu.api.http.exchange import Request

MAX_AUTH_BYTES = 64 << 10


def registry_auth(request: Request) -> dict[str, str] | None:
    """`X-Registry-Auth`: base64url of JSON. Docker takes what it cannot read for no login at all."""
    raw = request.header("x-registry-auth")
    if not raw or len(raw) > MAX_AUTH_BYTES:
        return None
    try:
        decoded = base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4))
        value = msgspec.json.decode(decoded, type=dict[str, Any])
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None
    return {key: text for key, text in value.items() if isinstance(text, str) and text} or None
