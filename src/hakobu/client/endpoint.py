"""Which engine a command speaks to, and why that one.

In order: `-H`, `-c`, `HAKOBU_HOST`, `HAKOBU_CONTEXT`, what `hakobu context use` chose, the caller's own
socket. `DOCKER_HOST` and docker's current context count only where the program was called as `docker`:
otherwise `hakobu run` would drive whatever engine the user's docker is set up for.
"""

from __future__ import annotations

import os

from hakobu.client.error import BadEndpoint
from hakobu.spec.user_directory import runtime_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from hakobu.client.codec import Json

ROOT_SOCKET = "/run/hakobu/hakobu.sock"
# Beside docker's config.json: what `hakobu context use` chose. Docker's own file is docker's to read.
OWN_CHOICE = "hakobu.json"


class Endpoint:
    """An engine's address. `own` marks the caller's own Hakobu socket, where a daemon may be started."""

    __slots__ = (
        "address",
        "chosen_by",
        "context",
        "own",
        "port",
        "remote_program",
        "remote_socket",
        "scheme",
        "start",
        "tls",
        "url",
    )

    def __init__(
        self, url: str, chosen_by: str = "the program", *, own: bool = False, context: str = "default"
    ) -> None:
        self.url = url
        self.chosen_by = chosen_by
        self.own = own
        self.context = context
        self.tls: Tls | None = None
        # Called where nobody listens, to start an engine; whoever owns the process decides to set it.
        self.start: Callable[[Endpoint], None] | None = None
        # Of ssh://: what to call there first, and the socket to ask it for ("": its own).
        self.remote_program = "hakobu"
        self.remote_socket = ""
        self.scheme, self.address, self.port = _parse(url)
        if self.scheme == "ssh" and "/" in url[6:]:
            self.remote_socket = "/" + url[6:].partition("/")[2].rstrip("/")

    @property
    def path(self) -> str:
        """The socket's path of a `unix://` endpoint."""
        return self.address

    @property
    def host_header(self) -> str:
        """The `Host` of a request; Go's server refuses what is no host name, so a socket has a fixed one."""
        return f"{self.address}:{self.port}" if self.scheme == "tcp" else "api.moby.localhost"


class Tls:
    """How a TCP endpoint is secured: the files of docker's `--tlscacert`, `--tlscert`, `--tlskey`."""

    __slots__ = ("ca", "cert", "key", "verify")

    def __init__(self, ca: str, cert: str, key: str, verify: bool) -> None:
        self.ca = ca
        self.cert = cert
        self.key = key
        self.verify = verify


def _parse(url: str) -> tuple[str, str, int]:
    scheme, separator, rest = url.partition("://")
    if not separator:
        if url.startswith("/"):
            return "unix", url, 0
        scheme, rest = "tcp", url
    if scheme == "unix":
        return "unix", rest, 0
    if scheme in ("tcp", "http", "https"):
        host, _, port = rest.split("/", 1)[0].rpartition(":")
        if not port.isascii() or not port.isdigit():
            host, port = f"{host}:{port}".strip(":"), "2376" if scheme == "https" else "2375"
        return "tcp", host.strip("[]") or "127.0.0.1", int(port)
    if scheme == "ssh":
        return _parse_ssh(url, rest)
    if scheme in ("npipe", "fd"):
        raise BadEndpoint(f"endpoints of the kind {scheme}:// are not supported: {url}")
    raise BadEndpoint(f"unable to parse docker host `{url}`")


def _parse_ssh(url: str, rest: str) -> tuple[str, str, int]:
    """`ssh://[USER@]HOST[:PORT][/SOCKET]`: the address keeps the user; port 0 leaves it to ssh's configuration."""
    place = rest.partition("/")[0]
    host, colon, port = place.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = place, "0"
    name = host.rpartition("@")[2].strip("[]")
    if not name or name.startswith("-") or host.startswith("-") or not (port.isascii() and port.isdigit()):
        raise BadEndpoint(f"unable to parse docker host `{url}`")
    return "ssh", host, int(port)


def own_socket(env: Mapping[str, str], uid: int) -> str:
    """The socket of the caller's own instance: root's, or a user's rootless one."""
    if uid == 0:
        return ROOT_SOCKET
    return f"{runtime_directory(env, uid, os.path.isdir)}/hakobu.sock"


def choose(
    host: str = "", context: str = "", *, env: Mapping[str, str] | None = None, as_docker: bool = False
) -> Endpoint:
    """The endpoint for these flags and this environment; BadEndpoint where a name leads nowhere."""
    endpoint = _choose(host, context, os.environ if env is None else env, as_docker)
    if as_docker:
        endpoint.remote_program = "docker"
    return endpoint


def _choose(host: str, context: str, env: Mapping[str, str], as_docker: bool) -> Endpoint:
    if host:
        return Endpoint(host, "-H")
    if context:
        return _of_context(context, "-c", env)
    for name in ("HAKOBU", "DOCKER") if as_docker else ("HAKOBU",):
        if env.get(f"{name}_HOST"):
            return Endpoint(env[f"{name}_HOST"], f"{name}_HOST")
        if env.get(f"{name}_CONTEXT"):
            return _of_context(env[f"{name}_CONTEXT"], f"{name}_CONTEXT", env)
    current = current_context(env, as_docker=as_docker)
    if current:
        return _of_context(current, "docker's current context" if as_docker else "hakobu context use", env)
    uid = os.getuid()
    return Endpoint(f"unix://{own_socket(env, uid)}", "default: the caller's own socket", own=True)


def current_context(env: Mapping[str, str], *, as_docker: bool) -> str:
    """The context that `context use` chose; empty where none is, or `default`."""
    file = "config.json" if as_docker else OWN_CHOICE
    current = str(_read_json(f"{docker_config_dir(env)}/{file}").get("currentContext") or "")
    return "" if current == "default" else current


def docker_config_dir(env: Mapping[str, str]) -> str:
    """Where the user's docker configuration is: logins, credential helpers, contexts."""
    return env.get("DOCKER_CONFIG") or f"{env.get('HOME') or '/root'}/.docker"


def _of_context(name: str, chosen_by: str, env: Mapping[str, str]) -> Endpoint:
    """A docker context's endpoint. `default` is what it is for docker: DOCKER_HOST, else its own socket."""
    from hakobu.client.context import DEFAULT, TLS_FILES, ContextStore, default_context

    if name == DEFAULT:
        return Endpoint(default_context(env).host, f"{chosen_by} default")
    store = ContextStore(docker_config_dir(env))
    context = store.get(name)
    if not context.host:
        raise BadEndpoint(f'context "{name}" has no address of an engine')
    endpoint = Endpoint(context.host, f"{chosen_by} {name}", context=name)
    if endpoint.scheme == "tcp" and (context.tls or context.skip_tls_verify):
        folder = f"{store.tls_dir(name)}/docker"
        paths = [f"{folder}/{file}" if file in context.tls else "" for file in TLS_FILES.values()]
        endpoint.tls = Tls(paths[0], paths[1], paths[2], not context.skip_tls_verify)
    return endpoint


def _as_json(value: Any) -> Json:
    return value


def _read_json(path: str) -> Json:
    from hakobu.client.codec import decode

    try:
        with open(path, "rb") as file:
            value = decode(file.read())
    except (OSError, ValueError):
        return {}
    return _as_json(value) if isinstance(value, dict) else {}
