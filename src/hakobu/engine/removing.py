"""Removing a container: its root file system, its directory, its record; its anonymous volumes when asked.

A container that runs is killed first, when forced. What cannot be removed leaves the container `dead`, with
the reason, and a later attempt goes on from there.
"""

from collections.abc import Callable
from dataclasses import replace

from hakobu.engine.announce import container_event
from hakobu.engine.execs import ExecService
from hakobu.engine.lifecycle import Op, require
from hakobu.engine.ports import Roots
from hakobu.engine.records import Records
from hakobu.engine.services import Events
from hakobu.engine.stopping import Stopper
from hakobu.engine.waiting import Waiters
from hakobu.spec.container import Status

Forget = Callable[[str], None]


class Remover:
    """Removes containers; `forget` lets every part that keeps something by id let go of it."""

    def __init__(
        self,
        records: Records,
        stopper: Stopper,
        roots: Roots,
        events: Events,
        waiters: Waiters,
        execs: ExecService,
        forget: Forget,
    ) -> None:
        self._records, self._stopper, self._roots = records, stopper, roots
        self._events, self._waiters, self._execs, self._forget = events, waiters, execs, forget

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False) -> None:
        container = self._records.get(ref)
        require(Op.FORCE_REMOVE if force else Op.REMOVE, container)
        if force and container.state.status in (Status.RUNNING, Status.PAUSED, Status.RESTARTING):
            await self._stopper.kill(container.id, "SIGKILL")
        async with self._records.lock(container.id):
            if self._records.by_id(container.id) is not None:
                await self._remove(container.id, volumes)

    async def remove_ended(self, container_id: str) -> None:
        """What `--rm` asks for at the end of the run."""
        async with self._records.lock(container_id):
            container = self._records.by_id(container_id)
            # a restart that held the lock may have started it again: then this end is not the last
            if container is not None and container.state.status in (Status.EXITED, Status.DEAD):
                await self._remove(container_id, volumes=True)

    async def remove_failed(self, container_id: str) -> None:
        """A `--rm` container whose start failed has had its run."""
        async with self._records.lock(container_id):
            container = self._records.by_id(container_id)
            if container is not None and container.state.status in (Status.CREATED, Status.EXITED):
                await self._remove(container_id, volumes=True)

    async def _remove(self, container_id: str, volumes: bool) -> None:
        """The container is gone once its record is; its directories follow, by the next daemon if need be."""
        current = self._records.get(container_id)
        container = self._records.note(container_id, state=replace(current.state, status=Status.REMOVING))
        try:
            await self._records.remove(container_id)
        except BaseException as error:
            await self._records.change_state(container_id, status=Status.DEAD, error=str(error))
            raise
        self._execs.forget(container_id)
        self._forget(container_id)
        if volumes and container.mounts:
            await self._roots.remove_anonymous(container.mounts)
        container_event(self._events, container, "destroy")
        # The error of a failed start was the start's answer; docker's client would tell it a second time.
        self._waiters.removed(container_id, container.state.exit_code)
        await self._roots.discard(container_id)
