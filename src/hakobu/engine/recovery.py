"""A daemon comes up: what runs is adopted, what ended meanwhile is told, what should run is started.

The database says what was, the shims' sockets and files say what is. A container whose shim is gone without a
word was lost with it: its cgroup is killed and it is recorded as ended by 137.
"""

import contextlib
import logging
import os
import re
from collections.abc import Callable

from hakobu.engine.ending import Monitor
from hakobu.engine.ports import Net
from hakobu.engine.records import Records
from hakobu.engine.restarting import wants_start_at_boot
from hakobu.engine.services import Events
from hakobu.engine.starting import Starter
from hakobu.errors import HakobuError
from hakobu.kernel.cgroup import Tree
from hakobu.spec.container import Container, Status
from hakobu.spec.plan import Created, Exit, Runtime

_ID = re.compile("[0-9a-f]{64}")
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
    ) -> None:
        self._records, self._runtime, self._monitor = records, runtime, monitor
        self._starter, self._watch, self._net, self._events = starter, watch, net, events
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
        else:
            await self.discard(container.id)
        current = self._records.by_id(container.id)
        if current is not None and wants_start_at_boot(current, ran):
            self._due.append(container.id)

    async def discard(self, container_id: str) -> None:
        """The shim of a start that its daemon did not live to answer, or of a container that is unknown."""
        await self._runtime.adopt(container_id)
        await self._runtime.delete(container_id)

    async def _running(self, container: Container, created: Created) -> None:
        if created.pid != container.state.pid:
            await self._records.change_state(container.id, pid=created.pid)
        self._watch(container)

    async def _ended(self, container: Container, exit: Exit | None) -> None:
        """Without a report there was no orderly end."""
        if exit is None:
            await self._monitor.abandoned(container.id)
        else:
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


def remove_strays(tree: Tree, parent: str, running: frozenset[str]) -> None:
    """Cgroups below the instance's own parent, of containers that do not run.

    A start that was under way when its daemon was killed leaves one: its shim was never adopted, and its process may
    have ended before the shim had a cgroup to remove.
    """
    found: set[str] = set()
    for directory in tree.cgroup(parent).directories().values():
        with contextlib.suppress(FileNotFoundError):
            found.update(entry.name for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False))
    for name in sorted(found - running):
        if not _ID.fullmatch(name):
            continue
        stray = tree.cgroup(f"{parent}/{name}")
        try:
            stray.kill()
            stray.delete()
        except OSError as error:
            _log.warning("cgroup of %s: %s", name[:12], error)
