"""A create request as a scope lets it through: looked at field by field, its names resolved in scope, its labels added.

References become ids wherever the engine looks them up again later (networks at each start, containers whose
namespaces are joined): a name that another takes over meanwhile must not lead there.
"""

from collections.abc import Iterator
from dataclasses import replace

from hakobu.api.scope import reach
from hakobu.api.scope.failure import NoSuchObject, NotGranted
from hakobu.api.scope.scope import Scope
from hakobu.engine.services import Edit
from hakobu.errors import HakobuError, Kind
from hakobu.spec.container import ContainerSpec, EndpointSpec, Mount, Namespaces
from hakobu.spec.network import Network

_JOINED = "container:"


def confined(spec: ContainerSpec, scope: Scope, platform: str) -> ContainerSpec:
    """The specification to create; raises what the policy does not grant."""
    scope.grant(reach.missing(scope.policy, reach.of_container(spec)))
    scope.image(spec.image, platform)
    return replace(
        spec,
        labels=scope.labelled(spec.labels),
        mounts=_mounts(spec.mounts, scope),
        volumes_from=tuple(_with_id(text, scope) for text in spec.volumes_from),
        links=tuple(_link(text, scope) for text in spec.links),
        namespaces=_namespaces(spec.namespaces, scope),
        network_mode=_mode(spec.network_mode, scope),
        endpoints=tuple(_endpoints(spec, scope)),
    )


def confined_additions(edit: Edit, scope: Scope) -> tuple[Mount, ...]:
    """What an edit adds, by the same rules; the mounts to add."""
    scope.grant(reach.missing(scope.policy, reach.of_labels(edit.labels)))
    for mount in edit.mounts:
        scope.grant(reach.missing(scope.policy, reach.of_mount(mount)))
    scope.grant(reach.missing(scope.policy, reach.of_ports(edit.ports)))
    return _mounts(edit.mounts, scope)


def _mounts(mounts: tuple[Mount, ...], scope: Scope) -> tuple[Mount, ...]:
    return tuple(_mount(mount, scope) for mount in mounts)


def _mount(mount: Mount, scope: Scope) -> Mount:
    if mount.kind == "image":
        scope.image(mount.source)
    if mount.kind != "volume" or not mount.source:
        return mount
    try:
        volume = scope.whole.volumes.get(mount.source)
    except HakobuError as error:
        if error.kind is not Kind.NOT_FOUND:
            raise
        return replace(mount, volume_labels=scope.labelled(mount.volume_labels))
    if not scope.has_volume(volume):
        raise NotGranted(scope.policy.name, f"the volume {mount.source}", "a volume in scope")
    return mount


def _with_id(text: str, scope: Scope) -> str:
    ref, colon, mode = text.partition(":")
    return f"{scope.container(ref).id}{colon}{mode}"


def _link(text: str, scope: Scope) -> str:
    ref, _, alias = text.partition(":")
    target = scope.container(ref)
    return f"{target.id}:{alias or target.name}"


def _mode(mode: str, scope: Scope) -> str:
    """With the id of the container whose namespace is joined."""
    return _JOINED + scope.container(mode.removeprefix(_JOINED)).id if mode.startswith(_JOINED) else mode


def _namespaces(given: Namespaces, scope: Scope) -> Namespaces:
    return replace(given, pid=_mode(given.pid, scope), ipc=_mode(given.ipc, scope))


def _endpoints(spec: ContainerSpec, scope: Scope) -> Iterator[EndpointSpec]:
    """The mode's network first; each is bound to the very network that was looked at."""
    mode = spec.network_mode or "default"
    if spec.network_disabled or mode in ("none", "host") or mode.startswith(_JOINED):
        return
    first = network_to_join(mode, scope)
    given = {network_to_join(e.network, scope).id: e for e in spec.endpoints}
    chosen = given.pop(first.id, EndpointSpec(network=first.name))
    yield replace(chosen, network=first.name, network_id=first.id)
    for network_id, endpoint in given.items():
        yield replace(endpoint, network=scope.network(network_id).name, network_id=network_id)


def network_to_join(ref: str, scope: Scope) -> Network:
    """403 where it is not in reach: at a create's 404 Docker's clients pull the image."""
    name = "bridge" if ref == "default" else ref
    try:
        return scope.network(name)
    except HakobuError as error:
        if error.kind is not Kind.NOT_FOUND and not isinstance(error, NoSuchObject):
            raise
        raise NotGranted(scope.policy.name, f"the network {name}", f"a network in scope, or --network {name}") from None
