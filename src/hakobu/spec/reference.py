"""References: how users and registries name images, with Docker's defaults and Docker's grammar.

`nginx` means `docker.io/library/nginx:latest`; `familiar` is the way back. A reference has a tag, a digest, both or
(after `parse`, before `tagged`) neither. Bounds: 255 bytes of repository, 128 of tag.
"""

import re
from dataclasses import dataclass, replace

from hakobu.errors import Invalid
from hakobu.spec.digest import Digest, is_hex_id

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_LEGACY_DOMAIN = "index.docker.io"

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*\Z", re.ASCII)
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]{{1,5}})?\Z", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z", re.ASCII)


class BadReference(Invalid):
    """A text does not name an image."""

    def __init__(self, text: str, reason: str = "invalid reference format") -> None:
        super().__init__(reason, field="reference", hint=f"the reference was {text[:300]!r}")


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """`domain/path[:tag][@digest]`, canonical. `path` carries `library/` where Docker puts it."""

    domain: str
    path: str
    tag: str = ""
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """What a user typed. Raises `BadReference` with Docker's words."""
        if is_hex_id(text):
            raise BadReference(text, f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
        rest, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        rest, tag = _split_tag(rest)
        domain, path = _split_domain(rest)
        if path.lower() != path:
            raise BadReference(text, f"invalid reference format: repository name ({path}) must be lowercase")
        if not _DOMAIN.match(domain) or not _PATH.match(path) or (tag is not None and not _TAG.match(tag)):
            raise BadReference(text)
        if len(domain) + 1 + len(path) > 255:
            raise BadReference(text, "invalid reference format: repository name must not be more than 255 characters")
        return cls(domain, path, tag or "", digest)

    @classmethod
    def parse_repository(cls, text: str) -> "Reference":
        """A name without tag and digest."""
        found = cls.parse(text)
        if found.tag or found.digest:
            raise BadReference(text, "refusing to create a reference with a tag or a digest in the repository")
        return found

    @property
    def repository(self) -> str:
        return f"{self.domain}/{self.path}"

    @property
    def familiar_repository(self) -> str:
        """The short form that Docker prints."""
        if self.domain != DEFAULT_DOMAIN:
            return self.repository
        first, slash, rest = self.path.partition("/")
        return rest if slash and first == "library" and "/" not in rest else self.path

    @property
    def familiar(self) -> str:
        return self.familiar_repository + self._suffix()

    def tagged(self) -> "Reference":
        """With `latest` where neither tag nor digest was given."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    def with_tag(self, tag: str) -> "Reference":
        if not _TAG.match(tag):
            raise BadReference(tag, f"invalid tag format: {tag[:150]!r}")
        return replace(self, tag=tag, digest=None)

    def with_digest(self, digest: Digest) -> "Reference":
        return replace(self, tag="", digest=digest)

    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return tag + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.repository + self._suffix()


def _split_tag(text: str) -> tuple[str, str | None]:
    """A colon behind the last slash begins a tag; one before it belongs to a port."""
    head, colon, tail = text.rpartition(":")
    return (head, tail) if colon and "/" not in tail else (text, None)


def _split_domain(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    has_domain = slash and ("." in first or ":" in first or first == "localhost" or first.lower() != first)
    domain, path = (first, rest) if has_domain else (DEFAULT_DOMAIN, text)
    if domain == _LEGACY_DOMAIN:
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = f"library/{path}"
    return domain, path
