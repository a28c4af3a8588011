"""Networks and volumes of a scope, by the labels their makers gave them, and those that the policy names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from hakobu.api.scope import reach
from hakobu.api.scope.failure import NameTaken, NotGranted
from hakobu.api.scope.scope import Scope, both
from hakobu.engine.services import Filters
from hakobu.errors import HakobuError, Kind
from hakobu.spec.container import Container, EndpointSpec
from hakobu.spec.network import Network, NetworkSpec
from hakobu.spec.volume import Volume


class ScopedNetworks:
    """Implements `services.Networks`."""

    def __init__(self, scope: Scope) -> None:
        self._scope, self._whole = scope, scope.whole.networks

    async def create(self, spec: NetworkSpec, *, check_duplicate: bool = True) -> tuple[str, str]:
        self._scope.grant(reach.missing(self._scope.policy, reach.of_network(spec)))
        labelled = replace(spec, labels=self._scope.labelled(spec.labels))
        return await self._whole.create(labelled, check_duplicate=check_duplicate)

    def get(self, ref: str) -> Network:
        return self._scope.network(ref)

    async def list(self, filters: Filters | None = None) -> Sequence[Network]:
        return [network for network in await self._whole.list(filters) if self._scope.has_network(network)]

    def members(self, network_id: str) -> Sequence[Container]:
        return [c for c in self._whole.members(network_id) if self._scope.has_container(c)]

    async def remove(self, ref: str) -> None:
        await self._whole.remove(self._scope.own_network(ref).id)

    async def connect(self, ref: str, container: str, endpoint: EndpointSpec) -> None:
        network, target = self._scope.network(ref), self._scope.container(container)
        self._scope.grant(reach.missing(self._scope.policy, reach.of_endpoint(endpoint)))
        await self._whole.connect(network.id, target.id, replace(endpoint, network_id=network.id))

    async def disconnect(self, ref: str, container: str, *, force: bool = False) -> None:
        network, target = self._scope.network(ref), self._scope.container(container)
        await self._whole.disconnect(network.id, target.id, force=force)

    async def prune(
        self, filters: Filters | None = None, *, among: Callable[[Network], bool] | None = None
    ) -> tuple[str, ...]:
        return await self._whole.prune(filters, among=both(self._scope.owns_network, among))


class ScopedVolumes:
    """Implements `services.Volumes`."""

    def __init__(self, scope: Scope) -> None:
        self._scope, self._whole = scope, scope.whole.volumes

    async def create(self, name: str, driver: str, options: Mapping[str, str], labels: Mapping[str, str]) -> Volume:
        if (options or driver not in ("", "local")) and "volume-options" not in self._scope.policy.features:
            raise NotGranted(self._scope.policy.name, "DriverOpts", "volume-options")
        made = await self._whole.create(name, driver, options, self._scope.labelled(labels))
        if not self._scope.has_volume(made):  # it was there before, and is another's
            raise NameTaken("volume", name)
        return made

    def get(self, name: str) -> Volume:
        return self._scope.volume(name)

    async def list(self, filters: Filters | None = None) -> Sequence[Volume]:
        return [volume for volume in await self._whole.list(filters) if self._scope.has_volume(volume)]

    async def remove(self, name: str, *, force: bool = False) -> None:
        try:
            self._scope.own_volume(name)
        except HakobuError as error:
            if force and error.kind is Kind.NOT_FOUND:
                return
            raise
        await self._whole.remove(name, force=force)

    async def prune(
        self, filters: Filters | None = None, *, among: Callable[[Volume], bool] | None = None
    ) -> tuple[tuple[str, ...], int]:
        return await self._whole.prune(filters, among=both(self._scope.owns_volume, among))

    async def rename(self, name: str, new: str) -> Volume:
        self._scope.own_volume(name)
        self._free(new)
        return await self._whole.rename(name, new)

    async def clone(self, name: str, new: str) -> Volume:
        self._scope.own_volume(name)
        self._free(new)
        return await self._whole.clone(name, new)

    def _free(self, name: str) -> None:
        try:
            self._scope.whole.volumes.get(name)
        except HakobuError:
            return
        raise NameTaken("volume", name)

    async def usage(self) -> Mapping[str, tuple[int, int]]:
        used = await self._whole.usage()
        visible = {volume.name for volume in await self.list()}
        return {name: value for name, value in used.items() if name in visible}
