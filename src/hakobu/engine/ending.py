"""The monitor: what shims report becomes what records say.

An end is told once: rules and addresses are let go, the record is saved, those who wait are woken, and the
restart policy or the automatic removal follows. An end is never told before its start (see the gates).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from hakobu.engine.announce import container_event, endpoint_event
from hakobu.engine.background import Background
from hakobu.engine.clock import monotonic_s, now_ns
from hakobu.engine.execs import ExecService
from hakobu.engine.observing import CgroupOf
from hakobu.engine.ports import Net
from hakobu.engine.records import Records
from hakobu.engine.restarting import next_delay_s, wants_restart
from hakobu.engine.services import Events
from hakobu.engine.starting import Gates, Starter
from hakobu.engine.waiting import Waiters
from hakobu.errors import HakobuError
from hakobu.spec.container import Container, State, Status
from hakobu.spec.plan import Exit, Runtime, RuntimeEvent

_log = logging.getLogger("hakobu.engine")
_RUNS = (Status.RUNNING, Status.PAUSED)
Remove = Callable[[str], Awaitable[None]]
"""Removes an ended container of `--rm` with its anonymous volumes."""


class Monitor:
    """Consumes the runtime's events for as long as the engine runs."""

    def __init__(
        self,
        records: Records,
        runtime: Runtime,
        net: Net,
        events: Events,
        waiters: Waiters,
        execs: ExecService,
        starter: Starter,
        gates: Gates,
        background: Background,
        remove: Remove,
        stopped: Callable[[str], None],
        cgroup_of: CgroupOf,
    ) -> None:
        self._stopped_hook = stopped
        self._records, self._runtime, self._net, self._events = records, runtime, net, events
        self._waiters, self._execs, self._starter, self._gates = waiters, execs, starter, gates
        self._background, self._remove = background, remove
        self._cgroup_of = cgroup_of
        self._delays: dict[str, float] = {}
        self._short_of_memory: set[str] = set()

    async def run(self) -> None:
        async for event in self._runtime.events():
            self._background.spawn(self._handle(event), f"{event.kind} of {event.container_id[:12]}")

    async def _handle(self, event: RuntimeEvent) -> None:
        container = self._records.by_id(event.container_id)
        match event.kind:
            case "exit" if event.exec_id and event.exit is not None:
                self._execs.exited(event.container_id, event.exec_id, event.exit)
                await self._runtime.acknowledge(event.container_id, event.exec_id)
            case "exit" if event.exit is not None:
                await self.ended(event.container_id, event.exit)
            case "gone" if container is not None:
                await self.abandoned(container.id)
            case "oom" if container is not None:
                self._short_of_memory.add(container.id)
                container_event(self._events, container, "oom")
            case "detach" if container is not None:
                container_event(self._events, container, "exec_detach" if event.exec_id else "detach")
            case _:
                pass

    async def abandoned(self, container_id: str) -> None:
        """Its shim has died without a report: what is left of it goes, with the cgroup that the shim removes else."""
        async with self._gates.of(container_id):
            container = self._records.by_id(container_id)
            if container is None or container.state.status not in _RUNS:
                return
            group = self._cgroup_of(container)
            try:
                await asyncio.to_thread(group.kill)
                await asyncio.to_thread(group.delete)
            except OSError as error:
                _log.warning("cgroup of %s: %s", container.name, error)
        await self.ended(container_id, Exit(code=137, signal=9, oom_killed=False, finished_ns=now_ns()))

    async def ended(self, container_id: str, exit: Exit) -> None:
        """Tells the end of a run; also for what ended while no daemon was there."""
        async with self._gates.of(container_id):
            container = self._records.by_id(container_id)
            if container is None or container.state.status not in _RUNS:
                return
            self._stopped_hook(container_id)
            self._execs.container_ended(container_id)
            again = wants_restart(container, exit.code)
            changes: dict[str, Any] = {"ports": (), "state": _ended_state(container, exit, again)}
            if container.spec.auto_remove:
                # its removal follows: a daemon that dies before finds the shim's own word for the end
                ended = self._records.note(container_id, **changes)
                await self._net.leave(container)
            else:
                ended, saving = self._records.change_soon(container_id, **changes)
                await self._net.leave(container)
                await saving
            self._tell(ended, exit)
            # Docker's waiters hear of every end, also of one after which the policy starts it again
            self._waiters.exited(container_id, exit.code)
            if not container.spec.auto_remove:
                await self._runtime.delete(container_id)
        await self._after(ended, again)

    def _tell(self, container: Container, exit: Exit) -> None:
        ran_s = max(0, exit.finished_ns - container.state.started_ns) // 1_000_000_000
        if exit.oom_killed and container.id not in self._short_of_memory:
            container_event(self._events, container, "oom")  # it was killed while no daemon was there to be told
        self._short_of_memory.discard(container.id)
        container_event(self._events, container, "die", exitCode=str(exit.code), execDuration=str(ran_s))
        for endpoint in container.endpoints:
            endpoint_event(self._events, "disconnect", container, endpoint)

    async def _after(self, container: Container, again: bool) -> None:
        if again:
            self._background.spawn(self._restart(container), f"restart of {container.name}")
            return
        self._delays.pop(container.id, None)
        if container.spec.auto_remove:
            await self._remove(container.id)
            if self._records.by_id(container.id) is None:
                await self._runtime.delete(container.id)

    async def _restart(self, container: Container) -> None:
        ran_s = monotonic_s() - self._starter.started_at_s.get(container.id, 0.0)
        delay_s = next_delay_s(self._delays.get(container.id, 0.0), ran_s)
        self._delays[container.id] = delay_s
        await asyncio.sleep(delay_s)
        async with self._records.lock(container.id):
            current = self._records.by_id(container.id)
            if current is None or current.state.status is not Status.RESTARTING:
                return
            await self._records.change(container.id, restart_count=current.restart_count + 1)
            try:
                await self._starter.start_locked(container.id, restarting=True)
            except HakobuError as error:
                await self._restart_failed(container.id, error)

    async def _restart_failed(self, container_id: str, error: HakobuError) -> None:
        """A start that fails counts as a run that ended at once: the policy decides again."""
        container = self._records.by_id(container_id)
        if container is None:
            return
        code = int(getattr(error, "exit_code", 128))
        if wants_restart(container, code):
            container = await self._records.change_state(container_id, status=Status.RESTARTING)
            self._background.spawn(self._restart(container), f"restart of {container.name}")
        else:
            self._waiters.exited(container_id, code, error.message)


def _ended_state(container: Container, exit: Exit, again: bool) -> State:
    return replace(
        container.state,
        status=Status.RESTARTING if again else Status.EXITED,
        pid=0,
        exit_code=exit.code,
        oom_killed=exit.oom_killed,
        finished_ns=exit.finished_ns,
    )
