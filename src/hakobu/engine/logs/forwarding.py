"""The daemon's door to the process that sends logs to receivers: started when the first container needs it.

A process that ended is started anew with every container it served. What it has not sent is on disk.
"""

import asyncio
import json
import logging
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import asdict

from hakobu.engine.logs.drivers import FORWARDING, ReceiverRefused, address, details, expand_tag, facts, parse_bool
from hakobu.engine.logs.forwarder import CONTROL_FD
from hakobu.engine.logs.forwarder.line import Source
from hakobu.errors import HakobuError
from hakobu.spec.container import Container

_log = logging.getLogger("hakobu.logs")

BOOKMARK = "log-sent"
RESTART_S = 1.0
"""Before a process that ended is started again: what ends at once would else do nothing but start."""

_DEFAULT_TAG = "{{.ID}}"


class ForwarderEnded(HakobuError):
    def __init__(self) -> None:
        super().__init__("the process that sends logs has ended", hint="the daemon's log has its last words")


class Forwarding:
    """`directory_of` is a container's directory, where its log is and the place up to which it was sent."""

    def __init__(self, directory_of: Callable[[str], str]) -> None:
        self._directory_of = directory_of
        self._served: dict[str, Container] = {}
        self._asked: dict[int, asyncio.Future[str]] = {}
        self._number = 0
        self._writer: asyncio.StreamWriter | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, container: Container, *, check: bool = True) -> None:
        """Before the container runs; raises `ReceiverRefused` where its receiver does not answer."""
        config = container.spec.log
        if config.driver not in FORWARDING:
            return
        if config.driver == "fluentd" and parse_bool(config.options.get("fluentd-async", "false")):
            check = False
        to = address(config)
        self._served[container.id] = container
        if reason := await self._ask(self._begin(container, check=check)):
            self._served.pop(container.id, None)
            raise ReceiverRefused(f"dial {to.network} {to}: connect: {reason}")

    def end(self, container_id: str) -> None:
        """The container is removed: what it still has to say is sent, and its log is let go of."""
        if self._served.pop(container_id, None) is None or self._writer is None:
            return
        self._keep(self._finish(container_id))

    def _keep(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, container_id: str) -> None:
        with suppress(ForwarderEnded):
            await self._ask({"op": "finish", "container": container_id})

    async def adopt(self, containers: Iterable[Container]) -> None:
        """What containers of an earlier daemon or process have to say, those included that have ended."""
        for container in containers:
            try:
                await self.begin(container, check=False)
            except HakobuError as error:
                _log.error("the log of %s is not sent: %s", container.name, error.message)

    async def close(self) -> None:
        """Waits for the process to send what there is, but not for receivers that stay away."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._served.clear()
        if self._writer is not None:
            self._writer.close()
        if self._hearing is not None:
            await asyncio.gather(self._hearing, return_exceptions=True)

    def _begin(self, container: Container, *, check: bool) -> dict[str, object]:
        config, told = container.spec.log, facts(container)
        source = Source(
            id=container.id,
            name=container.name,
            image_id=container.image_id,
            image_name=container.image_ref,
            created_ns=container.created_ns,
            command=" ".join(container.argv),
            hostname=socket.gethostname(),
            tag=expand_tag(config.options.get("tag") or _DEFAULT_TAG, told),
            extra=details(container),
        )
        return {
            "op": "begin",
            "path": container.log_path,
            "bookmark": f"{self._directory_of(container.id)}/{BOOKMARK}",
            "source": asdict(source),
            "config": asdict(config),
            "check": check,
        }

    async def _ask(self, request: dict[str, object]) -> str:
        """The error's text, empty for none."""
        async with self._starting:
            if self._hearing is not None and self._writer is not None and self._writer.is_closing():
                await asyncio.wait((self._hearing,))  # what was asked of a process that ends would be lost
            if self._writer is None:
                await self._start()
        assert self._writer is not None
        self._number += 1
        answer = self._asked[self._number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps({"id": self._number, **request}).encode() + b"\n")
        return await answer

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            pid = _spawn(theirs.fileno())
        ours.setblocking(False)
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self._hearing = asyncio.create_task(self._hear(reader, self._writer, pid))

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pid: int) -> None:
        """From one process's beginning to its end, whoever brought that about."""
        with suppress(ConnectionError):  # what was written to a process that had just ended
            while line := await reader.readline():
                told = json.loads(line)
                if (answer := self._asked.pop(told["re"], None)) is not None and not answer.done():
                    answer.set_result(told["error"])
        writer.close()
        await asyncio.to_thread(os.waitpid, pid, 0)
        self._writer = None
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ForwarderEnded())
        self._asked.clear()
        if self._served:
            _log.error("the process that sends logs has ended and is started again")
            self._keep(self._begin_again())

    async def _begin_again(self) -> None:
        await asyncio.sleep(RESTART_S)
        for container_id in tuple(self._served):
            if (container := self._served.get(container_id)) is not None:  # it may go while another begins
                await self.adopt((container,))


def _spawn(control_fd: int) -> int:
    """Absolute path, empty environment, no descriptor but the control's."""
    argv = [sys.executable, "-I", "-m", "hakobu.engine.logs.forwarder.process"]
    actions = [(os.POSIX_SPAWN_DUP2, control_fd, CONTROL_FD)]
    return os.posix_spawn(sys.executable, argv, {}, file_actions=actions)
