"""One policy over one engine: which objects it sees, as the look-ups that all scoped services share.

Invariants: what an object is in scope by are the labels its maker gave it, never those that its image brought along
(an image of one team must not pull another's containers into its scope). A reference is resolved here once, and
the full id goes on: a name that changes hands between two look-ups changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hakobu.api.scope.failure import NoSuchObject, NotGranted, NotPermitted, OutOfScope
from hakobu.api.scope.reach import Wish
from hakobu.engine.failures import NoSuchContainer, NoSuchExec
from hakobu.engine.services import Exec, Image, Services
from hakobu.errors import Invalid
from hakobu.spec.container import Container
from hakobu.spec.event import Event
from hakobu.spec.network import Network
from hakobu.spec.policy import Policy
from hakobu.spec.volume import Volume

T = TypeVar("T")

_KINDS: Mapping[str, str] = {"container": "containers", "image": "images", "network": "networks", "volume": "volumes"}


@dataclass(frozen=True, slots=True)
class Scope:
    """`whole` are the engine's services, unfiltered; only the scoped services hold them."""

    policy: Policy
    whole: Services

    # What may be done

    def permits(self, permission: str) -> bool:
        return permission in self.policy.allow

    def require(self, *permissions: str) -> None:
        for permission in permissions:
            if not self.permits(permission):
                raise NotPermitted(self.policy.name, permission)

    def grant(self, wish: Wish | None) -> None:
        """Raises for what the policy does not grant."""
        if wish is not None:
            raise NotGranted(self.policy.name, *wish)

    def labelled(self, given: Mapping[str, str]) -> dict[str, str]:
        """A new object's labels: the scope's among them. One that says otherwise is refused, not corrected."""
        for name, value in self.policy.labels.items():
            if given.get(name, value) != value:
                raise NotGranted(self.policy.name, f"the label {name}={given[name]}", f"{name}={value}")
        return {**given, **self.policy.labels}

    def keeps_labels(self, removed: Sequence[str], given: Mapping[str, str]) -> None:
        """An edit must leave the object in scope."""
        for name in removed:
            if name in self.policy.labels:
                raise NotGranted(self.policy.name, f"removing the label {name}", f"{name}={self.policy.labels[name]}")
        self.labelled(given)

    # What is there

    def container(self, ref: str) -> Container:
        found = self.whole.containers.get(ref)
        if not self.has_container(found):
            raise NoSuchContainer(ref)
        return found

    def has_container(self, container: Container) -> bool:
        return self.policy.covers(container.spec.labels)

    def exec(self, exec_id: str) -> Exec:
        found = self.whole.execs.get(exec_id)
        try:
            self.container(found.container_id)
        except NoSuchContainer:
            raise NoSuchExec(exec_id) from None
        return found

    def network(self, ref: str) -> Network:
        """One that may be read and joined."""
        found = self.whole.networks.get(ref)
        if not self.has_network(found):
            raise NoSuchObject(f"network {ref} not found")
        return found

    def has_network(self, network: Network) -> bool:
        return self.owns_network(network) or network.name in self.policy.networks

    def owns_network(self, network: Network) -> bool:
        return self.policy.covers(network.spec.labels)

    def own_network(self, ref: str) -> Network:
        """One that may be changed as well."""
        found = self.network(ref)
        if not self.owns_network(found):
            raise OutOfScope(self.policy.name, "network", found.name)
        return found

    def volume(self, name: str) -> Volume:
        found = self.whole.volumes.get(name)
        if not self.has_volume(found):
            raise NoSuchObject(f"get {name}: no such volume")
        return found

    def has_volume(self, volume: Volume) -> bool:
        return self.owns_volume(volume) or volume.name in self.policy.volumes

    def owns_volume(self, volume: Volume) -> bool:
        return self.policy.covers(volume.labels)

    def own_volume(self, name: str) -> Volume:
        found = self.volume(name)
        if not self.owns_volume(found):
            raise OutOfScope(self.policy.name, "volume", found.name)
        return found

    def image(self, ref: str, platform: str = "") -> Image:
        found = self.whole.images.get(ref, platform=platform)
        if not self.has_image(found):
            raise NoSuchObject(f"No such image: {ref}")
        return found

    def has_image(self, image: Image) -> bool:
        return self.policy.names_image(*image.references, *image.digests)

    def image_name(self, name: str) -> None:
        """A name that is about to be given, pulled or pushed."""
        if not self.policy.names_image(name):
            raise NotGranted(self.policy.name, f"the image name {name}", f"one of {', '.join(self.policy.images)}")

    def every_image(self, what: str) -> None:
        """For what brings names that nobody can know before."""
        if self.policy.images:
            raise NotGranted(self.policy.name, what, "a policy without names of images")

    def has_event(self, event: Event) -> bool:
        """Of what may be read, and is in scope: by the labels it had when it happened."""
        kind = _KINDS.get(event.type)
        if kind is None:
            return self.permits("system:read")
        if not self.permits(f"{kind}:read"):
            return False
        name = event.attributes.get("name", event.actor_id)
        match event.type:
            case "image":
                return self._has_image_event(name, event.actor_id)
            case "container":
                return self.policy.covers(event.labels)
            case "network":
                visible = self.policy.covers(event.labels) or name in self.policy.networks
                return visible and self._has_member(event.attributes.get("container", ""))
            case _:
                return self.policy.covers(event.labels) or event.actor_id in self.policy.volumes

    def _has_image_event(self, *names: str) -> bool:
        return not self.policy.images or self.policy.names_image(*names)

    def _has_member(self, container_id: str) -> bool:
        """Who joins a network that is shared is told of those in scope alone."""
        if not container_id or not self.policy.labels:
            return True
        try:
            return self.has_container(self.whole.containers.get(container_id))
        except (NoSuchContainer, Invalid):
            return False


def both(own: Callable[[T], bool], among: Callable[[T], bool] | None) -> Callable[[T], bool]:
    """Of the scope's own those that were asked for."""
    return own if among is None else lambda item: own(item) and among(item)
