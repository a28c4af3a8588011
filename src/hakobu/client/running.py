"""`Engine.run`: a container as an object, and as a context manager that removes it.

    with engine.run("redis", ports=[6379]) as redis:
        redis.wait_ready()
        print(redis.address(6379), redis.exec(["redis-cli", "ping"]).stdout)

A thin layer over the resources of `Engine`: `RunningContainer.id` leads back to them for all it has no word for.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

from hakobu.client.codec import object_of
from hakobu.client.error import ClientError, EngineError
from hakobu.client.exchange import exchange
from hakobu.client.frame import STDERR, Demultiplexer
from hakobu.client.output import lines
from hakobu.client.readiness import wait_ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TypeAlias

    from hakobu.client.codec import Json
    from hakobu.client.engine import Engine

    # Container port to a port here, to an (address, port), or to None for a free one of 127.0.0.1.
    Ports: TypeAlias = Mapping[int | str, int | tuple[str, int] | None]

_PIECE_BYTES = 64 * 1024


class ExecResult:
    """How a command in a container ended, and what it printed."""

    __slots__ = ("exit_code", "stderr", "stdout")

    def __init__(self, exit_code: int, stdout: str, stderr: str) -> None:
        self.exit_code = exit_code
        self.stdout = stdout
        self.stderr = stderr


def container_config(
    image: str,
    command: Sequence[str] | None,
    *,
    env: Mapping[str, str] | None,
    labels: Mapping[str, str] | None,
    ports: Iterable[int | str] | Ports,
    volumes: Mapping[str, str] | None,
    network: str,
    extra: Json | None,
) -> Json:
    """The create body of these words; `extra` has members of the API's own, `HostConfig`'s merged into it."""
    bindings = dict(_binding(port, published) for port, published in _wanted(ports).items())
    host: Json = {
        "PortBindings": bindings,
        "Binds": [f"{source}:{target}" for source, target in (volumes or {}).items()],
        **({"NetworkMode": network} if network else {}),
    }
    given = dict(extra or {})
    host.update(given.pop("HostConfig", {}))
    return {
        "Image": image,
        **({"Cmd": list(command)} if command is not None else {}),
        "Env": [f"{name}={value}" for name, value in (env or {}).items()],
        "Labels": dict(labels or {}),
        "ExposedPorts": {name: {} for name in bindings},
        "HostConfig": host,
        **given,
    }


def _wanted(ports: Iterable[int | str] | Ports) -> Ports:
    if isinstance(ports, Mapping):
        return ports  # pyright: ignore[reportUnknownVariableType]
    return dict.fromkeys(ports)


def _binding(port: int | str, published: int | tuple[str, int] | None) -> tuple[str, list[dict[str, str]]]:
    address, number = published if isinstance(published, tuple) else ("127.0.0.1", published or "")
    return port_name(port), [{"HostIp": address, "HostPort": str(number)}]


def port_name(port: int | str) -> str:
    """`80` as the API has it: `80/tcp`."""
    return str(port) if "/" in str(port) else f"{port}/tcp"


class RunningContainer:
    """A container that was started: `id`, and the verbs that tests and scripts need."""

    def __init__(self, engine: Engine, container_id: str) -> None:
        self.engine = engine
        self.id = container_id

    def inspect(self) -> Json:
        """The engine's document of it, as it is now."""
        return self.engine.containers.inspect(self.id)

    @property
    def name(self) -> str:
        return str(self.inspect()["Name"]).lstrip("/")

    def exec(
        self,
        command: Sequence[str],
        *,
        user: str = "",
        workdir: str = "",
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
    ) -> ExecResult:
        """Runs a command in it to its end; text is UTF-8, what is not comes with replacement characters."""
        config: Json = {
            "Cmd": list(command),
            "User": user,
            "WorkingDir": workdir,
            "Env": [f"{name}={value}" for name, value in (env or {}).items()],
            "AttachStdin": stdin is not None,
            "AttachStdout": True,
            "AttachStderr": True,
        }
        execs = self.engine.execs
        exec_id = execs.create(self.id, config)
        stream = execs.start(exec_id)
        try:
            out, err = bytearray(), bytearray()
            frames, given = Demultiplexer(), BytesIO(stdin or b"")

            def keep(received: bytes) -> None:
                for number, data in frames.feed(received):
                    (err if number == STDERR else out).extend(data)

            exchange(stream, keep, lambda: given.read(_PIECE_BYTES) or None)
        finally:
            stream.close()
        code = int(execs.inspect(exec_id)["ExitCode"])
        return ExecResult(code, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))

    def logs(self, *, follow: bool = False, tail: str = "all") -> Iterator[str]:
        """Its output line by line, both streams in their order; with `follow` until it ends."""
        tty = bool(self.inspect()["Config"]["Tty"])
        with self.engine.containers.logs(self.id, follow=follow, tail=tail) as response:
            for _, line in lines(response, tty=tty):
                yield line.decode("utf-8", "replace")

    def address(self, port: int | str) -> tuple[str, int]:
        """Host and port where a published port of it is reached from this machine; ClientError where it is not."""
        name = port_name(port)
        found = self.inspect()["NetworkSettings"]["Ports"].get(name)
        if not found:
            raise ClientError(f"port {name} of container {self.id[:12]} is not published")
        host = str(found[0]["HostIp"])
        return ("127.0.0.1" if host in ("", "0.0.0.0") else host), int(found[0]["HostPort"])

    def wait(self) -> int:
        """Waits for its end; gives its exit status."""
        return self.engine.containers.wait(self.id).result()[0]

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Until it is healthy, or running where it has no health check; else NotReady, in time or at its end."""
        wait_ready(self.engine.containers, self.id, timeout_s=timeout_s)

    def stop(self, timeout_s: int | None = None) -> None:
        self.engine.containers.stop(self.id, timeout_s=timeout_s)

    def kill(self, signal: str = "SIGKILL") -> None:
        self.engine.containers.kill(self.id, signal)

    def remove(self) -> None:
        """Ends and removes it with its anonymous volumes; that it is gone already is no error."""
        try:
            self.engine.containers.remove(self.id, force=True, volumes=True)
        except EngineError as e:
            if e.status not in (404, 409):
                raise

    def __enter__(self) -> RunningContainer:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class TemporaryNetwork:
    """A network that is removed at the end of a `with`."""

    def __init__(self, engine: Engine, name: str, network_id: str) -> None:
        self.engine = engine
        self.name = name
        self.id = network_id

    def remove(self) -> None:
        """Removes it, connected containers disconnected first; that it is gone already is no error."""
        try:
            for container in object_of(self.engine.networks.inspect(self.id).get("Containers")):
                self.engine.networks.disconnect(self.id, container, force=True)
            self.engine.networks.remove(self.id)
        except EngineError as e:
            if e.status != 404:
                raise

    def __enter__(self) -> TemporaryNetwork:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
