"""Starting a container: endpoints, plan, shim, and the record that says it runs.

Invariant: either the container runs and its record says so durably, or nothing of the attempt is left but
the reason in its record. Held under the container's operation lock; the gate keeps the monitor from telling
of an end before the beginning was told.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace

from hakobu.engine.announce import container_event, endpoint_event
from hakobu.engine.clock import monotonic_s, now_ns
from hakobu.engine.lifecycle import Op, require
from hakobu.engine.logs import drivers
from hakobu.engine.ports import Net, PlanStart, bound_ports
from hakobu.engine.records import Records
from hakobu.engine.services import Events
from hakobu.engine.startfailure import translate
from hakobu.engine.traces import Traces
from hakobu.errors import HakobuError
from hakobu.spec.container import Container, Health, State, Status
from hakobu.spec.plan import Attachment, Created, Runtime, Stdio


class Pending:
    """Connections of clients that attached before the start; the shim gets them with the start."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Attachment]] = defaultdict(list)

    def add(self, container_id: str, attachment: Attachment) -> None:
        self._waiting[container_id].append(attachment)

    def take(self, container_id: str) -> tuple[Attachment, ...]:
        return tuple(self._waiting.pop(container_id, ()))


class Gates:
    """One gate a container: closed while a start is under way, so that its end is told afterwards."""

    def __init__(self) -> None:
        self._gates: dict[str, asyncio.Lock] = {}

    def of(self, container_id: str) -> asyncio.Lock:
        return self._gates.setdefault(container_id, asyncio.Lock())

    def forget(self, container_id: str) -> None:
        self._gates.pop(container_id, None)


class Starter:
    """Starts containers; who asks for it is the user, a restart policy or a daemon that comes up.

    `log` makes ready who takes what the container prints, where that is not a file alone.
    """

    def __init__(
        self,
        records: Records,
        runtime: Runtime,
        net: Net,
        events: Events,
        plan: PlanStart,
        pending: Pending,
        traces: Traces,
        gates: Gates,
        log: Callable[[Container], Awaitable[None]],
        started: Callable[[Container], None],
        failed: Callable[[Container], None],
    ) -> None:
        self._failed_hook, self._log = failed, log
        self._started_hook = started
        self._records, self._runtime, self._net, self._events = records, runtime, net, events
        self._plan, self._pending, self._traces, self._gates = plan, pending, traces, gates
        self.started_at_s: dict[str, float] = {}

    async def start(self, ref: str) -> Container:
        container = self._records.get(ref)
        async with self._records.lock(container.id):
            return await self.start_locked(container.id)

    async def start_locked(self, container_id: str, *, restarting: bool = False) -> Container:
        """The start itself, for callers that hold the operation lock (restart, the restart policy)."""
        container = self._records.get(container_id)
        if not (restarting and container.state.status is Status.RESTARTING):
            require(Op.START, container)
        async with self._gates.of(container_id):
            try:
                return await self._start(container)
            except HakobuError as error:
                failure = translate(await self._net.explained(self._records.get(container_id), error))
                await self._failed(container_id, failure.message, failure.exit_code)
                if not restarting:
                    self._failed_hook(self._records.get(container_id))
                raise failure from error
            except BaseException:
                await asyncio.shield(self._failed(container_id, "the start was interrupted", 128))
                raise

    async def _start(self, container: Container) -> Container:
        await self._log(container)
        endpoints = await self._net.join(container)
        container = self._records.note(container.id, endpoints=endpoints, ports=())
        config, plan = self._plan(container)
        created = await self._runtime.create(plan, stdio_of(container), self._pending.take(container.id))
        container = replace(
            container,
            ports=bound_ports(created.ports),
            state=replace(container.state, pid=created.pid),
        )
        await self._net.opened(container, created)
        releasing = asyncio.ensure_future(self._runtime.start(container.id))
        # Its first part runs: the request is with the shim, and a record that says "running" never comes before it.
        await asyncio.sleep(0)
        settle = self._records.change_ahead(
            container.id, state=_running_state(container, created), ports=container.ports
        )
        released = await releasing
        self._traces.keep(config, plan, (*created.results, *released))
        self.started_at_s[container.id] = monotonic_s()
        return self._started(await settle())

    def _started(self, container: Container) -> Container:
        for endpoint in container.endpoints:
            endpoint_event(self._events, "connect", container, endpoint)
        container_event(self._events, container, "start")
        self._started_hook(container)
        return container

    async def _failed(self, container_id: str, message: str, exit_code: int) -> None:
        """Undoes what an attempt has done; every part bears being undone twice."""
        await self._runtime.delete(container_id)
        if (container := self._records.by_id(container_id)) is None:
            return
        await self._net.leave(container)
        state = replace(container.state, status=_after_failure(container), pid=0, exit_code=exit_code, error=message)
        await self._records.change(container_id, state=state, ports=())


def _running_state(container: Container, created: Created) -> State:
    return replace(
        container.state,
        status=Status.RUNNING,
        pid=created.pid,
        exit_code=0,
        error="",
        oom_killed=False,
        started_ns=now_ns(),
        health=Health() if has_healthcheck(container) else None,
        stopped_by_user=False,
    )


def _after_failure(container: Container) -> Status:
    return Status.CREATED if container.state.started_ns == 0 else Status.EXITED


def has_healthcheck(container: Container) -> bool:
    check = container.healthcheck
    return check is not None and bool(check.test) and check.test[0] != "NONE"


def stdio_of(container: Container) -> Stdio:
    """How the shim holds the container's streams and where it writes its log."""
    spec = container.spec
    return Stdio(
        tty=spec.tty,
        open_stdin=spec.open_stdin,
        stdin_once=spec.stdin_once,
        columns=spec.console_columns,
        rows=spec.console_rows,
        log=drivers.target(container),
    )
