"""Carrying a plan out: each action is a few calls on the client; a wave's actions run side by side.

The first failure of a wave ends the plan when the wave's other actions are done. Nothing is undone: what was made
carries the project's labels, so the next `up` or `down` finds it.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

from hakobu.client.credential import read_config, registry_auth
from hakobu.client.endpoint import docker_config_dir
from hakobu.client.engine import Engine
from hakobu.client.error import ClientError, EngineError
from hakobu.client.progress import finish
from hakobu.compose.action import Action, Kind, Plan, Wave
from hakobu.compose.bootstrap import bootstrap_image
from hakobu.compose.failure import ActionFailed
from hakobu.compose.hook import run_hooks
from hakobu.compose.image_name import registry_host, split_reference
from hakobu.compose.maker import Maker
from hakobu.compose.model.hook import Hook
from hakobu.compose.model.project import Project
from hakobu.compose.model.service import Service
from hakobu.compose.observed import Observed
from hakobu.compose.pre_start import PreStart
from hakobu.compose.progress import WORDS, Progress
from hakobu.compose.published import published
from hakobu.compose.readiness import Readiness
from hakobu.compose.replacing import Replacer
from hakobu.compose.resource_body import network_body, volume_body

_WIDTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """`timeout_s` for stops (None: each container's own); `wait_s` bounds waiting for health, None for ever.

    `dry`: each action is told, none is done. `renew_volumes`: a recreated container gets new nameless volumes.
    `width`: how many actions of a wave are done at once.
    """

    timeout_s: int | None = None
    wait_s: float | None = None
    volumes: bool = False
    force: bool = False
    signal: str = ""
    dry: bool = False
    renew_volumes: bool = False
    width: int = _WIDTH


class Applier:
    """Executes plans for one project; those that make nothing need no `project`, its files."""

    def __init__(
        self,
        engine: Engine,
        progress: Progress,
        *,
        project: Project | None = None,
        observed: Observed | None = None,
        options: ApplyOptions | None = None,
    ) -> None:
        self._engine = engine
        self._progress = progress
        self._project = project
        self._options = options or ApplyOptions()
        self._known_maker = (
            Maker(engine, project, observed or Observed(), renew_volumes=self._options.renew_volumes)
            if project
            else None
        )
        self._ids = self._known_maker.ids if self._known_maker else {}
        self._readiness = Readiness(engine, progress, self._options.wait_s)
        maker = self._known_maker
        self._replacer = self._made_with(project, maker) if project and maker else None
        self._pre_start = PreStart(engine, project, maker) if project and maker else None
        self._table: dict[Kind, Callable[[Action], None]] = {
            Kind.PULL: self._pull,
            Kind.CREATE_NETWORK: self._create_network,
            Kind.CREATE_VOLUME: self._create_volume,
            Kind.CREATE: self._create,
            Kind.RECREATE: self._recreate,
            Kind.ROLL: self._roll,
            Kind.START: self._start,
            Kind.AWAIT: self._await,
            Kind.STOP: self._stop,
            Kind.RESTART: self._restart,
            Kind.KILL: self._kill,
            Kind.PAUSE: self._pause,
            Kind.UNPAUSE: self._unpause,
            Kind.REMOVE: self._remove,
            Kind.REMOVE_NETWORK: self._remove_network,
            Kind.REMOVE_VOLUME: self._remove_volume,
            Kind.REMOVE_IMAGE: self._remove_image,
        }

    def run(self, plan: Plan) -> None:
        if self._project:
            self._progress.notes = {s.name: published(s) for s in self._project.services.values()}
        with self._progress.shown():
            for wave in plan:
                self._run_wave(wave)

    def _run_wave(self, wave: Wave) -> None:
        if self._options.dry:
            for action in wave:
                for word in WORDS[action.kind]:
                    self._progress.tell(action, word)
            return
        for action in wave:
            if action.kind is Kind.KEEP:
                self._progress.tell(action, *WORDS[Kind.KEEP])
        self._side_by_side([action for action in wave if action.kind is not Kind.KEEP])

    def _side_by_side(self, actions: list[Action]) -> None:
        if len(actions) < 2:
            for action in actions:
                self._table[action.kind](action)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(len(actions), self._options.width)) as pool:
            futures = [pool.submit(self._table[action.kind], action) for action in actions]
        for future in futures:
            future.result()

    @property
    def project(self) -> Project:
        assert self._project is not None, "an action that needs the files was planned without them"
        return self._project

    @property
    def _maker(self) -> Maker:
        assert self._known_maker is not None, "an action that needs the files was planned without them"
        return self._known_maker

    def _made_with(self, project: Project, maker: Maker) -> Replacer:
        timeout_s = self._options.timeout_s
        return Replacer(
            self._engine, self._progress, project, maker, self._readiness, self._before_stop, timeout_s=timeout_s
        )

    def _recreate(self, action: Action) -> None:
        assert self._replacer is not None, "an action that needs the files was planned without them"
        self._replacer.recreate(action)

    def _roll(self, action: Action) -> None:
        assert self._replacer is not None, "an action that needs the files was planned without them"
        self._replacer.roll(action)

    def _pull(self, action: Action) -> None:
        service = self.project.service(action.service)
        self._progress.tell(action, "Pulling")
        repository, tag = split_reference(self.project.image_of(service))
        try:
            config = read_config(docker_config_dir(os.environ))
            auth = registry_auth(config, registry_host(repository))
            finish(self._engine.images.pull(repository, tag, platform=service.platform, registry_auth=auth))
        except ClientError as e:
            self._without_registry(action, service, e)
            return
        self._progress.tell(action, "Pulled")

    def _without_registry(self, action: Action, service: Service, cause: ClientError) -> None:
        """An image that cannot be pulled: one that is here serves, else our own engine may make it."""
        if not action.required:
            self._progress.tell(action, f"Warning {cause}")
            return
        image = self.project.image_of(service)
        self._progress.say(f" {action.name} {cause}")
        self._progress.say(f" {action.name} cannot be pulled; building {image} from the distribution's packages")
        with self._progress.paused():
            was_made = bootstrap_image(self._engine, image)
        if not was_made:
            self._progress.tell(action, f"Error {cause}")
            raise ActionFailed(str(cause), hint="`hakobu image bootstrap` lists the images it can make") from cause
        self._progress.tell(action, "Built")

    def _create_network(self, action: Action) -> None:
        network = self.project.networks[action.service]
        if network.external:
            raise ActionFailed(f"network {network.name} declared as external, but could not be found")
        self._tell_about(action, lambda: self._engine.networks.create(network_body(self.project, network)))

    def _create_volume(self, action: Action) -> None:
        volume = self.project.volumes[action.service]
        if volume.external:
            raise ActionFailed(f"external volume {volume.name!r} not found")
        self._tell_about(action, lambda: self._engine.volumes.create(volume_body(self.project, volume)))

    def _create(self, action: Action) -> None:
        self._progress.tell(action, "Creating")
        self._ids[action.service, action.number] = self._maker.create(action, action.name)
        self._progress.tell(action, "Created")

    def _id(self, action: Action) -> str:
        return self._ids.get((action.service, action.number)) or (action.container.id if action.container else "")

    def _start(self, action: Action) -> None:
        self._progress.tell(action, "Starting")
        service = self._known(action)
        if service and self._pre_start:
            self._pre_start.run(action, service)
        self._engine.containers.start(self._id(action))
        if service:
            self._run_hooks(service, service.post_start, action, "post_start")
        self._progress.tell(action, "Started")

    def _run_hooks(self, service: Service, hooks: tuple[Hook, ...], action: Action, kind: str) -> None:
        run_hooks(self._engine, service, hooks, self._id(action), kind, self._progress.write)

    def _await(self, action: Action) -> None:
        """Until every container of the service meets the condition; what is not required only warns."""
        for service, number in sorted(self._ids):
            if service == action.service:
                try:
                    self._readiness.wait(action, self._ids[service, number])
                except ActionFailed as e:
                    if action.required:
                        raise
                    self._progress.warn(f"optional dependency {action.service!r} failed to start: {e}")

    def _tell_about(self, action: Action, call: Callable[[], object]) -> None:
        """What is done, with the words for its beginning and its end."""
        begins, ends = WORDS[action.kind]
        self._progress.tell(action, begins)
        call()
        self._progress.tell(action, ends)

    def _known(self, action: Action) -> Service | None:
        """The action's service, where there are files and they have it, whatever its profiles."""
        return (self._project.services | self._project.disabled).get(action.service) if self._project else None

    def _before_stop(self, action: Action) -> None:
        service = self._known(action)
        if service and action.container and action.container.is_running:
            self._run_hooks(service, service.pre_stop, action, "pre_stop")

    def _stop(self, action: Action) -> None:
        def call() -> None:
            self._before_stop(action)
            self._engine.containers.stop(self._id(action), timeout_s=self._options.timeout_s)

        self._tell_about(action, call)

    def _restart(self, action: Action) -> None:
        def call() -> None:
            self._before_stop(action)
            self._engine.containers.restart(self._id(action), timeout_s=self._options.timeout_s)
            if service := self._known(action):
                run_hooks(
                    self._engine, service, service.post_start, self._id(action), "post_start", self._progress.write
                )

        self._tell_about(action, call)

    def _kill(self, action: Action) -> None:
        name = self._options.signal or "SIGKILL"
        self._tell_about(action, lambda: self._engine.containers.kill(self._id(action), name))

    def _pause(self, action: Action) -> None:
        self._tell_about(action, lambda: self._engine.containers.pause(self._id(action)))

    def _unpause(self, action: Action) -> None:
        self._tell_about(action, lambda: self._engine.containers.unpause(self._id(action)))

    def _remove(self, action: Action) -> None:
        remove = self._engine.containers.remove
        # the container that was seen: another may have its number by now
        there = action.container.id if action.container else self._id(action)
        call = lambda: remove(there, force=True, volumes=self._options.volumes)  # noqa: E731
        self._tell_about(action, lambda: _unless_gone(call))
        if self._ids.get((action.service, action.number)) == there:
            del self._ids[action.service, action.number]  # a surplus replica is nothing to wait for

    def _remove_network(self, action: Action) -> None:
        self._unless_used(action, self._engine.networks.remove, 403, 409)

    def _remove_volume(self, action: Action) -> None:
        self._unless_used(action, self._engine.volumes.remove, 409)

    def _unless_used(self, action: Action, remove: Callable[[str], object], *used: int) -> None:
        """What others still use, which the engine tells by one of these statuses, is left."""
        try:
            self._tell_about(action, lambda: _unless_gone(lambda: remove(action.name)))
        except EngineError as e:
            if e.status not in used:
                raise
            self._progress.tell(action, "Resource is still in use")

    def _remove_image(self, action: Action) -> None:
        self._progress.tell(action, "Removing")
        try:
            self._engine.images.remove(action.name)
        except EngineError as e:
            if e.status not in (404, 409):
                raise
            self._progress.tell(action, f"Warning {e.message}")
            return
        self._progress.tell(action, "Removed")


def _unless_gone(call: Callable[[], object]) -> None:
    """What somebody else removed meanwhile is removed."""
    try:
        call()
    except EngineError as e:
        if e.status != 404:
            raise
