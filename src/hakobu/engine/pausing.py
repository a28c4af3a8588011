"""Pausing: the freezer of the container's cgroup, and the status that says so."""

from hakobu.engine.announce import container_event
from hakobu.engine.lifecycle import Op, require
from hakobu.engine.ports import Freezer
from hakobu.engine.records import Records
from hakobu.engine.services import Events
from hakobu.spec.container import Status


async def pause(ref: str, records: Records, freezer: Freezer, events: Events) -> None:
    container = records.get(ref)
    async with records.lock(container.id):
        require(Op.PAUSE, records.get(container.id))
        await freezer.freeze(container.id)
        container = await records.change_state(container.id, status=Status.PAUSED)
    container_event(events, container, "pause")


async def unpause(ref: str, records: Records, freezer: Freezer, events: Events) -> None:
    container = records.get(ref)
    async with records.lock(container.id):
        require(Op.UNPAUSE, records.get(container.id))
        await freezer.thaw(container.id)
        container = await records.change_state(container.id, status=Status.RUNNING)
    container_event(events, container, "unpause")
