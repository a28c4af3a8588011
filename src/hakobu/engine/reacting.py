"""What the engine does to a running container by itself: end it at its time limit, and act on its health.

Both are asked for by labels (`spec/own_label.py`). Each act is for the run that it was meant for: under the
container's lock it is looked whether that run still goes on, so a user's stop or restart in between wins.
"""

import asyncio

from hakobu.engine.announce import container_event
from hakobu.engine.background import Background
from hakobu.engine.clock import now_ns
from hakobu.engine.records import Records
from hakobu.engine.services import Events
from hakobu.engine.starting import Starter
from hakobu.engine.stopping import SIGKILL, Stopper
from hakobu.errors import HakobuError
from hakobu.spec.container import Container, Status
from hakobu.spec.own_label import Asked, Reaction, asked
from hakobu.spec.plan import Runtime

_ALIVE = (Status.RUNNING, Status.PAUSED)


class Reactions:
    """A timer for each running container with a time limit; `unhealthy` is told by the health watch."""

    def __init__(
        self,
        records: Records,
        stopper: Stopper,
        starter: Starter,
        runtime: Runtime,
        events: Events,
        background: Background,
    ) -> None:
        self._records, self._stopper, self._starter = records, stopper, starter
        self._runtime, self._events, self._background = runtime, events, background
        self._timers: dict[str, asyncio.Task[None]] = {}

    def begin(self, container: Container) -> None:
        """At a start, and when a daemon finds the container running: what became due meanwhile is done now."""
        limit_s = _of(container).timeout_s
        if limit_s and container.id not in self._timers:
            left_s = limit_s - (now_ns() - container.state.started_ns) / 1e9
            task = self._background.spawn(self._time_out(container, left_s, limit_s), f"time limit of {container.name}")
            self._timers[container.id] = task

    def end(self, container_id: str) -> None:
        if (task := self._timers.pop(container_id, None)) is not None:
            task.cancel()

    async def _time_out(self, container: Container, left_s: float, limit_s: float) -> None:
        await asyncio.sleep(max(0.0, left_s))
        self._timers.pop(container.id, None)  # the end that follows would cancel this very task
        async with self._records.lock(container.id):
            current = self._still(container)
            if current is None:
                return
            why = f"stopped at its time limit of {limit_s:g}s"
            current = await self._records.change_state(container.id, error=why)
            await self._stopper.stop_locked(current, None, "")
        container_event(self._events, container, "stop")

    def unhealthy(self, container: Container) -> None:
        wanted = _of(container).on_unhealthy
        if wanted != "keep":
            self._background.spawn(self._react(container, wanted), f"{wanted} of unhealthy {container.name}")

    async def _react(self, container: Container, wanted: Reaction) -> None:
        """`kill` is an end like any other, after which the restart policy decides; `stop` is for good."""
        async with self._records.lock(container.id):
            if (current := self._still(container)) is None:
                return
            if wanted == "kill":
                await self._runtime.signal(container.id, "", SIGKILL)
                return
            await self._stopper.stop_locked(current, None, "")
            container_event(self._events, container, "stop")
            if wanted == "restart":
                started = await self._starter.start_locked(container.id)
                container_event(self._events, started, "restart")

    def _still(self, container: Container) -> Container | None:
        """The container where the same run goes on."""
        current = self._records.by_id(container.id)
        same = current is not None and current.state.started_ns == container.state.started_ns
        return current if same and current is not None and current.state.status in _ALIVE else None


def _of(container: Container) -> Asked:
    """A record that an edit or another version left unreadable asks for nothing."""
    try:
        return asked(container.spec.labels)
    except HakobuError:
        return asked({})
