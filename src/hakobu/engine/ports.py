"""What starting, ending and removing need from the layers below, as narrow protocols.

`daemon/` wires them to `network/`, `store/` and `runtime/`; here they keep each operation honest about what
it touches. All are awaitable: the work itself runs in a thread or a worker of the layer's own.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from hakobu.errors import HakobuError
from hakobu.spec.container import BoundPort, Container, Endpoint, ResolvedMount
from hakobu.spec.plan import Created, Plan, ReservedPort
from hakobu.spec.runtime_config import RuntimeConfig


class Net(Protocol):
    """A container's endpoints, from their addresses to the rules of its published ports."""

    async def join(self, container: Container) -> tuple[Endpoint, ...]:
        """Allocates an endpoint for each network the container is to be in, and writes hostname, hosts and
        resolv.conf into its directory; undoes all when one fails."""
        ...

    async def opened(self, container: Container, created: Created) -> None:
        """After the namespaces exist: port rules, names. `container` carries its endpoints and ports."""
        ...

    async def explained(self, container: Container, error: HakobuError) -> HakobuError:
        """The same failure with what can be found out about it: who holds a port that was refused."""
        ...

    async def leave(self, container: Container) -> None:
        """Lets go of rules, names and addresses; what is already gone is no error."""
        ...

    async def renamed(self, container: Container) -> None:
        """The names its networks answer to have changed."""
        ...

    async def set_aside(self, container: Container, aside: bool) -> None:
        """Whether its aliases lead to others alone, until its end: it keeps its own name."""
        ...


class Roots(Protocol):
    """The file system of containers."""

    async def prepare(self, container_id: str, image_id: str) -> Awaitable[None]:
        """Queues the making of a new container's directories; the awaitable says when they are there for good."""
        ...

    async def volumes(self, container: Container) -> tuple[ResolvedMount, ...]:
        """Makes the volumes a new container needs, fills new ones from the image, and names every mount."""
        ...

    async def remove(self, container_id: str) -> None: ...

    async def discard(self, container_id: str) -> None:
        """What is left on the disk of a container whose record is gone."""
        ...

    async def remove_anonymous(self, mounts: Sequence[ResolvedMount]) -> None: ...


PlanStart = Callable[[Container], tuple[RuntimeConfig, Plan]]
"""Pure but for reading the state of others: a container's configuration, joined endpoints included, and its plan."""

Foresee = Callable[[Container], Plan]
"""The plan of a container that does not exist."""


class Freezer(Protocol):
    """Pausing works on the container's cgroup alone."""

    async def freeze(self, container_id: str) -> None: ...
    async def thaw(self, container_id: str) -> None: ...


def bound_ports(reserved: Sequence[ReservedPort]) -> tuple[BoundPort, ...]:
    """What the shim holds, as the record keeps it."""
    return tuple(
        BoundPort(container_port=p.container_port, protocol=p.protocol, host_ip=p.host_ip, host_port=p.host_port)
        for p in reserved
    )
