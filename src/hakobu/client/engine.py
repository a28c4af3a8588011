"""`Engine`: one object for one engine, its resources as attributes, each in a module of its own.

    engine = Engine()                                  # the caller's own socket
    engine = Engine("unix:///var/run/docker.sock")     # a real dockerd answers as well
    print(engine.containers.list(all=True))

Blocking; usable from several threads. Resource modules are imported when first asked for.
"""

from __future__ import annotations

from hakobu.client.endpoint import Endpoint, choose
from hakobu.client.transport import Transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hakobu.client.codec import Json
    from hakobu.client.container import Containers
    from hakobu.client.execution import Execs
    from hakobu.client.image import Images
    from hakobu.client.network import Networks
    from hakobu.client.running import Ports, RunningContainer, TemporaryNetwork
    from hakobu.client.system import System
    from hakobu.client.volume import Volumes


class Engine:
    """The engine at `endpoint` (an `Endpoint`, a URL, or None for the caller's own)."""

    def __init__(
        self,
        endpoint: Endpoint | str | None = None,
        *,
        version: str = "",
        transport: Transport | None = None,
    ) -> None:
        where = Endpoint(endpoint) if isinstance(endpoint, str) else endpoint or choose()
        self.transport = transport or Transport(where, version=version)

    @property
    def endpoint(self) -> Endpoint:
        return self.transport.endpoint

    @property
    def containers(self) -> Containers:
        from hakobu.client.container import Containers

        return Containers(self.transport)

    @property
    def execs(self) -> Execs:
        from hakobu.client.execution import Execs

        return Execs(self.transport)

    @property
    def images(self) -> Images:
        from hakobu.client.image import Images

        return Images(self.transport)

    @property
    def networks(self) -> Networks:
        from hakobu.client.network import Networks

        return Networks(self.transport)

    @property
    def volumes(self) -> Volumes:
        from hakobu.client.volume import Volumes

        return Volumes(self.transport)

    @property
    def system(self) -> System:
        from hakobu.client.system import System

        return System(self.transport)

    def run(
        self,
        image: str,
        command: Sequence[str] | None = None,
        *,
        name: str = "",
        env: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        ports: Iterable[int | str] | Ports = (),
        volumes: Mapping[str, str] | None = None,
        network: str = "",
        pull: bool = True,
        extra: Json | None = None,
    ) -> RunningContainer:
        """Creates and starts a container, and comes back at once; as a context manager it is removed at the end.

        `ports`: container ports to publish on free ones of 127.0.0.1, or a map to a port or an (address, port).
        `volumes`: volume or folder to the path inside. `extra`: members of the API's create body. An image that
        is not there is pulled, unless `pull` is false; then and for all else EngineError has the engine's words.
        """
        from hakobu.client.error import EngineError
        from hakobu.client.running import RunningContainer, container_config

        config = container_config(
            image, command, env=env, labels=labels, ports=ports, volumes=volumes, network=network, extra=extra
        )
        try:
            created = self.containers.create(config, name=name)
        except EngineError as e:
            if not pull or e.status != 404 or "no such image" not in e.message.lower():
                raise
            self.pull(image)
            created = self.containers.create(config, name=name)
        container = RunningContainer(self, str(created["Id"]))
        try:
            self.containers.start(container.id)
        except BaseException:
            container.remove()
            raise
        return container

    def pull(self, image: str, *, registry_auth: str = "") -> None:
        """Pulls an image to its end; a name without tag or digest means `latest`."""
        from hakobu.client.progress import finish

        name, at, digest = image.partition("@")
        base, colon, tag = name.rpartition(":")
        if not colon or "/" in tag:
            base, tag = name, "latest"
        finish(self.images.pull(base, digest if at else tag, registry_auth=registry_auth))

    def network(self, name: str, **config: object) -> TemporaryNetwork:
        """Creates a network; as a context manager it is removed at the end. `config`: the API's members."""
        from hakobu.client.running import TemporaryNetwork

        created = self.networks.create({"Name": name, **config})
        return TemporaryNetwork(self, name, str(created["Id"]))

    def close(self) -> None:
        self.transport.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
