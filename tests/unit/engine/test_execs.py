"""The plan of an exec is made ahead of its start, and never used for a container that has changed."""

import asyncio
from typing import Any

from tests.unit.engine.sample import ID, Table, container

from hakobu.engine.bus import Bus
from hakobu.engine.execs import ExecService
from hakobu.engine.records import Records
from hakobu.engine.services import ExecSpec
from hakobu.spec.container import Status
from hakobu.spec.plan import Plan


class Shim:
    """Notes what it was asked to run."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.foreseen: list[str] = []

    def foresee_exec(self, container_id: str) -> None:
        self.foreseen.append(container_id)

    async def exec(self, container_id: str, request: Any, attachments: Any) -> int:
        self.plans.append(request.plan)
        return 7


def run(between: Any = None, *, tty: bool = False) -> tuple[list[Plan], list[Plan]]:
    """Plans that were made, and those that were run, of one exec with `between` called before its start."""
    made: list[Plan] = []
    records, shim = Records(Table(), (container(Status.RUNNING),)), Shim()

    def plan(_container: Any, _spec: Any) -> Plan:
        made.append(Plan(f"{len(made)}", ()))
        return made[-1]

    async def body() -> None:
        execs = ExecService(records, shim, Bus(), plan, lambda plan: plan)  # pyright: ignore[reportArgumentType]
        exec_id = await execs.create("web", ExecSpec(argv=("true",)))
        await asyncio.sleep(0)
        if between is not None:
            await between(records)
        await execs.start(exec_id, None, tty=tty, rows=0, columns=0)

    asyncio.run(body())
    assert shim.foreseen == [ID]  # told once, by the create
    return made, shim.plans


def test_the_plan_made_ahead_is_the_one_that_runs() -> None:
    made, ran = run()
    assert len(made) == 1 and ran == made


def test_a_container_that_changed_is_planned_again() -> None:
    made, ran = run(lambda records: records.change(ID, restart_count=1))
    assert len(made) == 2 and ran == [made[1]]


def test_a_terminal_asked_for_at_the_start_is_planned() -> None:
    made, ran = run(tty=True)
    assert len(made) == 2 and ran == [made[1]]
