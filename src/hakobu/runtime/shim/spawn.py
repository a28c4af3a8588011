"""The shim's half of a start: clones the child into its namespaces and goes through the handshake with it.

Single-threaded and blocking: between clone3 and `prepared` the shim has nothing else to do for an init, and a
few milliseconds for an exec. The column on the left of `runtime/handshake.py`.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from hakobu.kernel import process, scm
from hakobu.runtime import child as child_process
from hakobu.runtime import steps_mount, steps_network, steps_process
from hakobu.runtime.failure import StepFailed
from hakobu.runtime.handshake import HandshakeBroken, hear, receive, say
from hakobu.runtime.hooks import EXECUTORS as HOOK_EXECUTORS
from hakobu.runtime.shim.confinement import Confinement
from hakobu.runtime.steps_mount import text, texts
from hakobu.runtime.steps_process import NAMESPACES
from hakobu.spec.plan import Plan, Stdio
from hakobu.spec.step import Json, Place, Step

Args = Mapping[str, Json]
TIMEOUT_S = 120.0


def _network(executor: Callable[[Args], None]) -> child_process.Executor:
    def run(child: child_process.Child, args: Args) -> None:
        executor(args)

    return run


CHILD_EXECUTORS: dict[str, child_process.Executor] = {
    **steps_mount.EXECUTORS,
    **steps_process.EXECUTORS,
    **HOOK_EXECUTORS,
    **{name: _network(run) for name, run in steps_network.CHILD.items()},
}


@dataclass(slots=True)
class Spawned:
    """A child that waits before its execve. `result` rows are (index, started_ns, took_ns)."""

    pid: int
    pidfd: int
    sock: socket.socket
    master_fd: int = -1
    results: list[Json] = field(default_factory=list[Json])


class Spawner:
    """Carries out a plan up to the point before execve. `shim_steps` executes steps of the shim by name."""

    def __init__(
        self,
        plan: Plan,
        stdio: Stdio,
        stdio_fds: tuple[int, int, int],
        shim_steps: Mapping[str, Callable[[Args, int], None]],
        *,
        failpoint: str = "",
        init_pid: int = 0,
        confinement: Confinement,
    ) -> None:
        self._confinement = confinement
        self._plan, self._stdio, self._fds, self._shim_steps = plan, stdio, stdio_fds, shim_steps
        self._failpoint, self._init_pid = failpoint, init_pid
        self._results: list[Json] = []
        self._master_fd = -1
        self._cgroup_fd = -1
        self._join_fds: tuple[int, ...] = ()

    def spawn(self) -> Spawned:
        """Raises `StepFailed`; then nothing of the child is left."""
        clone_index, clone = self._clone_step()
        before = [(i, s) for i, s in self._plan.at(Place.SHIM) if i < clone_index]
        after = [(i, s) for i, s in self._plan.at(Place.SHIM) if i > clone_index]
        for index, step in before:
            self._run(index, step, 0)
        ours, theirs = scm.pair()
        with ExitStack() as on_failure, ExitStack() as stack:
            on_failure.callback(ours.close)
            self._open_cgroup(stack)
            stack.callback(theirs.close)
            self._fail_where_armed(clone)
            started = time.monotonic_ns()
            try:
                pid, pidfd = self._clone(clone, theirs, stack)
            except OSError as error:
                raise StepFailed(clone.name, f"{clone.name}: {error.strerror or error}") from error
            self._results.append([clone_index, started, time.monotonic_ns() - started])
            on_failure.pop_all()
        ours.settimeout(TIMEOUT_S)
        try:
            self._converse(ours, pid, after)
        except BaseException as error:
            self._end(pidfd, ours)
            if isinstance(error, StepFailed):
                raise
            raise StepFailed("handshake", f"the container's first process ended early: {error}") from None
        return Spawned(pid, pidfd, ours, self._master_fd, self._results)

    def _clone_step(self) -> tuple[int, Step]:
        for index, step in self._plan.at(Place.SHIM):
            if step.name in ("namespaces.clone", "namespaces.join"):
                return index, step
        raise StepFailed("namespaces.clone", "the plan has no clone")

    def _clone(self, step: Step, sock: socket.socket, stack: ExitStack) -> tuple[int, int]:
        if step.name == "namespaces.join":
            return self._clone_into(step, sock, stack)
        flags = sum(NAMESPACES[t] for t in texts(step.args, "new"))
        joins = self._open_joins(step, stack)
        if self._late_cgroup_namespace():
            flags &= ~process.CLONE_NEWCGROUP
        with _PidNamespace(joins.pop("pid", -1)):
            pid, pidfd = process.clone3(flags, cgroup_fd=self._cgroup_fd)
            if pid == 0:
                self._child(sock, userns=bool(flags & process.CLONE_NEWUSER), joins=joins)
        return pid, pidfd

    def _clone_into(self, step: Step, sock: socket.socket, stack: ExitStack) -> tuple[int, int]:
        """An exec: the pid namespace by the clone, the others by the child itself, its root looked at before."""
        init = self._init_pid
        root_fd = os.open(f"/proc/{init}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        stack.callback(os.close, root_fd)
        init_pidfd = process.pidfd_open(init)
        stack.callback(os.close, init_pidfd)
        pid_fd = -1
        if "pid" in texts(step.args, "types"):
            pid_fd = os.open(f"/proc/{init}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, pid_fd)
        with _PidNamespace(pid_fd):
            pid, pidfd = process.clone3(0, cgroup_fd=self._cgroup_fd)
            if pid == 0:
                self._child(sock, root_fd=root_fd, init_pidfd=init_pidfd)
        return pid, pidfd

    def _open_cgroup(self, stack: ExitStack) -> None:
        """v2: the clone puts the child into it; v1: the child joins by these, without an RCU wait."""
        self._cgroup_fd, self._join_fds = self._confinement.open_for_clone()
        for fd in (self._cgroup_fd, *self._join_fds):
            if fd >= 0:
                stack.callback(os.close, fd)

    def _late_cgroup_namespace(self) -> bool:
        return any(s.name == "namespaces.cgroup" for _, s in self._plan.at(Place.CHILD))

    def _open_joins(self, step: Step, stack: ExitStack) -> dict[str, int]:
        joins = step.args.get("join")
        opened: dict[str, int] = {}
        for kind, path in joins.items() if isinstance(joins, dict) else ():
            try:
                opened[kind] = os.open(str(path), os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise StepFailed("namespaces.clone", f"joining {kind} namespace {path}: {error.strerror}") from None
            stack.callback(os.close, opened[kind])
        return opened

    def _child(
        self,
        sock: socket.socket,
        *,
        userns: bool = False,
        joins: Mapping[str, int] | None = None,
        root_fd: int = -1,
        init_pidfd: int = -1,
    ) -> None:
        """Never returns."""
        try:
            process.set_dumpable(False)
            for kind, fd in (joins or {}).items():
                process.setns(fd, NAMESPACES[kind])
            child_process.run(
                child_process.Child(
                    sock=sock,
                    root_fd=root_fd,
                    init_pidfd=init_pidfd,
                    stdio=self._fds,
                    join_fds=self._join_fds,
                    rows=self._stdio.rows,
                    columns=self._stdio.columns,
                    userns=userns,
                    failpoint=self._failpoint,
                ),
                self._plan,
                CHILD_EXECUTORS,
            )
        finally:
            os._exit(127)

    def _converse(self, sock: socket.socket, pid: int, steps: list[tuple[int, Step]]) -> None:
        poststart = [(i, s) for i, s in steps if s.name == "hooks.run" and s.args.get("kind") == "poststart"]
        for index, step in steps:
            if (index, step) not in poststart:
                self._run(index, step, pid)
                if step.name == "idmap.write":
                    _tell(sock, "mapped")
        _tell(sock, "wired")
        while True:
            told, fds = hear(sock, "console", "prepared", "failed")
            match told["say"]:
                case "console":
                    self._master_fd = fds[0]
                case "failed":
                    raise failed(told)
                case _:
                    rows = told.get("results")
                    self._results += rows if isinstance(rows, list) else []
                    return

    def _run(self, index: int, step: Step, pid: int) -> None:
        started = time.monotonic_ns()
        self._fail_where_armed(step)
        try:
            self._shim_steps[step.name](step.args, pid)
        except OSError as error:
            about = text(step.args, "path") or text(step.args, "host")
            raise StepFailed(step.name, f"{step.name} {about}: {error.strerror or error}") from error
        self._results.append([index, started, time.monotonic_ns() - started])

    def _fail_where_armed(self, step: Step) -> None:
        if self._failpoint and self._failpoint == step.name:
            raise StepFailed(step.name, f"failpoint {step.name}")

    def _end(self, pidfd: int, sock: socket.socket) -> None:
        try:
            process.pidfd_send_signal(pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait_pidfd(pidfd)
        os.close(pidfd)
        sock.close()
        if self._master_fd >= 0:
            os.close(self._master_fd)


def _tell(sock: socket.socket, word: str) -> None:
    """A child that has failed is gone already; why, it has said before, and is heard next."""
    try:
        say(sock, word)
    except BrokenPipeError:
        pass


class _PidNamespace:
    """For the time of one clone, children are born in another pid namespace. -1: in our own."""

    def __init__(self, fd: int) -> None:
        self._fd, self._own_fd = fd, -1

    def __enter__(self) -> None:
        if self._fd >= 0:
            self._own_fd = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
            process.setns(self._fd, process.CLONE_NEWPID)

    def __exit__(self, *error: object) -> None:
        if self._own_fd >= 0:
            process.setns(self._own_fd, process.CLONE_NEWPID)
            os.close(self._own_fd)


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
