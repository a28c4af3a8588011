"""A user's credentials for one registry: what `X-Registry-Auth` carries. They never print."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """User and password, or a refresh token (`identity_token`), or a ready bearer token (`registry_token`)."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    server: str = ""

    @classmethod
    def from_auth(cls, auth: Mapping[str, str] | None) -> "Credentials":
        """Of the decoded header; unknown keys do not matter."""
        known = auth or {}
        return cls(
            known.get("username", ""),
            known.get("password", ""),
            known.get("identitytoken", ""),
            known.get("registrytoken", ""),
            known.get("serveraddress", ""),
        )

    @property
    def is_empty(self) -> bool:
        return not (self.username or self.identity_token or self.registry_token)
