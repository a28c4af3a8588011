"""Ending a container: stop (its signal, a time limit, then SIGKILL), kill, and stop before a restart.

None of these records the end itself; the monitor does, from the shim's report. They wait for that.
"""

import asyncio
from collections.abc import Awaitable

from hakobu.engine.announce import container_event
from hakobu.engine.failures import AlreadyStopped, NotRunning
from hakobu.engine.lifecycle import Op, require
from hakobu.engine.ports import Freezer
from hakobu.engine.records import Records
from hakobu.engine.services import Events
from hakobu.engine.waiting import Waiters
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.kernel import signal as signals
from hakobu.spec.container import Container, Status
from hakobu.spec.plan import Runtime

DEFAULT_TIMEOUT_S = 10
SIGKILL = 9


def parse_signal(text: str) -> int:
    """A name with or without SIG, or a number; Docker's words when it is neither."""
    try:
        return signals.parse_signal(text)
    except ValueError:
        raise Invalid(f"invalid signal: {text}", field="signal") from None


class CannotKill(HakobuError):
    """`docker kill` of what does not run, with the name that the user gave."""

    kind = Kind.CONFLICT

    def __init__(self, ref: str, error: NotRunning) -> None:
        super().__init__(f"cannot kill container: {ref}: {error.message}")


class Stopper:
    """Stops and kills; `cancel_restart` ends a pending restart of the policy."""

    def __init__(self, records: Records, runtime: Runtime, events: Events, waiters: Waiters, freezer: Freezer) -> None:
        self._records, self._runtime, self._events = records, runtime, events
        self._waiters, self._freezer = waiters, freezer

    async def stop(self, ref: str, timeout_s: int | None, signal: str) -> None:
        container = self._records.get(ref)
        if container.state.status is Status.RESTARTING:
            await self.abandon_restart(container)
            return
        async with self._records.lock(container.id):
            container = self._records.get(container.id)
            if container.state.status not in (Status.RUNNING, Status.PAUSED):
                raise AlreadyStopped(container.name)
            await self.stop_locked(container, timeout_s, signal)
        container_event(self._events, container, "stop")

    async def abandon_restart(self, container: Container) -> None:
        """The container is between two runs: it stays as it is, and nobody starts it again."""
        await self._records.change_state(container.id, status=Status.EXITED, stopped_by_user=True)
        self._waiters.exited(container.id, container.state.exit_code)
        container_event(self._events, container, "stop")

    async def stop_locked(self, container: Container, timeout_s: int | None, signal: str) -> None:
        """Signal, wait, SIGKILL, wait; returns once the record says that it has ended."""
        number = parse_signal(signal or container.stop_signal or "SIGTERM")
        limit = timeout_s if timeout_s is not None else container.spec.stop_timeout_s
        limit = DEFAULT_TIMEOUT_S if limit is None else limit
        await self._records.change_state(container.id, stopped_by_user=True)
        ended = self._waiters.arm(self._records.get(container.id), "not-running").result()
        waiting = asyncio.ensure_future(ended)
        try:
            await self._send(container, number)
            if not await _within(waiting, None if limit < 0 else float(limit)):
                await self._send(container, SIGKILL)
                await waiting
        finally:
            waiting.cancel()

    async def kill(self, ref: str, signal: str) -> None:
        container = self._records.get(ref)
        number = parse_signal(signal or "SIGKILL")
        if container.state.status is Status.RESTARTING:
            await self.abandon_restart(container)
            return
        try:
            require(Op.KILL, container)
        except NotRunning as error:
            raise CannotKill(ref, error) from error
        stop_signal = parse_signal(container.stop_signal or "SIGTERM")
        ended = self._waiters.arm(container, "not-running")  # first: an end that comes meanwhile is not awaited again
        if number in (SIGKILL, stop_signal):
            await self._records.change_state(container.id, stopped_by_user=True)
        await self._send(container, number)
        if number == SIGKILL:
            await ended.result()

    async def _send(self, container: Container, number: int) -> None:
        """A paused container is thawed after its signal, or it would never see it."""
        try:
            await self._runtime.signal(container.id, "", number)
        except HakobuError as error:
            # Gone, or over and about to be told: what waits for the end sees it.
            if error.kind not in (Kind.NOT_FOUND, Kind.CONFLICT):
                raise
        container_event(self._events, container, "kill", signal=str(number))
        current = self._records.by_id(container.id)
        if current is not None and current.state.status is Status.PAUSED:
            await self._freezer.thaw(container.id)


async def _within(waiting: Awaitable[tuple[int, str]], limit_s: float | None) -> bool:
    try:
        await asyncio.wait_for(asyncio.shield(waiting), limit_s)
    except TimeoutError:
        return False
    return True
