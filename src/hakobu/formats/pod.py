"""Pods of a project: services that share the network of one of them, which is their anchor. Pure.

A pod of one container is that container. A pod of several has an anchor that does nothing but hold the namespaces,
so that any of the others may end and start again; its image is `PAUSE_IMAGE` (0016).
"""

from dataclasses import dataclass

from hakobu.compose.model.dependency import COMPLETED
from hakobu.compose.model.project import Project
from hakobu.compose.model.service import Service

PAUSE_IMAGE = "hakobu/pause:1"
ANCHOR_SUFFIX = "-infra"
POD_LABEL = "io.hakobu.pod"
"""On every container of a played pod: the pod's name."""

_SERVICE = "service:"


@dataclass(frozen=True, slots=True)
class Pod:
    """`anchor` holds network and ports; `init` run one after the other before the `members`, which holds the anchor
    too unless that is a pause container."""

    name: str
    anchor: Service
    init: tuple[Service, ...]
    members: tuple[Service, ...]

    @property
    def is_paused(self) -> bool:
        """Whether the anchor is a pause container."""
        return self.anchor.image == PAUSE_IMAGE

    @property
    def services(self) -> tuple[Service, ...]:
        return tuple({s.name: s for s in (self.anchor, *self.init, *self.members)}.values())


def pods_of(project: Project) -> tuple[Pod, ...]:
    """Every service in its pod, in the order of the anchors' names."""
    groups: dict[str, list[Service]] = {}
    for service in project.services.values():
        groups.setdefault(anchor_of(project, service), []).append(service)
    return tuple(_pod(project.services[anchor], services) for anchor, services in sorted(groups.items()))


def anchor_of(project: Project, service: Service) -> str:
    """The name of the service whose network this one uses in the end; its own where it has its own."""
    seen: set[str] = set()
    name = service.name
    while (mode := project.services[name].network_mode).startswith(_SERVICE) and name not in seen:
        seen.add(name)
        name = mode.removeprefix(_SERVICE)
    return name


def _pod(anchor: Service, services: list[Service]) -> Pod:
    needed = {(n, d.condition) for s in services for n, d in s.depends_on.items() if n != anchor.name}
    early = [
        s for s in services if (s.name, COMPLETED) in needed or (is_sidecar(s) and s.name in {n for n, _ in needed})
    ]
    early = early if anchor.image == PAUSE_IMAGE else []
    init = tuple(sorted(early, key=lambda s: _depth(s, {o.name: o for o in early})))
    members = tuple(s for s in services if s not in init and not (s is anchor and anchor.image == PAUSE_IMAGE))
    return Pod(pod_name(anchor), anchor, init, members)


def is_sidecar(service: Service) -> bool:
    """Whether an early container runs on beside the others."""
    return service.restart in ("always", "unless-stopped")


def _depth(service: Service, among: dict[str, Service]) -> tuple[int, str]:
    before = [_depth(among[n], among)[0] + 1 for n in service.depends_on if n in among]
    return max(before, default=0), service.name


def pod_name(anchor: Service) -> str:
    """What the pod is called: the anchor's name without what marks it, or its host name where that begins it."""
    if anchor.image == PAUSE_IMAGE:
        return anchor.name.removesuffix(ANCHOR_SUFFIX)
    host = anchor.hostname
    return host if host and anchor.name.startswith(f"{host}-") else anchor.name


def full_name(pod: str, container: str) -> str:
    """A container's name among all the engine has; one that is called as its pod keeps the name."""
    return pod if container == pod else f"{pod}-{container}"


def short_name(pod: str, service: str) -> str:
    """A container's name within its pod: the way back."""
    return service if service == pod else service.removeprefix(f"{pod}-")
