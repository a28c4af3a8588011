"""Waits are armed by a call that returns; what happens behind it is not missed."""

import asyncio

from tests.unit.engine.sample import ID, container

from hakobu.engine.waiting import Waiters
from hakobu.spec.container import Status


def test_not_running_answers_at_once_for_what_has_ended():
    async def scenario():
        wait = Waiters().arm(container(Status.EXITED, state={"exit_code": 7}), "not-running")
        return await wait.result()

    assert asyncio.run(scenario()) == (7, "")


def test_next_exit_waits_for_the_next_run_of_what_has_ended():
    async def scenario():
        waiters = Waiters()
        wait = waiters.arm(container(Status.EXITED, state={"exit_code": 7}), "next-exit")
        waiters.exited(ID, 3)
        return await wait.result()

    assert asyncio.run(scenario()) == (3, "")


def test_a_removal_wakes_those_who_wait_for_it_and_those_who_wait_for_an_end():
    async def scenario():
        waiters = Waiters()
        waits = [waiters.arm(container(Status.RUNNING), c) for c in ("removed", "next-exit")]
        waiters.exited("another", 9)
        waiters.removed(ID, 4)
        return [await w.result() for w in waits]

    assert asyncio.run(scenario()) == [(4, ""), (4, "")]


def test_an_end_does_not_wake_those_who_wait_for_the_removal():
    async def scenario():
        waiters = Waiters()
        wait = waiters.arm(container(Status.RUNNING), "removed")
        waiters.exited(ID, 1)
        task = asyncio.ensure_future(wait.result())
        await asyncio.sleep(0)
        woken = task.done()
        waiters.removed(ID, 2)
        return woken, await task

    assert asyncio.run(scenario()) == (False, (2, ""))
