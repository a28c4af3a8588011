"""The shim's half of a start: gives a starter its work and goes through the handshake with the child.

Single-threaded and blocking: between the clone and `prepared` its process has nothing else to do. The column on the
left of `runtime/handshake.py`.
"""

import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from hakobu.kernel import process
from hakobu.runtime.arguments import text
from hakobu.runtime.failure import StepFailed
from hakobu.runtime.handshake import HandshakeBroken, hear, receive, say
from hakobu.runtime.message import steps_from_json
from hakobu.runtime.shim.starter import Starter
from hakobu.spec.dataclass import dataclass, field
from hakobu.spec.plan import Stdio
from hakobu.spec.step import Json, Step

Args = Mapping[str, Json]
TIMEOUT_S = 120.0


@dataclass(slots=True)
class Spawned:
    """A child that waits before its execve. `result` rows are (index, started_ns, took_ns).

    `late` are the shim's steps for when it runs. A `starter` is halted and to be reaped; then the end of `alive_fd`
    says that the child has executed, for the starter has the other end of `sock` as well.
    """

    pid: int
    pidfd: int
    sock: socket.socket
    master_fd: int = -1
    execute_index: int = 0
    late: tuple[Step, ...] = ()
    listener_fd: int = -1
    results: list[Json] = field(default_factory=list[Json])
    starter: Starter | None = None
    alive_fd: int = -1


class Spawner:
    """Carries out a plan up to the point before execve. `shim_steps` executes steps of the shim by name.

    `begin`, then `spawn`; or `abandon` where something in between has failed. Raises `StepFailed`; then nothing of
    the child is left, and `cgroup` says what else there is to remove. `gate` is a FIFO and a file for its failure
    (see `Child`), `preserved` what the process keeps from 3 on. With `lending` the starter is killed by `release`,
    so that its memory need not go within the child's execve; else before `spawn` returns.
    """

    def __init__(
        self,
        starter: Starter,
        plan_fd: int,
        stdio: Stdio,
        shim_steps: Mapping[str, Callable[[Args, int], None]],
        *,
        failpoint: str = "",
        init_pid: int = 0,
        gate: Sequence[int] = (),
        preserved: Sequence[int] = (),
        lending: bool = False,
    ) -> None:
        self._starter, self._plan_fd, self._stdio = starter, plan_fd, stdio
        self._shim_steps, self._failpoint, self._init_pid = shim_steps, failpoint, init_pid
        self._gated, self._given, self._lending = bool(gate), (*gate, *preserved), lending
        self._alive_fd = -1
        self._results: list[Json] = []
        self.cgroup = ""
        self._told: dict[str, Json] = {}
        self._execute_index = 0
        self._late: tuple[Step, ...] = ()
        self._master_fd = -1
        self._listener_fd = -1
        self._pidfd = -1
        self._others: frozenset[int] = frozenset()

    def begin(self) -> None:
        """The starter decodes the plan and makes the cgroup while the caller opens streams and log."""
        sock = self._starter.sock
        sock.settimeout(TIMEOUT_S)
        if self._starter.is_ours:
            self._others = process.children()
        facts: dict[str, Json] = {"failpoint": self._failpoint, "init_pid": self._init_pid, "gated": self._gated}
        say(sock, "work", (self._plan_fd, *self._given), rows=self._stdio.rows, columns=self._stdio.columns, **facts)

    def spawn(self, stdio_fds: tuple[int, int, int], *, meanwhile: Callable[[int, int], None] | None = None) -> Spawned:
        """`stdio_fds` become 0, 1 and 2; `meanwhile` is called with pid and pidfd while the child mounts."""
        sock = self._starter.sock
        try:
            pid = self._hear_of_birth()
            expect = self._converse(sock, pid, stdio_fds, meanwhile)
            if self._lending:
                self._starter.halt()
            else:
                self._starter.end()
            _verify(pid, expect)
        except BaseException as error:
            self._undo()
            if isinstance(error, StepFailed):
                raise
            raise StepFailed("handshake", f"the container's first process ended early: {error}") from None
        held = (self._execute_index, self._late, self._listener_fd, self._results)
        starter = self._starter if self._lending else None
        return Spawned(pid, self._pidfd, sock, self._master_fd, *held, starter, self._alive_fd)

    def abandon(self) -> None:
        """Undoes what `begin` has set going; nothing is to be done after a `spawn` that failed."""
        if self._starter.sock.fileno() < 0:
            return
        try:
            self._hear_of_birth()
        except (OSError, HandshakeBroken, StepFailed):
            pass
        self._undo()

    def _hear_of_birth(self) -> int:
        """Up to the child's first word, whose sender the kernel names."""
        sock = self._starter.sock
        told, _, _ = hear(sock, "cloning", "failed")
        if told["say"] == "failed":
            raise failed(told)
        self.cgroup = str(told["cgroup"])
        self._told = told
        told, _, pid = hear(sock, "born", "failed")
        if told["say"] == "failed":
            raise failed(told)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        self._pidfd = process.pidfd_open(pid)
        return pid

    def _converse(
        self,
        sock: socket.socket,
        pid: int,
        stdio_fds: tuple[int, int, int],
        meanwhile: Callable[[int, int], None] | None,
    ) -> Mapping[str, Json]:
        for index, told in cast("list[tuple[int, Json]]", self._told["steps"]):
            (step,) = steps_from_json([told])
            if step.args.get("kind") == "poststart":
                self._late += (step,)
                continue
            self._run(index, step, pid)
            if step.name == "idmap.write":
                _tell(sock, "mapped")
        self._wire(sock, stdio_fds)
        if meanwhile is not None:
            meanwhile(pid, self._pidfd)
        while True:
            told, fds, _ = hear(sock, "console", "prepared", "failed")
            match told["say"]:
                case "console":
                    self._master_fd = fds[0]
                case "failed":
                    raise failed(told)
                case _:
                    self._listener_fd = fds[0] if fds else -1
                    self._execute_index = int(str(told["execute"]))
                    results = told.get("results")
                    self._results += results if isinstance(results, list) else []
                    expect = self._told["expect"]
                    return expect if isinstance(expect, dict) else {}

    def _wire(self, sock: socket.socket, stdio_fds: tuple[int, int, int]) -> None:
        if not self._lending:
            _tell(sock, "wired", stdio_fds)
            return
        self._alive_fd, theirs = os.pipe2(os.O_CLOEXEC)
        _tell(sock, "wired", (*stdio_fds, theirs))
        os.close(theirs)

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
            if self._starter.is_ours:
                process.wait_pidfd(self._pidfd)
            else:
                await_end(self._pidfd)
            os.close(self._pidfd)
        elif self._starter.is_ours:
            self._reap_stillborn()
        for fd in (self._master_fd, self._alive_fd):
            if fd >= 0:
                os.close(fd)

    def _reap_stillborn(self) -> None:
        """A child that was killed before its first word, by the end of the container whose namespaces it entered.

        Nobody knows its pid, and as long as it is not reaped, the container's first process cannot end.
        """
        for pid in process.children() - self._others:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def await_end(pidfd: int) -> None:
    """Of another process's child: whose it is reaps it."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.poll()


def _tell(sock: socket.socket, word: str, fds: Sequence[int] = ()) -> None:
    """A child that has failed is gone already; why, it has said before, and is heard next."""
    try:
        say(sock, word, fds)
    except BrokenPipeError:
        pass


def _verify(pid: int, expect: Mapping[str, Json]) -> None:
    """The kernel's own word on the child: a capability or a filter set by mistake fails open, so look from outside."""
    status = process.read_proc(f"/proc/{pid}/status")
    lines = dict(line.split(b":", 1) for line in status.splitlines() if b":" in line)
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
    sock = spawned.sock
    sock.settimeout(TIMEOUT_S)
    try:
        _tell(sock, "start")
        message = receive(sock) if _has_spoken(spawned) else None
    except ConnectionResetError:
        message = None
    except OSError as error:
        raise StepFailed("handshake", f"no word of the container's execve: {error}") from None
    finally:
        sock.close()
        if spawned.alive_fd >= 0:
            os.close(spawned.alive_fd)
        if spawned.starter is not None:
            spawned.starter.end()
    if message is not None:
        raise failed(json.loads(message.body))


def _has_spoken(spawned: Spawned) -> bool:
    """Waits for the child's last word, or for the end of what only it holds. True where the former is to be read."""
    if spawned.alive_fd < 0:
        return True
    poll = select.poll()
    poll.register(spawned.alive_fd, select.POLLIN)
    poll.register(spawned.sock.fileno(), select.POLLIN)
    ready = poll.poll(TIMEOUT_S * 1000)
    if not ready:
        raise TimeoutError("timed out")
    return any(fd == spawned.sock.fileno() for fd, _ in ready)
