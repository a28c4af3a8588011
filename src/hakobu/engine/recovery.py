"""A daemon comes up: what runs is adopted, what ended meanwhile is told, what should run is started.

The database says what was, the shims' sockets and files say what is. A container whose shim is gone without a
word was lost with it: its cgroup is killed and it is recorded as ended by 137.
"""

import logging
import os
from collections.abc import Callable

from hakobu.engine.clock import now_ns
from hakobu.engine.ending import Monitor
from hakobu.engine.ports import Net
from hakobu.engine.records import Records
from hakobu.engine.restarting import wants_start_at_boot
from hakobu.engine.services import Events
from hakobu.engine.starting import Starter
from hakobu.errors import HakobuError
from hakobu.kernel.cgroup import Cgroup
from hakobu.spec.container import Container, Status
from hakobu.spec.plan import Created, Exit, Runtime

_log = logging.getLogger("hakobu.engine")
_RAN = (Status.RUNNING, Status.PAUSED)


class Recovery:
    """Run once, before the API answers; `start_due` afterwards, while it does. `watch` is told of what runs."""

    def __init__(
        self,
        records: Records,
        runtime: Runtime,
        monitor: Monitor,
        starter: Starter,
        watch: Callable[[Container], None],
        net: Net,
        events: Events,
        cgroup_of: Callable[[Container], Cgroup],
    ) -> None:
        self._records, self._runtime, self._monitor = records, runtime, monitor
        self._starter, self._watch, self._net, self._events = starter, watch, net, events
        self._cgroup_of = cgroup_of
        self._due: list[str] = []

    async def adopt(self) -> None:
        for container in tuple(self._records):
            try:
                await self._adopt(container)
            except (HakobuError, OSError) as error:
                _log.error("container %s could not be taken over: %s", container.name, error)

    async def _adopt(self, container: Container) -> None:
        ran = container.state.status in _RAN
        if container.state.status is Status.REMOVING:
            await self._records.change_state(container.id, status=Status.DEAD)
        if container.state.status is Status.RESTARTING:
            await self._records.change_state(container.id, status=Status.EXITED)
            ran = True
        elif ran:
            found = await self._runtime.adopt(container.id)
            if isinstance(found, Created):
                await self._running(container, found)
                return
            await self._ended(container, found)
        current = self._records.by_id(container.id)
        if current is not None and wants_start_at_boot(current, ran):
            self._due.append(container.id)

    async def _running(self, container: Container, created: Created) -> None:
        if created.pid != container.state.pid:
            await self._records.change_state(container.id, pid=created.pid)
        self._watch(container)

    async def _ended(self, container: Container, exit: Exit | None) -> None:
        """Without a report there was no orderly end: what is left of it must go."""
        if exit is None:
            try:
                self._cgroup_of(container).kill()
            except OSError as error:
                _log.warning("cgroup of %s: %s", container.name, error)
            exit = Exit(code=137, signal=9, oom_killed=False, finished_ns=now_ns())
        await self._monitor.ended(container.id, exit)

    async def start_due(self) -> None:
        """What the restart policies want running, in the order in which it was created."""
        order = {c.id: c.created_ns for c in self._records}
        for container_id in sorted(self._due, key=lambda i: order.get(i, 0)):
            container = self._records.by_id(container_id)
            if container is None or container.state.status not in (Status.CREATED, Status.EXITED):
                continue
            try:
                await self._starter.start(container_id)
            except HakobuError as error:
                _log.error("container %s could not be started: %s", container.name, error)
        self._due.clear()


def stale(shims_dir: str, known: frozenset[str]) -> tuple[str, ...]:
    """Directories of shims whose container the engine does not know; the launcher's own begins with a dot."""
    try:
        return tuple(n for n in os.listdir(shims_dir) if n not in known and not n.startswith("."))
    except FileNotFoundError:
        return ()
