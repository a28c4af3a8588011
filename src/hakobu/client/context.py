"""docker's contexts on disk: named endpoints with a description and the files of their TLS.

    <config>/contexts/meta/<sha256 of the name>/meta.json
    <config>/contexts/tls/<sha256 of the name>/docker/{ca,cert,key}.pem

The store is docker's own, so both programs see the same contexts. `default` is never in it: it stands for
`DOCKER_HOST`, else docker's socket.
"""

from __future__ import annotations

import os

from hakobu.client.codec import decode, encode, object_of
from hakobu.client.error import BadEndpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hakobu.client.codec import Json

DEFAULT = "default"
DEFAULT_ABOUT = "Current DOCKER_HOST based configuration"
DOCKER_SOCKET = "/var/run/docker.sock"
TLS_FILES = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}


class NoSuchContext(BadEndpoint):
    """No context of this name in the store: docker's words, which name the file that is not there."""

    def __init__(self, name: str, path: str) -> None:
        super().__init__(f'context "{name}": context not found: open {path}: no such file or directory')
        self.name = name


class Context:
    """A named endpoint: its description, its address, whether its certificate is left unchecked, its TLS files."""

    __slots__ = ("description", "host", "name", "skip_tls_verify", "tls")

    def __init__(
        self,
        name: str,
        description: str = "",
        host: str = "",
        skip_tls_verify: bool = False,
        tls: Mapping[str, bytes] | None = None,
    ) -> None:
        self.name = name
        self.description = description
        self.host = host
        self.skip_tls_verify = skip_tls_verify
        # File name (`ca.pem`) to its contents.
        self.tls = dict(tls or {})

    def to_json(self) -> Json:
        """The document of `meta.json`."""
        endpoint: Json = {"Host": self.host} if self.host else {}
        return {
            "Name": self.name,
            "Metadata": {"Description": self.description} if self.description else {},
            "Endpoints": {"docker": {**endpoint, "SkipTLSVerify": self.skip_tls_verify}},
        }


def parse_context(document: Json, tls: Mapping[str, bytes]) -> Context:
    """The context of a `meta.json` and the files beside it."""
    endpoint = object_of(object_of(document.get("Endpoints")).get("docker"))
    return Context(
        str(document.get("Name") or ""),
        str(object_of(document.get("Metadata")).get("Description") or ""),
        str(endpoint.get("Host") or ""),
        bool(endpoint.get("SkipTLSVerify")),
        tls,
    )


def default_context(env: Mapping[str, str]) -> Context:
    """What `default` stands for: DOCKER_HOST, else docker's own socket."""
    return Context(DEFAULT, "", env.get("DOCKER_HOST") or f"unix://{DOCKER_SOCKET}")


class ContextStore:
    """The contexts below one configuration folder."""

    def __init__(self, config_dir: str) -> None:
        self._root = f"{config_dir}/contexts"

    def meta_dir(self, name: str) -> str:
        return f"{self._root}/meta/{_key(name)}"

    def tls_dir(self, name: str) -> str:
        return f"{self._root}/tls/{_key(name)}"

    def list(self) -> list[Context]:
        """All of them by name; what is no context's folder is passed over."""
        try:
            keys = os.listdir(f"{self._root}/meta")
        except FileNotFoundError:
            return []
        found = [self._read(f"{self._root}/meta/{key}", f"{self._root}/tls/{key}") for key in keys]
        return sorted((context for context in found if context), key=lambda context: context.name)

    def __contains__(self, name: str) -> bool:
        return os.path.exists(f"{self.meta_dir(name)}/meta.json")

    def get(self, name: str) -> Context:
        """The context of this name; NoSuchContext otherwise."""
        context = self._read(self.meta_dir(name), self.tls_dir(name))
        if context is None:
            raise NoSuchContext(name, f"{self.meta_dir(name)}/meta.json")
        return context

    def _read(self, meta_dir: str, tls_dir: str) -> Context | None:
        try:
            with open(f"{meta_dir}/meta.json", "rb") as file:
                document = object_of(decode(file.read()))
        except (OSError, ValueError):
            return None
        return parse_context(document, _files_of(f"{tls_dir}/docker"))

    def put(self, context: Context) -> None:
        """Writes a context, in place of one of its name; its key is the owner's alone to read."""
        meta_dir = self.meta_dir(context.name)
        os.makedirs(meta_dir, 0o755, exist_ok=True)
        _write(f"{meta_dir}/meta.json", encode(context.to_json()), 0o644)
        self._drop(self.tls_dir(context.name))
        if context.tls:
            tls_dir = f"{self.tls_dir(context.name)}/docker"
            os.makedirs(tls_dir, 0o700, exist_ok=True)
            for name, data in context.tls.items():
                _write(f"{tls_dir}/{name}", data, 0o600)

    def remove(self, name: str) -> None:
        self._drop(self.meta_dir(name))
        self._drop(self.tls_dir(name))

    @staticmethod
    def _drop(folder: str) -> None:
        import shutil

        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            pass


def _key(name: str) -> str:
    import hashlib

    return hashlib.sha256(name.encode()).hexdigest()


def _files_of(folder: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for name in TLS_FILES.values():
        try:
            with open(f"{folder}/{name}", "rb") as file:
                found[name] = file.read()
        except OSError:
            continue
    return found


def _write(path: str, data: bytes, mode: int) -> None:
    """Whole or not at all: a program that reads meanwhile sees the old file or the new one."""
    temporary = f"{path}.{os.getpid()}.tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with open(fd, "wb") as file:
            file.write(data)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
