"""Execs: further processes in running containers. They live as long as the daemon and their container.

The shim starts the process and gives the client's connection its streams; this keeps what was asked for and
what became of it.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from hakobu.engine.announce import container_event
from hakobu.engine.failures import NoSuchExec
from hakobu.engine.lifecycle import Op, require
from hakobu.engine.records import Records
from hakobu.engine.services import Events, Exec, ExecSpec
from hakobu.engine.startfailure import translate
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.spec.container import Container
from hakobu.spec.plan import Attachment, ExecRequest, Exit, Plan, Runtime, Stdio

PlanExec = Callable[[Container, ExecSpec], Plan]
"""Pure: the steps that start this process in that container."""


class ExecAlreadyRan(HakobuError):
    kind = Kind.CONFLICT

    def __init__(self, exec_id: str) -> None:
        super().__init__(f"Error: Exec command {exec_id} has already run")


class ExecService:
    """Creates, starts and follows execs."""

    def __init__(
        self, records: Records, runtime: Runtime, events: Events, plan: PlanExec, told: Callable[[Plan], Plan]
    ) -> None:
        self._records, self._runtime, self._events, self._plan, self._told = records, runtime, events, plan, told
        self._execs: dict[str, Exec] = {}
        self._ended: dict[str, asyncio.Future[int]] = {}
        self._ahead: tuple[str, Container, Plan] | None = None

    def get(self, exec_id: str) -> Exec:
        try:
            return self._execs[exec_id]
        except KeyError:
            raise NoSuchExec(exec_id) from None

    def of_container(self, container_id: str) -> tuple[str, ...]:
        """Ids of the execs that are running or were created, as `inspect` lists them."""
        return tuple(e.id for e in self._execs.values() if e.container_id == container_id and e.exit_code is None)

    async def create(self, ref: str, spec: ExecSpec) -> str:
        container = self._records.get(ref)
        require(Op.EXEC, container)
        if not spec.argv or not spec.argv[0]:
            raise Invalid("No exec command specified", field="Cmd")
        exec_id = secrets.token_hex(32)
        self._execs[exec_id] = Exec(id=exec_id, container_id=container.id, spec=spec)
        container_event(self._events, container, f"exec_create: {' '.join(spec.argv)}", execID=exec_id)
        self._runtime.foresee_exec(container.id)
        asyncio.get_running_loop().call_soon(self._plan_ahead, exec_id)
        return exec_id

    def _plan_ahead(self, exec_id: str) -> None:
        """A client that has the id needs a moment to ask for the start: the plan is made meanwhile. Only the last
        one's is kept, for as long as the container's record is the one it was made from."""
        execution = self._execs.get(exec_id)
        container = self._records.by_id(execution.container_id) if execution is not None else None
        if execution is None or container is None or execution.running:
            return
        try:
            self._ahead = exec_id, container, self._plan(container, execution.spec)
        except HakobuError:
            return  # told by the start

    def _planned(self, exec_id: str, container: Container, spec: ExecSpec) -> Plan:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == exec_id and ahead[1] is container and spec == self._execs[exec_id].spec:
            return ahead[2]
        return self._plan(container, spec)

    async def start(self, exec_id: str, attachment: Attachment | None, *, tty: bool, rows: int, columns: int) -> None:
        execution = self.get(exec_id)
        container = self._records.get(execution.container_id)
        require(Op.EXEC, container)
        if execution.running or execution.exit_code is not None:
            raise ExecAlreadyRan(exec_id)
        spec = replace(execution.spec, tty=tty or execution.spec.tty)
        plan = self._planned(exec_id, container, spec)
        self._execs[exec_id] = replace(execution, spec=spec, running=True)
        self._ended[exec_id] = asyncio.get_running_loop().create_future()
        container_event(self._events, container, f"exec_start: {' '.join(spec.argv)}", execID=exec_id)
        request = ExecRequest(exec_id, plan, _stdio(spec, attachment, rows, columns))
        attachments: Sequence[Attachment] = () if attachment is None else (attachment,)
        try:
            pid = await self._runtime.exec(container.id, request, attachments)
        except HakobuError as error:
            failure = translate(error, "exec")
            self._finish(exec_id, failure.exit_code)
            raise failure from error
        if exec_id in self._execs and self._execs[exec_id].running:
            self._execs[exec_id] = replace(self._execs[exec_id], pid=pid)

    async def plan_for(self, ref: str, spec: ExecSpec) -> Plan:
        container = self._records.get(ref)
        require(Op.EXEC, container)
        return self._told(self._plan(container, spec))

    async def resize(self, exec_id: str, rows: int, columns: int) -> None:
        execution = self.get(exec_id)
        await self._runtime.resize(execution.container_id, exec_id, columns, rows)

    async def signal(self, exec_id: str, signal: int) -> None:
        await self._runtime.signal(self.get(exec_id).container_id, exec_id, signal)

    async def wait(self, exec_id: str) -> int:
        """The exit code, once a started exec has ended."""
        return await asyncio.shield(self._ended[exec_id])

    def exited(self, container_id: str, exec_id: str, exit: Exit) -> None:
        """The monitor's report of an end."""
        self._finish(exec_id, exit.code)
        if (container := self._records.by_id(container_id)) is not None:
            container_event(self._events, container, "exec_die", execID=exec_id, exitCode=str(exit.code))

    def container_ended(self, container_id: str) -> None:
        """Whatever still ran in it is gone with it; what was asked about it is forgotten with the container."""
        for execution in tuple(self._execs.values()):
            if execution.container_id == container_id and execution.running:
                self._finish(execution.id, 137)

    def forget(self, container_id: str) -> None:
        for execution in tuple(self._execs.values()):
            if execution.container_id == container_id:
                del self._execs[execution.id]
                self._ended.pop(execution.id, None)

    def _finish(self, exec_id: str, code: int) -> None:
        if (execution := self._execs.get(exec_id)) is not None:
            self._execs[exec_id] = replace(execution, running=False, exit_code=code)
        future = self._ended.get(exec_id)
        if future is not None and not future.done():
            future.set_result(code)


def _stdio(spec: ExecSpec, attachment: Attachment | None, rows: int, columns: int) -> Stdio:
    return Stdio(
        tty=spec.tty,
        open_stdin=attachment is not None and spec.attach_stdin,
        stdin_once=True,
        columns=columns or spec.console_columns,
        rows=rows or spec.console_rows,
    )
