"""`registries.toml`: mirrors for any registry, in the order in which they are tried before it.

    [[registry."quay.io".mirror]]
    url = "https://mirror.example:5000/quay"    # what stands behind the host comes before each repository's name
    credentials = true                          # the login for quay.io goes there, too; otherwise no mirror gets it
    insecure = true                             # any certificate will do

What cannot be read is an error that names the place: a mirror that is left out in silence would send people elsewhere.
"""

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from hakobu.errors import Invalid
from hakobu.registry.endpoint import Endpoint
from hakobu.spec.reference import BadReference, Reference

MAX_BYTES = 1 << 20
_KEYS = {"url": str, "credentials": bool, "insecure": bool}
_PREFIX = re.compile(r"[a-z0-9][a-z0-9._/-]*\Z", re.ASCII)


class BadRegistries(Invalid):
    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}", field="registries")


def read_mirrors(path: str, *, required: bool) -> dict[str, tuple[Endpoint, ...]]:
    """Registry to its mirrors. Where the file is not there and need not be, none."""
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_BYTES + 1).decode()
    except FileNotFoundError as error:
        if not required:
            return {}
        raise BadRegistries(path, "there is no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadRegistries(path, str(error)) from error
    return parse_mirrors(text, path)


def parse_mirrors(text: str, path: str = "registries.toml") -> dict[str, tuple[Endpoint, ...]]:
    import tomllib  # a daemon without such a file starts without it

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadRegistries(path, str(error)) from error
    unknown = sorted(set(document) - {"registry"})
    if unknown:
        raise BadRegistries(path, f'unknown key {unknown[0]!r}; a mirror is [[registry."HOST".mirror]]')
    found: dict[str, tuple[Endpoint, ...]] = {}
    for host, table in _table(document.get("registry", {}), "registry", path).items():
        place = f'registry."{host}"'
        entry = _table(table, place, path)
        mirrors: object = entry.get("mirror", [])
        if set(entry) - {"mirror"} or not isinstance(mirrors, list):
            raise BadRegistries(path, f"{place} holds an array of tables `mirror` and nothing else")
        listed = [_mirror(_table(m, f"{place}.mirror", path), place, path) for m in cast("list[object]", mirrors)]
        found[_domain(host, place, path)] = tuple(listed)
    return found


def _table(value: object, place: str, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadRegistries(path, f"{place} is not a table")
    return cast("dict[str, Any]", value)


def _domain(host: str, place: str, path: str) -> str:
    try:
        return Reference.parse(f"{host}/a").domain
    except BadReference:
        raise BadRegistries(path, f"{place}: {host!r} is not a registry's host") from None


def _mirror(table: Mapping[str, Any], place: str, path: str) -> Endpoint:
    for key, value in table.items():
        if key not in _KEYS:
            raise BadRegistries(path, f"{place}.mirror has the unknown key {key!r}")
        if not isinstance(value, _KEYS[key]):
            raise BadRegistries(path, f"{place}.mirror.{key} must be of type {_KEYS[key].__name__}")
    url = str(table.get("url", ""))
    parts = urlsplit(url)
    prefix = parts.path.strip("/")
    usable = parts.scheme in ("http", "https") and parts.hostname and not (parts.username or parts.password)
    if not usable or parts.query or parts.fragment or (prefix and not _PREFIX.match(prefix)):
        raise BadRegistries(path, f"{place}.mirror.url must be like https://HOST[:PORT][/PREFIX]: {url!r}")
    return Endpoint(
        f"{parts.scheme}://{parts.netloc}",
        verify=not table.get("insecure", False),
        mirror=True,
        trusted=bool(table.get("credentials", False)),
        prefix=prefix,
    )
