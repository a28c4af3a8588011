"""One call of the program: what it was called as, which engine it speaks to, and its standard streams.

Text goes to the descriptors as UTF-8 bytes, whatever the locale says: names and paths are bytes to the
kernel, and a byte that was no UTF-8 in argv comes out as the byte it was.
"""

from __future__ import annotations

import os

from hakobu.client.transport import Transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json
    from hakobu.client.endpoint import Endpoint
    from hakobu.client.engine import Engine

STDIN_FD, STDOUT_FD, STDERR_FD = range(3)


def write_all(fd: int, data: bytes) -> None:
    """Writes all of it; BrokenPipeError where the reader has left."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            # A terminal shared with a program that made it non-blocking: wait until it takes more.
            import select

            select.select([], [fd], [])


def _start_engine(endpoint: Endpoint) -> None:
    """Starts the caller's own engine; loaded only when nobody listens."""
    from hakobu.cli.ondemand import start

    start(endpoint)


def _own_headers(headers: Json) -> dict[str, str]:
    """`HttpHeaders` of docker's configuration; the client's name is not theirs to give, as with docker."""
    return {str(name): str(value) for name, value in headers.items() if name.lower() != "user-agent"}


class Session:
    """Everything a command may ask for."""

    def __init__(self, program: str, values: Values, name: str) -> None:
        self.program = program
        self.name = name
        self.values = values
        self._endpoint: Endpoint | None = None
        self._engine: Engine | None = None
        self._config: Json | None = None
        self.rehearses = False

    @property
    def as_docker(self) -> bool:
        return self.program == "docker"

    @property
    def debug(self) -> bool:
        return self.values.on("debug")

    @property
    def config_dir(self) -> str:
        """Where docker's configuration of this user is: logins, default formats, detach keys."""
        from hakobu.client.endpoint import docker_config_dir

        return self.values.text("config") or docker_config_dir(os.environ)

    @property
    def endpoint(self) -> Endpoint:
        """The engine's address, chosen once."""
        if self._endpoint is None:
            self._endpoint = self._choose()
        return self._endpoint

    def _choose(self) -> Endpoint:
        from hakobu.client.endpoint import Tls, choose

        env = {**os.environ, "DOCKER_CONFIG": self.config_dir}
        hosts = self.values.texts("host")
        context = self.values.text("context")
        endpoint = choose(hosts[-1] if hosts else "", context, env=env, as_docker=self.as_docker)
        if endpoint.own:
            endpoint.start = _start_engine
        verify = self.values.on("tlsverify") or bool(self.as_docker and env.get("DOCKER_TLS_VERIFY"))
        if endpoint.scheme == "tcp" and (verify or self.values.on("tls")):
            folder = env.get("DOCKER_CERT_PATH") or self.config_dir
            files = [
                self.values.text(f"tls{kind}") or f"{folder}/{file}"
                for kind, file in (("cacert", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem"))
            ]
            endpoint.tls = Tls(files[0], files[1], files[2], verify)
        return endpoint

    @property
    def engine(self) -> Engine:
        """The client of that engine; the caller's own one is started where it does not run."""
        if self._engine is None:
            from hakobu.client.engine import Engine

            self._engine = Engine(self.endpoint, transport=self._transport())
        return self._engine

    def _transport(self) -> Transport:
        version = os.environ.get("HAKOBU_API_VERSION" if not self.as_docker else "DOCKER_API_VERSION", "")
        headers = self.config().get("HttpHeaders")
        kind = Transport
        if self.rehearses:
            from hakobu.cli.rehearsal import Rehearsal as kind
        return kind(self.endpoint, version=version, headers=_own_headers(headers) if headers else None)

    def config(self) -> Json:
        """docker's `config.json`, empty where there is none."""
        if self._config is None:
            from hakobu.client.credential import read_config

            self._config = read_config(self.config_dir)
        return self._config

    def out(self, text: str) -> None:
        """Text to standard output, with the line break that is in it or none."""
        write_all(STDOUT_FD, text.encode("utf-8", "surrogateescape"))

    def line(self, text: str) -> None:
        self.out(f"{text}\n")

    def error(self, text: str) -> None:
        """A line to standard error."""
        write_all(STDERR_FD, f"{text}\n".encode("utf-8", "surrogateescape"))
