"""Image references as people type them: `nginx` stands for `docker.io/library/nginx:latest`."""

from __future__ import annotations

from hakobu.cli.failure import Failure

_DOMAIN = "docker.io"


def split(text: str) -> tuple[str, str, str]:
    """Name, tag and digest of what was typed, empty where absent."""
    name, _, digest = text.partition("@")
    slash = name.rfind("/")
    colon = name.rfind(":")
    if colon > slash:
        return name[:colon], name[colon + 1 :], digest
    return name, "", digest


def check(text: str) -> str:
    """What was typed, when it can be a reference; Failure with docker's words otherwise."""
    name, tag, digest = split(text)
    path = name.rpartition("/")[2] if "/" in name else name
    good = name and not name.startswith(("/", "-")) and "//" not in name and not name.endswith("/")
    if good and path.lower() != path:
        raise Failure(f"invalid reference format: repository name ({_shown(name)}) must be lowercase")
    letters = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:[]")
    tag_letters = letters - set("/:[]")
    if not good or not set(name) <= letters or not set(tag) <= tag_letters or (":" in text and text.endswith(":")):
        raise Failure("invalid reference format")
    if digest and not digest.partition(":")[2]:
        raise Failure("invalid reference format")
    return text


def _shown(name: str) -> str:
    return name if "/" in name else f"library/{name}"


def with_tag(text: str) -> str:
    """As typed, `:latest` added where neither tag nor digest is given."""
    _, tag, digest = split(text)
    return text if tag or digest else f"{text}:latest"


def full_name(name: str) -> str:
    """A repository's whole name: with its registry, and `library/` where docker means it."""
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first.lower() != first):
        return f"docker.io/library/{name[10:]}" if _bare_official(name) else name
    return f"{_DOMAIN}/{name}" if slash else f"{_DOMAIN}/library/{name}"


def _bare_official(name: str) -> bool:
    return name.startswith("docker.io/") and "/" not in name[10:]


def familiar(text: str) -> str:
    """The short form of a whole name: what `docker images` shows."""
    return text.removeprefix("docker.io/library/").removeprefix("docker.io/")


def host_of(name: str) -> str:
    """The registry's host of a whole name."""
    return full_name(name).partition("/")[0]
