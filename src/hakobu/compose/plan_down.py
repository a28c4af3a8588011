"""The way down: stopping and taking away, dependents first, by the labels that containers carry. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from hakobu.compose.action import Action, Kind, Plan, Wave, on
from hakobu.compose.model.project import Project
from hakobu.compose.observed import Observed, ObservedContainer


def downward(containers: Iterable[ObservedContainer]) -> tuple[tuple[ObservedContainer, ...], ...]:
    """Containers in waves, dependents before what they depend on, by the labels they carry."""
    left = list(containers)
    waves: list[tuple[ObservedContainer, ...]] = []
    while left:
        needed = {name for c in left for name in c.depends_on if name != c.service}
        wave = [c for c in left if c.service not in needed] or left
        waves.append(tuple(sorted(wave, key=lambda c: c.name)))
        left = [c for c in left if c not in wave]
    return tuple(waves)


def plan_stop(containers: Iterable[ObservedContainer]) -> Plan:
    return tuple(
        wave for group in downward(containers) if (wave := tuple(on(Kind.STOP, c) for c in group if c.is_running))
    )


def plan_remove(containers: Iterable[ObservedContainer]) -> tuple[Wave, ...]:
    """Stop and remove, dependents first."""
    waves: list[Wave] = []
    for group in downward(containers):
        waves.append(tuple(on(Kind.STOP, c) for c in group if c.is_running))
        waves.append(tuple(on(Kind.REMOVE, c) for c in group))
    return tuple(wave for wave in waves if wave)


def plan_each(kind: Kind, containers: Iterable[ObservedContainer], *, upward: bool = False) -> Plan:
    """One kind of action on each container; in waves, in the order of their dependencies where `upward`."""
    groups = downward(containers)
    if upward:
        return tuple(tuple(on(kind, c) for c in group) for group in reversed(groups))
    every = tuple(on(kind, c) for group in groups for c in group)
    return (every,) if every else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DownOptions:
    """`images`: `all`, or `local` for those that have no name of their own."""

    volumes: bool = False
    images: str = ""
    remove_orphans: bool = False


def plan_down(project: Project | None, left: Observed, options: DownOptions) -> Plan:
    """Containers, then networks, volumes and images. Without a file, all that carries the project's label."""
    containers = [c for c in left.containers if project is None or options.remove_orphans or _is_known(project, c)]
    waves = list(plan_remove(containers))
    last: list[Action] = []
    if options.volumes:
        last += [Action(kind=Kind.REMOVE_VOLUME, name=name) for name in sorted(left.volumes)]
    if options.images and project:
        chosen = [s for s in project.services.values() if options.images == "all" or not s.image]
        images = sorted({project.image_of(service) for service in chosen})
        last += [Action(kind=Kind.REMOVE_IMAGE, name=image) for image in images]
    last += [Action(kind=Kind.REMOVE_NETWORK, name=name) for name in sorted(left.networks)]
    return tuple(wave for wave in (*waves, tuple(last)) if wave)


def _is_known(project: Project, container: ObservedContainer) -> bool:
    return not container.oneoff and container.service in {*project.services, *project.disabled}
