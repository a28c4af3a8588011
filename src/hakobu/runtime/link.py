"""The daemon's side of shims: the `Runtime` protocol on an event loop, without a thread.

One SEQPACKET connection a container. Answers find their
requests by number; a connection that ends answers every open request with `NoShim` and reports `gone`.
"""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import cast

import msgspec

from hakobu.errors import Kind
from hakobu.kernel import scm
from hakobu.runtime.failure import NoShim, StepFailed
from hakobu.runtime.launching import Launching
from hakobu.runtime.message import (
    Message,
    attachment_to_json,
    decode,
    stdio_to_json,
    steps_to_json,
)
from hakobu.runtime.shim import record
from hakobu.spec.plan import Attachment, Created, ExecRequest, Exit, Plan, ReservedPort, RuntimeEvent, Stdio
from hakobu.spec.step import Json, Step, StepResult

SPARE_DELAY_S = 0.005


class Connection:
    """One SEQPACKET socket on the loop: requests answered by number, everything else handed to `unasked`."""

    def __init__(self, sock: socket.socket, unasked: Callable[[Message], None], gone: Callable[[], None]) -> None:
        self._sock, self._receiver = sock, scm.Receiver(sock)
        self._unasked, self._gone = unasked, gone
        self._waiting: dict[int, asyncio.Future[tuple[Message, tuple[int, ...]]]] = {}
        self._next = 0
        self.closed = False
        self.quiet = False
        sock.setblocking(False)
        asyncio.get_running_loop().add_reader(sock.fileno(), self._readable)

    async def ask(self, op: str, fds: Sequence[int] = (), **facts: Json) -> tuple[Message, tuple[int, ...]]:
        """The answer's message and descriptors. Raises `StepFailed` or, when the other side is gone, OSError."""
        if self.closed:
            raise ConnectionResetError
        self._next = number = self._next + 1
        future: asyncio.Future[tuple[Message, tuple[int, ...]]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            await self._send(msgspec.json.encode({"id": number, "op": op, **facts}), fds)
            answer, given = await future
        finally:
            del self._waiting[number]
        if (error := answer.get("error")) is not None:
            raise _error(cast("Message", error))
        return answer, given

    def tell(self, op: str) -> None:
        """A request without a number has no answer, and is lost where the other side is busy or gone."""
        if not self.closed:
            try:
                scm.send(self._sock, msgspec.json.encode({"op": op}))
            except OSError:
                pass

    async def ask_with_plan(
        self, op: str, plan: Plan, fds: Sequence[int] = (), **facts: Json
    ) -> tuple[Message, tuple[int, ...]]:
        """The plan travels as a memory file before the other descriptors: the shim hands it on unread."""
        plan_fd = scm.sealed_memfd("plan", msgspec.json.encode(plan))
        try:
            return await self.ask(op, (plan_fd, *fds), **facts)
        finally:
            os.close(plan_fd)

    async def _send(self, body: bytes, fds: Sequence[int]) -> None:
        while True:
            try:
                scm.send(self._sock, body, fds)
                return
            except BlockingIOError:
                await asyncio.sleep(0.001)

    def _readable(self) -> None:
        try:
            while (message := self._receiver.receive()) is not None:
                self._took(decode(message.body), message.fds)
        except BlockingIOError:
            return
        except OSError:
            pass
        self.close()

    def _took(self, message: Message, fds: tuple[int, ...]) -> None:
        number = message.get("re")
        future = self._waiting.get(number) if isinstance(number, int) else None
        if future is not None and not future.done():
            future.set_result((message, fds))
            return
        for fd in fds:
            os.close(fd)
        if number is None:
            self._unasked(message)

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._sock.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionResetError())
        self._gone()


class Shims:
    """Implements `spec.plan.Runtime`."""

    def __init__(self, shims_dir: str, *, failpoint: str = "") -> None:
        self._dir, self._failpoint = shims_dir, failpoint
        self._launching = Launching(f"{shims_dir}/.warm")
        self._shims: dict[str, Connection] = {}
        self._events: asyncio.Queue[RuntimeEvent | None] = asyncio.Queue()
        self._spare: socket.socket | None = None
        self._sparing: asyncio.Task[None] | None = None

    # Shims

    @property
    def launcher_pid(self) -> int:
        return self._launching.pid

    async def open(self) -> None:
        """Starts the launcher, so that the first container does not wait for it."""
        os.makedirs(self._dir, mode=0o700, exist_ok=True)
        await self._launching.need()
        self._spare_one()

    async def _take_shim(self) -> socket.socket:
        """The socket of the shim that waits for a container, or of a new one; another is made meanwhile."""
        spare, self._spare = self._spare, None
        if spare is not None and _is_open(spare):
            return spare
        if spare is not None:
            spare.close()
        return await self._fork()

    def _spare_one(self) -> None:
        """Soon, and not now: what has just been started comes first."""
        if self._spare is None and self._sparing is None:
            loop = asyncio.get_running_loop()
            self._sparing = loop.create_task(self._make_spare())

    async def _make_spare(self) -> None:
        try:
            await asyncio.sleep(SPARE_DELAY_S)
            self._spare = await self._fork()
        except StepFailed:
            pass  # the next start says why
        finally:
            self._sparing = None

    async def _fork(self) -> socket.socket:
        return await (await self._launching.need()).fork()

    # Runtime

    async def create(self, plan: Plan, stdio: Stdio, attachments: Sequence[Attachment] = ()) -> Created:
        container_id = plan.container_id
        fds = [a.fd for a in attachments]
        try:
            await self._settled(container_id)
            directory = f"{self._dir}/{container_id}"
            shutil.rmtree(directory, ignore_errors=True)  # what an earlier run left has been read by now
            os.makedirs(directory, mode=0o700)
            connection = self._connect(container_id, await self._take_shim())
            answer, _ = await connection.ask_with_plan(
                "create",
                plan,
                fds,
                container_id=container_id,
                directory=directory,
                stdio=stdio_to_json(stdio),
                attachments=[attachment_to_json(a) for a in attachments],
                failpoint=self._failpoint,
            )
        except OSError as error:
            raise NoShim(container_id) from error
        finally:
            for fd in fds:
                os.close(fd)
        return _created(cast("Message", answer["ok"]))

    async def _settled(self, container_id: str) -> None:
        """An earlier run's shim removes the cgroup behind its report of the end; who asks it waits for that."""
        earlier = self._shims.get(container_id)
        if earlier is not None and not earlier.closed:
            earlier.quiet = True
            try:
                await earlier.ask("state")
            except OSError:
                return  # it has left, and that it does afterwards

    async def start(self, container_id: str) -> tuple[StepResult, ...]:
        answer = await self._ask(container_id, "start")
        self._spare_one()
        return _results(answer["ok"])

    async def exec(self, container_id: str, request: ExecRequest, attachments: Sequence[Attachment] = ()) -> int:
        fds = [a.fd for a in attachments]
        try:
            connection = self._shims.get(container_id)
            if connection is None:
                raise NoShim(container_id)
            answer, _ = await connection.ask_with_plan(
                "exec",
                request.plan,
                fds,
                exec_id=request.exec_id,
                stdio=stdio_to_json(request.stdio),
                attachments=[attachment_to_json(a) for a in attachments],
            )
        except OSError as error:
            raise NoShim(container_id) from error
        finally:
            for fd in fds:
                os.close(fd)
        return cast("int", cast("Message", answer["ok"])["pid"])

    def foresee_exec(self, container_id: str) -> None:
        if (connection := self._shims.get(container_id)) is not None:
            connection.tell("foresee")

    async def attach(self, container_id: str, exec_id: str, attachment: Attachment) -> None:
        try:
            told: list[Json] = [attachment_to_json(attachment)]
            await self._ask(container_id, "attach", (attachment.fd,), exec_id=exec_id, attachments=told)
        finally:
            os.close(attachment.fd)

    async def signal(self, container_id: str, exec_id: str, signal: int) -> None:
        await self._ask(container_id, "signal", exec_id=exec_id, signal=signal)

    async def resize(self, container_id: str, exec_id: str, columns: int, rows: int) -> None:
        await self._ask(container_id, "resize", exec_id=exec_id, columns=columns, rows=rows)

    async def run_steps(
        self, container_id: str, steps: tuple[Step, ...], fds: Sequence[int] = ()
    ) -> Mapping[str, Json]:
        answer = await self._ask(container_id, "steps", fds, steps=steps_to_json(steps))
        return cast("Message", answer["ok"])

    async def root(self, container_id: str) -> int:
        connection = self._shims.get(container_id)
        try:
            if connection is None:
                raise NoShim(container_id)
            _, fds = await connection.ask("root")
        except OSError as error:
            raise NoShim(container_id) from error
        return fds[0]

    async def adopt(self, container_id: str) -> Created | Exit | None:
        directory = f"{self._dir}/{container_id}"
        try:
            dir_fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            created = await self._adopt_running(container_id, dir_fd)
            return created or _exit_on_disk(dir_fd)
        finally:
            os.close(dir_fd)

    async def _adopt_running(self, container_id: str, dir_fd: int) -> Created | None:
        try:
            connection = self._connect(container_id, scm.connect_at(dir_fd, record.SOCKET))
            answer, _ = await connection.ask("state")
        except OSError:
            self._shims.pop(container_id, None)
            return None
        state = cast("Message", answer["ok"])
        return _created({**state, "results": []}) if state["pid"] else None

    async def acknowledge(self, container_id: str, exec_id: str) -> None:
        try:
            await self._ask(container_id, "acknowledge", exec_id=exec_id)
        except (NoShim, StepFailed):
            return  # it is gone, and its clients with it

    async def delete(self, container_id: str) -> None:
        connection = self._shims.pop(container_id, None)
        if connection is not None and not connection.closed:
            connection.quiet = True
            try:
                await connection.ask("discard")
            except (OSError, StepFailed):
                pass
            connection.close()
        shutil.rmtree(f"{self._dir}/{container_id}", ignore_errors=True)

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        while (event := await self._events.get()) is not None:
            yield event

    def close(self) -> None:
        """Lets go of launcher and shims; containers run on."""
        for connection in tuple(self._shims.values()):
            connection.quiet = True
            connection.close()
        if self._sparing is not None:
            self._sparing.cancel()
        if self._spare is not None:
            self._spare.close()
        self._launching.close()
        self._events.put_nowait(None)

    def _connect(self, container_id: str, sock: socket.socket) -> Connection:
        connection = Connection(sock, self._heard, lambda: self._lost(container_id))
        self._shims[container_id] = connection
        return connection

    async def _ask(self, container_id: str, op: str, fds: Sequence[int] = (), **facts: Json) -> Message:
        connection = self._shims.get(container_id)
        if connection is None:
            raise NoShim(container_id)
        try:
            answer, given = await connection.ask(op, fds, **facts)
        except OSError as error:
            raise NoShim(container_id) from error
        for fd in given:
            os.close(fd)
        return answer

    def _heard(self, message: Message) -> None:
        kind = message.get("event")
        container_id, exec_id = cast("str", message["container_id"]), cast("str", message["exec_id"])
        if kind == "exit":
            ended = _exit(cast("Message", message["exit"]))
            self._events.put_nowait(RuntimeEvent("exit", container_id, exec_id, ended))
        elif kind in ("oom", "detach"):
            self._events.put_nowait(RuntimeEvent(kind, container_id, exec_id))

    def _lost(self, container_id: str) -> None:
        connection = self._shims.get(container_id)
        if connection is not None and connection.closed and not connection.quiet:
            self._events.put_nowait(RuntimeEvent("gone", container_id))


def _is_open(sock: socket.socket) -> bool:
    """A shim that waits says nothing; the end of its stream is readable."""
    try:
        sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _error(told: Message) -> StepFailed:
    code = told.get("exit_code")
    return StepFailed(
        str(told.get("step")),
        str(told.get("reason")),
        exit_code=code if isinstance(code, int) else 128,
        kind=Kind(str(told.get("kind") or "internal")),
    )


def _created(ok: Message) -> Created:
    ports = cast("list[dict[str, Json]]", ok["ports"])
    return Created(
        pid=cast("int", ok["pid"]),
        start_time_ticks=cast("int", ok["start_time_ticks"]),
        shim_pid=cast("int", ok["shim_pid"]),
        ports=tuple(ReservedPort(**p) for p in ports),  # pyright: ignore[reportArgumentType]
        results=_results(ok["results"]),
    )


def _results(rows: Json) -> tuple[StepResult, ...]:
    return tuple(StepResult(row[0], row[1], row[2]) for row in cast("list[list[int]]", rows))


def _exit(told: Message) -> Exit:
    return Exit(
        code=cast("int", told["code"]),
        signal=cast("int", told["signal"]),
        oom_killed=bool(told["oom_killed"]),
        finished_ns=cast("int", told["finished_ns"]),
    )


def _exit_on_disk(dir_fd: int) -> Exit | None:
    told = record.read(dir_fd, record.EXIT)
    return None if told is None else _exit(told)
