"""The way up: from what a file says and what the engine has to the actions that make them agree. Pure.

Dependencies come first. Networks and volumes, then all containers made level by level, then started level by level.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from hakobu.compose import label
from hakobu.compose.action import CONFIG_CHANGED, READY, Action, Kind, Plan, Wave, because, on
from hakobu.compose.canonical import network_hash, service_hash, used_resources, volume_hash
from hakobu.compose.model.attribute import pull_interval_s
from hakobu.compose.model.dependency import COMPLETED, HEALTHY
from hakobu.compose.model.project import Project
from hakobu.compose.model.service import Service
from hakobu.compose.observed import Observed, ObservedContainer
from hakobu.compose.plan_down import plan_remove
from hakobu.compose.support import refuse_build

_BESIDE = re.compile(r"[0-9a-f]{12}_")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """How `up` goes about it. `services` empty: all; `pull` overrides each service's policy."""

    services: tuple[str, ...] = ()
    force_recreate: bool = False
    no_recreate: bool = False
    no_deps: bool = False
    no_start: bool = False
    pull: str = ""
    remove_orphans: bool = False
    wait: bool = False
    recreate_dependencies: bool = False
    scale: dict[str, int] = field(default_factory=dict[str, int])


def levels(project: Project, names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """The services in levels: each depends only on services of earlier ones."""
    wanted = list(dict.fromkeys(names))
    depth: dict[str, int] = {}

    def depth_of(name: str) -> int:
        if name not in depth:
            before = [depth_of(other) for other in project.service(name).depends_on if other in wanted]
            depth[name] = max(before, default=-1) + 1
        return depth[name]

    for name in wanted:
        depth_of(name)
    deepest = max(depth.values(), default=-1)
    return tuple(tuple(sorted(n for n in wanted if depth[n] == level)) for level in range(deepest + 1))


def plan_up(project: Project, observed: Observed, options: UpOptions) -> Plan:
    """Networks and volumes, then containers created level by level, then started level by level.

    Images are there already: `plan_pulls` comes first, and what it changes is observed before this.
    """
    names = wanted_services(project, options)
    ordered = levels(project, names)
    changes = _changes(project, observed, options, ordered)
    waves: list[Wave] = [_resources(project, observed, names)]
    if options.remove_orphans:
        waves += because("the files have no such service", plan_remove(orphans(project, observed)))
    left = tuple(c for name in names for c in leftovers(observed.of_service(name)))
    waves += because("left of an update that was broken off", plan_remove(left))
    waves += [_creations(changes, level) for level in ordered]
    if not options.no_start:
        for level in ordered:
            waves.append(_awaits(project, level, names))
            waves.append(_starts(project, observed, changes, level))
            waves += _rolls(project, changes, level)
    if options.wait:
        waves += plan_wait(project, names)
    return tuple(wave for wave in waves if wave)


def plan_wait(project: Project, names: Iterable[str]) -> Plan:
    """Until each service is healthy, runs, or has done its work."""
    return (tuple(_await(project, name, READY, "") for name in names),)


def wanted_services(project: Project, options: UpOptions) -> tuple[str, ...]:
    """The services the command is about, with what they depend on unless told otherwise."""
    if options.no_deps:
        return options.services or tuple(project.services)
    return project.with_dependencies(options.services)


def plan_pulls(project: Project, observed: Observed, options: UpOptions) -> Plan:
    """One pull for each image that is missing, or that a policy wants anew."""
    wanted: dict[str, Action] = {}
    for name in wanted_services(project, options):
        service = project.service(name)
        if service.provider is not None:
            continue
        policy = options.pull or service.pull_policy or "missing"
        image = project.image_of(service)
        missing = image not in observed.images
        if service.build and policy not in ("always", "never"):
            if missing:
                raise refuse_build(project, service)
            continue
        interval_s = pull_interval_s(policy)
        old = interval_s is not None and observed.image_ages_s.get(image, 0) > interval_s
        if policy == "always" or old or (missing and policy != "never"):
            reason = f"no image {image} here" if missing else f"pull policy {policy}"
            wanted.setdefault(image, Action(kind=Kind.PULL, name=name, service=name, required=missing, reason=reason))
    return (tuple(wanted.values()),) if wanted else ()


def plan_networks(project: Project, observed: Observed, names: Iterable[str]) -> Plan:
    """Only the networks and volumes of these services."""
    wave = _resources(project, observed, names)
    return (wave,) if wave else ()


def _resources(project: Project, observed: Observed, names: Iterable[str]) -> Wave:
    """Networks and volumes of the wanted services that are not there. External ones are never made."""
    services = {name: project.service(name) for name in names}
    wanted = {key for service in services.values() for key in service.networks}
    sources = {v.source for service in services.values() for v in service.volumes if v.type == "volume" and v.source}
    networks = [n for key, n in project.networks.items() if key in wanted and n.name not in observed.networks]
    volumes = [v for key, v in project.volumes.items() if key in sources and v.name not in observed.volumes]
    return (
        *(Action(kind=Kind.CREATE_NETWORK, name=n.name, service=n.key, reason="not there") for n in networks),
        *(Action(kind=Kind.CREATE_VOLUME, name=v.name, service=v.key, reason="not there") for v in volumes),
    )


def _changes(
    project: Project, observed: Observed, options: UpOptions, ordered: tuple[tuple[str, ...], ...]
) -> dict[str, list[Action]]:
    """For each service: what becomes of each of its containers. Sharing a recreated one's namespace recreates."""
    changes: dict[str, list[Action]] = {}
    for name in [name for level in ordered for name in level]:
        service = project.service(name)
        renewed = [o for o in service.shares_with() if any(a.kind is not Kind.KEEP for a in changes.get(o, ()))]
        changes[name] = _change(project, observed, options, service, renewed[0] if renewed else "")
    return changes


def _change(
    project: Project, observed: Observed, options: UpOptions, service: Service, shared_anew: str
) -> list[Action]:
    if service.provider is not None:
        return []
    every = observed.of_service(service.name)
    existing = {c.number: c for c in every if c not in leftovers(every)}
    count = options.scale.get(service.name, service.replicas)
    numbers = sorted(existing)[:count] + [n for n in range(1, count + len(existing) + 1) if n not in existing]
    actions: list[Action] = []
    for number in numbers[:count]:
        container = existing.get(number)
        if container is None:
            name = label.container_name(project.name, service, number)
            reason = f"{count} wanted" if existing or count > 1 else "not there"
            actions.append(Action(kind=Kind.CREATE, name=name, service=service.name, number=number, reason=reason))
            continue
        stale = _staleness(project, service, container, observed, options, shared_anew)
        rolls = _rolls_over(service, container) and not options.no_start
        held = _held_port(service)
        anew = Kind.ROLL if rolls and not held else Kind.RECREATE
        kind = anew if stale and not options.no_recreate else Kind.KEEP
        why = f"{stale}; port {held} cannot be held by two, so the old one stops first" if rolls and held else stale
        actions.append(replace(on(kind, container), service=service.name, reason=why if stale else "unchanged"))
    surplus = [c for number, c in existing.items() if number not in numbers[:count]]
    return actions + [replace(on(Kind.REMOVE, c), reason=f"{count} wanted") for c in surplus]


def _staleness(
    project: Project,
    service: Service,
    container: ObservedContainer,
    observed: Observed,
    options: UpOptions,
    shared_anew: str,
) -> str:
    """Why a container must be made anew, empty where it need not."""
    image = observed.images.get(project.image_of(service), "")
    if options.force_recreate:
        return "--force-recreate"
    if options.recreate_dependencies and service.name not in (options.services or project.services):
        return "--always-recreate-deps"
    if container.config_hash != service_hash(service):
        return CONFIG_CHANGED
    if image and container.image_id and image != container.image_id:
        return f"image changed: {_short(container.image_id)} → {_short(image)}"
    return f"{shared_anew}, which it shares with, is made anew" if shared_anew else ""


def _short(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:12]


def _rolls_over(service: Service, container: ObservedContainer) -> bool:
    """Whether a running container is replaced by one that has been started before it is stopped."""
    update = service.deploy.update_config if service.deploy else None
    return update is not None and update.order == "start-first" and container.is_running


def _held_port(service: Service) -> str:
    """A host port that only one container can have; empty where any will do, or one of a range."""
    return next((p.published for p in service.ports if p.published and "-" not in p.published), "")


def _rolls(project: Project, changes: dict[str, list[Action]], level: tuple[str, ...]) -> list[Wave]:
    """The replacements of each service, as many at once as its `update_config.parallelism` says; 0 is all."""
    waves: list[Wave] = []
    for name in level:
        service = project.service(name)
        actions = [a for a in changes[name] if a.kind is Kind.ROLL]
        update = service.deploy.update_config if service.deploy else None
        step = 1 if update is None or update.parallelism is None else update.parallelism or len(actions) or 1
        waves += [tuple(actions[i : i + step]) for i in range(0, len(actions), step)]
        if update and update.failure_action == "rollback":
            waves += because("the update is through", (tuple(_retired(action) for action in actions),))
    return waves


def _retired(roll: Action) -> Action:
    """What was replaced and kept, stopped, until all had been: it has the id in front of its name by then."""
    assert roll.container is not None
    return replace(on(Kind.REMOVE, roll.container), name=roll.container.id[:12])


def _creations(changes: dict[str, list[Action]], level: tuple[str, ...]) -> Wave:
    return tuple(a for name in level for a in changes[name] if a.kind not in (Kind.KEEP, Kind.ROLL))


def _starts(project: Project, observed: Observed, changes: dict[str, list[Action]], level: tuple[str, ...]) -> Wave:
    """Starts what does not run; restarts what runs but depends, with `restart: true`, on what was recreated."""
    actions: list[Action] = []
    for name in level:
        renewed = [
            other
            for other, dependency in project.service(name).depends_on.items()
            if dependency.restart and any(a.kind in (Kind.RECREATE, Kind.ROLL) for a in changes.get(other, ()))
        ]
        again = renewed[0] if renewed else ""
        for action in changes[name]:
            if action.kind in (Kind.REMOVE, Kind.ROLL):
                continue
            kept_running = action.kind is Kind.KEEP and action.container is not None and action.container.is_running
            kind = (Kind.RESTART if again else Kind.KEEP) if kept_running else Kind.START
            actions.append(replace(action, kind=kind, reason=_start_reason(action, kind, again)))
    return tuple(actions)


def _start_reason(action: Action, kind: Kind, again: str) -> str:
    if kind is Kind.RESTART:
        return f"{again} is made anew"
    if kind is Kind.KEEP:
        return action.reason
    return "new" if action.kind is not Kind.KEEP else f"it is {action.container.state if action.container else 'new'}"


def _awaits(project: Project, level: tuple[str, ...], names: Iterable[str]) -> Wave:
    """The conditions the level's services set, each once."""
    wanted: dict[tuple[str, str], Action] = {}
    for name in level:
        for other, dependency in project.service(name).depends_on.items():
            if other in names and dependency.condition in (HEALTHY, COMPLETED):
                action = _await(project, other, dependency.condition, name, dependency.required)
                wanted.setdefault((other, dependency.condition), action)
    return tuple(wanted.values())


def _await(project: Project, service: str, condition: str, dependent: str, required: bool = True) -> Action:
    name = dependent or label.container_name(project.name, project.service(service), 1)
    reason = f"{dependent} needs {service}: {condition}" if dependent else "--wait"
    return Action(kind=Kind.AWAIT, name=name, service=service, condition=condition, required=required, reason=reason)


def leftovers(containers: tuple[ObservedContainer, ...]) -> tuple[ObservedContainer, ...]:
    """Of a service's containers those that were to replace another or be replaced, and were left beside it.

    While one takes the other's place, it has an id in front of its name.
    """
    numbers = [c.number for c in containers if not _BESIDE.match(c.name)]
    return tuple(c for c in containers if _BESIDE.match(c.name) and c.number in numbers)


def orphans(project: Project, observed: Observed) -> tuple[ObservedContainer, ...]:
    """Containers of services that the files do not have, in any profile."""
    known = {*project.services, *project.disabled}
    return tuple(c for c in observed.containers if c.service not in known and not c.oneoff)


def changed_resources(project: Project, observed: Observed) -> tuple[str, ...]:
    """Networks and volumes whose configuration is no longer the one they were made with."""
    used = used_resources(project)
    found: list[str] = []
    for key, network in project.networks.items():
        made_with = observed.networks.get(network.name, "")
        if key in used["networks"] and made_with and not network.external and made_with != network_hash(network):
            found.append(f"network {network.name}")
    for key, volume in project.volumes.items():
        made_with = observed.volumes.get(volume.name, "")
        if key in used["volumes"] and made_with and not volume.external and made_with != volume_hash(volume):
            found.append(f"volume {volume.name}")
    return tuple(found)
