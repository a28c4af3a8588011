"""The shim's half of a start: gives a starter its work and goes through the handshake with the child.

Single-threaded and blocking: between the clone and `prepared` the shim has nothing else to do for an init, and a
few milliseconds for an exec. The column on the left of `runtime/handshake.py`.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from hakobu.kernel import process
from hakobu.runtime.failure import StepFailed
from hakobu.runtime.handshake import HandshakeBroken, hear, receive, say
from hakobu.runtime.message import steps_from_json
from hakobu.runtime.shim.starter import Starter
from hakobu.runtime.steps_mount import text
from hakobu.spec.plan import Stdio
from hakobu.spec.step import Json, Step

Args = Mapping[str, Json]
TIMEOUT_S = 120.0


@dataclass(slots=True)
class Spawned:
    """A child that waits before its execve. `result` rows are (index, started_ns, took_ns).

    `late` are the shim's steps for when it runs.
    """

    pid: int
    pidfd: int
    sock: socket.socket
    master_fd: int = -1
    execute_index: int = 0
    late: tuple[Step, ...] = ()
    results: list[Json] = field(default_factory=list[Json])


class Spawner:
    """Carries out a plan up to the point before execve. `shim_steps` executes steps of the shim by name."""

    def __init__(
        self,
        starter: Starter,
        plan_fd: int,
        stdio: Stdio,
        stdio_fds: tuple[int, int, int],
        shim_steps: Mapping[str, Callable[[Args, int], None]],
        *,
        failpoint: str = "",
        init_pid: int = 0,
    ) -> None:
        self._starter, self._plan_fd, self._stdio, self._fds = starter, plan_fd, stdio, stdio_fds
        self._shim_steps, self._failpoint, self._init_pid = shim_steps, failpoint, init_pid
        self._results: list[Json] = []
        self.cgroup = ""
        self._told: dict[str, Json] = {}
        self._execute_index = 0
        self._late: tuple[Step, ...] = ()
        self._master_fd = -1
        self._pidfd = -1

    def spawn(self) -> Spawned:
        """Raises `StepFailed`; then nothing of the child is left. `cgroup` says what else there is to remove."""
        sock = self._starter.sock
        sock.settimeout(TIMEOUT_S)
        try:
            pid = self._begin(sock)
            self._pidfd = process.pidfd_open(pid)
            expect = self._converse(sock, pid)
            self._starter.end()
            _verify(pid, expect)
        except BaseException as error:
            self._undo()
            if isinstance(error, StepFailed):
                raise
            raise StepFailed("handshake", f"the container's first process ended early: {error}") from None
        return Spawned(pid, self._pidfd, sock, self._master_fd, self._execute_index, self._late, self._results)

    def _begin(self, sock: socket.socket) -> int:
        """Up to the child's first word, whose sender the kernel names."""
        rows, columns = self._stdio.rows, self._stdio.columns
        facts: dict[str, Json] = {"failpoint": self._failpoint, "init_pid": self._init_pid}
        say(sock, "work", (self._plan_fd, *self._fds), rows=rows, columns=columns, **facts)
        told, _, _ = hear(sock, "cloning", "failed")
        if told["say"] == "failed":
            raise failed(told)
        self.cgroup = str(told["cgroup"])
        self._told = told
        told, _, pid = hear(sock, "born", "failed")
        if told["say"] == "failed":
            raise failed(told)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        return pid

    def _converse(self, sock: socket.socket, pid: int) -> Mapping[str, Json]:
        for index, told in cast("list[tuple[int, Json]]", self._told["steps"]):
            (step,) = steps_from_json([told])
            if step.args.get("kind") == "poststart":
                self._late += (step,)
                continue
            self._run(index, step, pid)
            if step.name == "idmap.write":
                _tell(sock, "mapped")
        _tell(sock, "wired")
        while True:
            told, fds, _ = hear(sock, "console", "prepared", "failed")
            match told["say"]:
                case "console":
                    self._master_fd = fds[0]
                case "failed":
                    raise failed(told)
                case _:
                    self._execute_index = int(str(told["execute"]))
                    results = told.get("results")
                    self._results += results if isinstance(results, list) else []
                    expect = self._told["expect"]
                    return expect if isinstance(expect, dict) else {}

    def _run(self, index: int, step: Step, pid: int) -> None:
        started = time.monotonic_ns()
        if self._failpoint and self._failpoint == step.name:
            raise StepFailed(step.name, f"failpoint {step.name}")
        try:
            self._shim_steps[step.name](step.args, pid)
        except OSError as error:
            about = text(step.args, "path") or text(step.args, "host")
            raise StepFailed(step.name, f"{step.name} {about}: {error.strerror or error}") from error
        self._results.append([index, started, time.monotonic_ns() - started])

    def _undo(self) -> None:
        """The starter first: it must not wake up when the child, which has its memory, ends."""
        self._starter.close()
        if self._pidfd >= 0:
            try:
                process.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait_pidfd(self._pidfd)
            os.close(self._pidfd)
        if self._master_fd >= 0:
            os.close(self._master_fd)


def _tell(sock: socket.socket, word: str) -> None:
    """A child that has failed is gone already; why, it has said before, and is heard next."""
    try:
        say(sock, word)
    except BrokenPipeError:
        pass


def _verify(pid: int, expect: Mapping[str, Json]) -> None:
    """The kernel's own word on the child: a capability or a filter set by mistake fails open, so look from outside."""
    with open(f"/proc/{pid}/status", "rb") as file:
        lines = dict(line.split(b":", 1) for line in file.read().splitlines() if b":" in line)
    for key, wanted in expect.items():
        have = int(lines[key.encode()], 16 if key.startswith("Cap") else 10)
        if have != wanted:
            raise StepFailed("verify", f"the kernel says {key} {have:#x} where {wanted:#x} was asked for")


def failed(told: Mapping[str, Json]) -> StepFailed:
    """The child's last words as an error."""
    code = told.get("exit_code")
    return StepFailed(str(told.get("step")), str(told.get("reason")), exit_code=code if isinstance(code, int) else 128)


def release(spawned: Spawned) -> None:
    """Lets the child call execve; returns when that has succeeded, raises `StepFailed` when it has not."""
    try:
        say(spawned.sock, "start")
        message = receive(spawned.sock)
    except (OSError, HandshakeBroken):
        message = None
    finally:
        spawned.sock.settimeout(None)
    spawned.sock.close()
    if message is not None:
        raise failed(json.loads(message.body))
