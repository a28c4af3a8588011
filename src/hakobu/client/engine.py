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
    from hakobu.client.container import Containers
    from hakobu.client.execution import Execs
    from hakobu.client.image import Images
    from hakobu.client.network import Networks
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

    def close(self) -> None:
        self.transport.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
