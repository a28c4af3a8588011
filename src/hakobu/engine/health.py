"""Health checks: a probe at intervals, and what its results mean for the container.

A probe is an exec whose output (at most 4096 bytes of it) is kept with its exit code. `judge` is pure; the
loop around it only waits, runs and records. Times are monotonic: a clock that jumps makes nobody unhealthy.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

from hakobu.engine.announce import container_event
from hakobu.engine.background import Background
from hakobu.engine.clock import monotonic_s, now_ns
from hakobu.engine.execs import ExecService
from hakobu.engine.records import Records
from hakobu.engine.services import Events, ExecSpec
from hakobu.engine.starting import has_healthcheck
from hakobu.errors import HakobuError
from hakobu.spec.container import Container, Health, Healthcheck, HealthResult, Status
from hakobu.spec.plan import Attachment

SECOND = 1_000_000_000
KEPT_RESULTS = 5
OUTPUT_BYTES = 4096
SIGKILL = 9


def interval_s(check: Healthcheck, *, starting: bool, ran_s: float = 0.0) -> float:
    """The pause before the next probe; within the start period, until it is healthy, the start interval holds."""
    if starting and ran_s < check.start_period_ns / SECOND:
        return (check.start_interval_ns or 5 * SECOND) / SECOND
    return (check.interval_ns or 30 * SECOND) / SECOND


def judge(health: Health, check: Healthcheck, result: HealthResult, *, in_start_period: bool) -> Health:
    """The container's health after one more result. Failures in the start period do not count."""
    results = (*health.results, result)[-KEPT_RESULTS:]
    if result.exit_code == 0:
        return Health(status="healthy", failing_streak=0, results=results)
    if in_start_period and health.status == "starting":
        return replace(health, results=results)
    streak = health.failing_streak + 1
    unhealthy = streak >= (check.retries or 3)
    return Health(status="unhealthy" if unhealthy else health.status, failing_streak=streak, results=results)


def probe_argv(check: Healthcheck) -> tuple[str, ...]:
    if check.test[0] == "CMD-SHELL":
        return ("/bin/sh", "-c", *check.test[1:])
    return check.test[1:] if check.test[0] == "CMD" else check.test


class HealthWatch:
    """One loop for each running container that has a check; `turned` is told of each that becomes unhealthy."""

    def __init__(
        self,
        records: Records,
        execs: ExecService,
        events: Events,
        background: Background,
        turned: Callable[[Container], None],
    ) -> None:
        self._records, self._execs, self._events, self._background = records, execs, events, background
        self._turned = turned
        self._loops: dict[str, asyncio.Task[None]] = {}
        self.probes, self.failed_probes = 0, 0

    def begin(self, container: Container) -> None:
        if has_healthcheck(container) and container.id not in self._loops:
            task = self._background.spawn(self._watch(container.id), f"health of {container.name}")
            self._loops[container.id] = task

    def end(self, container_id: str) -> None:
        if (task := self._loops.pop(container_id, None)) is not None:
            task.cancel()

    async def _watch(self, container_id: str) -> None:
        began_s = monotonic_s()
        while (container := self._records.by_id(container_id)) is not None:
            check, health = container.healthcheck, container.state.health or Health()
            if check is None or container.state.status not in (Status.RUNNING, Status.PAUSED):
                return
            await asyncio.sleep(interval_s(check, starting=health.status == "starting", ran_s=monotonic_s() - began_s))
            current = self._records.by_id(container_id)
            if current is None or current.state.status is not Status.RUNNING:
                continue
            result = await self._probe(current, check)
            await self._note(container_id, check, result, began_s)

    async def _note(self, container_id: str, check: Healthcheck, result: HealthResult, began_s: float) -> None:
        container = self._records.by_id(container_id)
        if container is None or container.state.status not in (Status.RUNNING, Status.PAUSED):
            return
        before = container.state.health or Health()
        self.probes += 1
        self.failed_probes += result.exit_code != 0
        in_period = monotonic_s() - began_s < check.start_period_ns / SECOND
        after = judge(before, check, result, in_start_period=in_period)
        if after.status == before.status:
            self._records.note_state(container_id, replace(container.state, health=after))
            return
        container = await self._records.change_state(container_id, health=after)
        container_event(self._events, container, f"health_status: {after.status}")
        if after.status == "unhealthy":
            self._turned(container)

    async def _probe(self, container: Container, check: Healthcheck) -> HealthResult:
        started_ns = now_ns()
        limit_s = (check.timeout_ns or 30 * SECOND) / SECOND
        spec = ExecSpec(argv=probe_argv(check), attach_stdout=True, attach_stderr=True)
        try:
            exec_id = await self._execs.create(container.id, spec)
            code, output = await asyncio.wait_for(run_captured(self._execs, exec_id, OUTPUT_BYTES), limit_s)
        except TimeoutError:
            code, output = -1, f"Health check exceeded timeout ({limit_s:g}s)"
        except HakobuError as error:
            code, output = -1, error.message
        return HealthResult(started_ns=started_ns, ended_ns=now_ns(), exit_code=code, output=output)


async def run_captured(execs: ExecService, exec_id: str, limit_bytes: int) -> tuple[int, str]:
    """Runs an exec to its end and keeps the first bytes of what it prints; kills it when cancelled."""
    ours, theirs = socket.socketpair()
    with ours:
        attachment = Attachment(theirs.detach(), stdin=False, stdout=True, stderr=True, detach_keys=b"")
        await execs.start(exec_id, attachment, tty=False, rows=0, columns=0)
        try:
            output = await _read_frames(ours, limit_bytes)
            return await execs.wait(exec_id), output
        except asyncio.CancelledError:
            await _quietly(execs.signal(exec_id, SIGKILL))
            raise


async def _read_frames(connection: socket.socket, limit_bytes: int) -> str:
    """The payload of Docker's 8-byte frames, up to a limit; the rest is read and dropped."""
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    kept, pending = bytearray(), bytearray()
    while data := await loop.sock_recv(connection, 65536):
        pending += data
        while len(pending) >= 8:
            size = int.from_bytes(pending[4:8], "big")
            if len(pending) < 8 + size:
                break
            kept += pending[8 : 8 + size][: max(0, limit_bytes - len(kept))]
            del pending[: 8 + size]
    return kept.decode("utf-8", "replace")


async def _quietly(work: Awaitable[None]) -> None:
    """The process may have ended in the same moment: that is no failure of ours."""
    try:
        await work
    except HakobuError:
        pass
