"""A container in the place of another: after it, with a gap, or before it goes, without one.

Without a gap (`order: start-first`), from the network's side:

    new   made, set aside (its aliases do not lead to it), started, healthy, watched   old   serves
    new   taken back: its aliases lead to it as well                                   old   serves
    new   serves                                      old   set aside: nobody new comes, who is there is served
    new   serves                                      old   after a grace: pre_stop, stop, remove

Only Hakobu's engine can set aside; with another one, names lead to a container for as long as it runs. With
`failure_action: rollback` what was replaced is kept, stopped, until all replicas of the service have been.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from hakobu.client.engine import Engine
from hakobu.client.error import ClientError
from hakobu.compose.action import Action, Kind
from hakobu.compose.failure import ActionFailed
from hakobu.compose.hook import run_hooks
from hakobu.compose.label import container_name
from hakobu.compose.maker import Maker
from hakobu.compose.model.dependency import HEALTHY
from hakobu.compose.model.project import Project
from hakobu.compose.model.resource import UpdateConfig
from hakobu.compose.progress import Progress
from hakobu.compose.readiness import Readiness

GRACE_S = 2.0
"""From the last moment at which a name led to a container to its stop: longer than proxies keep an answer (1 s)."""


@dataclass(frozen=True, slots=True)
class _Replaced:
    """`old` still exists, stopped, beside `new`, which has its name."""

    action: Action
    old: str
    new: str
    name: str


class Replacer:
    """For one project. `before_stop` runs the hooks that go before an action's container is stopped."""

    def __init__(
        self,
        engine: Engine,
        progress: Progress,
        project: Project,
        maker: Maker,
        readiness: Readiness,
        before_stop: Callable[[Action], None],
        *,
        timeout_s: int | None,
    ) -> None:
        self._engine, self._progress, self._project, self._maker = engine, progress, project, maker
        self._readiness, self._before_stop, self._timeout_s = readiness, before_stop, timeout_s
        self._kept: dict[str, list[_Replaced]] = {}
        self._lock = threading.Lock()

    def recreate(self, action: Action) -> None:
        """A new container beside the old one, which is stopped and removed only when the new one stands."""
        old = action.container
        assert old is not None
        self._progress.tell(action, "Recreate")
        name, created = self._make(action, old.id)
        self._before_stop(action)
        self._engine.containers.stop(old.id, timeout_s=self._timeout_s)
        self._engine.containers.remove(old.id)
        self._engine.containers.rename(created, name)
        self._maker.ids[action.service, action.number] = created
        self._progress.tell(action, "Recreated", name)

    def roll(self, action: Action) -> None:
        """The old container goes when the new one serves; where that does not come to pass, it stays."""
        old, service = action.container, self._project.service(action.service)
        assert old is not None
        update = (service.deploy and service.deploy.update_config) or UpdateConfig()
        self._progress.tell(action, "Rolling")
        name, created = self._make(action, old.id)
        try:
            self._serve(action, created)
            run_hooks(self._engine, service, service.post_start, created, "post_start", self._progress.write)
            self._readiness.wait(replace(action, condition=HEALTHY, kind=Kind.AWAIT), created, first_run=True)
            self._readiness.watch(created, name, update.monitor)
        except (ActionFailed, ClientError) as e:
            self._engine.containers.remove(created, force=True, volumes=True)
            self._give_up(action, name, update, e)
            return
        self._take_over(action, old.id, created, name, keep=update.failure_action == "rollback")
        self._progress.tell(action, "Rolled", name)
        time.sleep(update.delay / 1e9)

    def _make(self, action: Action, old: str) -> tuple[str, str]:
        """The name it is to have, and the new container's id; until then it has the old one's id before its name."""
        name = container_name(self._project.name, self._project.service(action.service), action.number)
        replaces = name.removeprefix(f"{self._project.name}-")
        return name, self._maker.create(action, f"{old[:12]}_{name}", replaces=replaces)

    def _serve(self, action: Action, container: str) -> None:
        """Starts a container to which nobody is led yet."""
        self._engine.containers.set_aside(container, True)
        self._engine.containers.start(container)

    def _take_over(self, action: Action, old: str, new: str, name: str, *, keep: bool) -> None:
        self._relieve(old, new)
        self._before_stop(action)
        self._engine.containers.stop(old, timeout_s=self._timeout_s)
        if keep:
            self._engine.containers.rename(old, f"{new[:12]}_{name}")
            with self._lock:
                self._kept.setdefault(action.service, []).append(_Replaced(action, old, new, name))
        else:
            self._engine.containers.remove(old)
        self._engine.containers.rename(new, name)
        self._maker.ids[action.service, action.number] = new

    def _relieve(self, going: str, coming: str) -> None:
        """Aliases lead to the one that comes, then no more to the one that goes, which may end what it has begun."""
        self._engine.containers.set_aside(coming, False)
        try:
            if self._engine.containers.set_aside(going, True):
                time.sleep(GRACE_S)
        except BaseException:
            self._engine.containers.set_aside(going, False)
            raise

    def _give_up(self, action: Action, name: str, update: UpdateConfig, cause: Exception) -> None:
        text = f"update of {name} failed, the old container goes on: {cause}"
        if update.failure_action == "continue":
            self._progress.warn(text)
            return
        if update.failure_action == "rollback" and self._roll_back(action.service):
            text = f"update of {name} failed, the service is what it was before: {cause}"
        raise ActionFailed(text) from cause

    def _roll_back(self, service: str) -> bool:
        """Each replica of the service that was replaced gets its place back, the last one first."""
        with self._lock:
            kept = self._kept.pop(service, [])
        for replaced in reversed(kept):
            action = replaced.action
            self._progress.tell(action, "Rolling back", replaced.name)
            self._serve(action, replaced.old)
            self._readiness.wait(replace(action, condition=HEALTHY, kind=Kind.AWAIT), replaced.old)
            self._relieve(replaced.new, replaced.old)
            self._engine.containers.stop(replaced.new, timeout_s=self._timeout_s)
            self._engine.containers.remove(replaced.new)
            self._engine.containers.rename(replaced.old, replaced.name)
            self._maker.ids[service, action.number] = replaced.old
            self._progress.tell(action, "Rolled back", replaced.name)
        return bool(kept)
