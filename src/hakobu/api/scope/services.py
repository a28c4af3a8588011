"""The engine's services as one policy shows them: what a scoped socket's handlers are given in place of the whole."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import NoReturn

from hakobu.api.scope.containers import ScopedContainers, ScopedExecs
from hakobu.api.scope.failure import NotPermitted
from hakobu.api.scope.images import ScopedImages
from hakobu.api.scope.networks import ScopedNetworks, ScopedVolumes
from hakobu.api.scope.scope import Scope
from hakobu.engine.services import Filters, ScopedSocket, Services
from hakobu.spec.event import Event
from hakobu.spec.policy import Policy


class ScopedEvents:
    """Implements `services.Events`; a scope publishes nothing."""

    def __init__(self, scope: Scope) -> None:
        self._scope, self._whole = scope, scope.whole.events

    def publish(self, event: Event) -> NoReturn:
        raise NotPermitted(self._scope.policy.name, "owner")

    async def subscribe(
        self, *, since_ns: int = 0, until_ns: int = 0, filters: Filters | None = None
    ) -> AsyncIterator[Event]:
        found = self._whole.subscribe(since_ns=since_ns, until_ns=until_ns, filters=filters)
        try:
            async for event in found:
                if self._scope.has_event(event):
                    yield event
        finally:
            if isinstance(found, AsyncGenerator):
                await found.aclose()


class NoSockets:
    """Implements `services.Sockets`: no scoped socket makes, shows or removes another."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def create(self, policy: Policy) -> ScopedSocket:
        raise NotPermitted(self._name, "owner")

    def list(self) -> Sequence[ScopedSocket]:
        raise NotPermitted(self._name, "owner")

    def get(self, name: str) -> ScopedSocket:
        raise NotPermitted(self._name, "owner")

    async def remove(self, name: str) -> None:
        raise NotPermitted(self._name, "owner")


def scoped(whole: Services, policy: Policy) -> Services:
    """Every field of it is replaced: a service that is added later is missing here, and the type checker says so."""
    scope = Scope(policy, whole)
    return Services(
        containers=ScopedContainers(scope),
        execs=ScopedExecs(scope),
        images=ScopedImages(scope),
        networks=ScopedNetworks(scope),
        volumes=ScopedVolumes(scope),
        events=ScopedEvents(scope),
        system=whole.system,
        registries=whole.registries,
        sockets=NoSockets(policy.name),
    )
