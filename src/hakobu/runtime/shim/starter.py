"""The starter: a process of the shim that brings one child into being, and ends.

It decodes the plan, makes the cgroup and calls clone3, so that all this leaves its traces in a process that is
gone and not in the shim, which lives as long as the container. The child is the shim's (CLONE_PARENT) and
borrows the starter's memory (CLONE_VM and CLONE_VFORK): no page is copied for it, and the starter sleeps in the
kernel until the child executes its program or ends.

Invariant: a starter whose memory was lent never runs again, because its stack is the child's by then. It is killed, or
halted and killed later, before the child may execute or end; a child that has failed waits for that.
"""

import gc
import json
import os
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack

from hakobu.kernel import process, scm
from hakobu.runtime import child as child_process
from hakobu.runtime import steps_device, steps_mount, steps_network, steps_process
from hakobu.runtime.arguments import number, text, texts
from hakobu.runtime.child import Args, Executor
from hakobu.runtime.failure import StepFailed
from hakobu.runtime.handshake import say
from hakobu.runtime.hooks import EXECUTORS as HOOK_EXECUTORS
from hakobu.runtime.idmap import open_idmaps
from hakobu.runtime.message import plan_from_json
from hakobu.runtime.shim import ahead
from hakobu.runtime.shim.confinement import Confinement
from hakobu.runtime.shim.loop import Loop
from hakobu.runtime.steps_process import NAMESPACES
from hakobu.spec.plan import Plan
from hakobu.spec.resources import DEFAULT_DEVICE_RULES, Resources, parse_resources
from hakobu.spec.step import Json, Place, Step

TIME_SWITCHES_AT_EXEC = (6, 3)
"""Before it a task that borrows memory stays in the old time namespace over its execve."""


def _network(name: str) -> Executor:
    executor = steps_network.CHILD[name]

    def run(child: child_process.Child, args: Args) -> None:
        executor(args)

    return run


CHILD_EXECUTORS: dict[str, Executor] = {
    **steps_mount.EXECUTORS,
    **steps_device.EXECUTORS,
    **steps_process.EXECUTORS,
    **HOOK_EXECUTORS,
    **{name: _network(name) for name in steps_network.CHILD},
}


def rehearse() -> None:
    """Decodes a plan that is no plan, as long as a usual one: the memory that takes is then this process's own."""
    args: dict[str, Json] = {"target": "/dev/shm", "type": "tmpfs", "attributes": 14, "data": ["mode=1777", "size=1"]}
    steps: list[Json] = [Step("mount.new", Place.CHILD, args, ("fsopen", "fsmount")).to_json() for _ in range(64)]
    plan = plan_from_json(json.loads(json.dumps({"container_id": "0", "steps": steps}).encode()))
    plan.at(Place.CHILD)
    parse_resources(Resources(devices=DEFAULT_DEVICE_RULES).to_json())


class Starter:
    """The handle of a starter that waits for its work at the other end of `sock`.

    A `sibling` is a child of our parent, and so is what it starts; `is_ours` says who is to reap them. One with
    `ample` time before its work looks at all that it may need.
    """

    def __init__(self, *, sibling: bool = False, ample: bool = False) -> None:
        self.sock, theirs = scm.pair()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.is_ours = not sibling
        self._ended = self._reaped = False
        self.pid = process.clone3_sibling(0, borrow=False) if sibling else os.fork()
        if self.pid == 0:
            _live(theirs, ample=sibling or ample)
        theirs.close()

    def end(self) -> None:
        """Kills it, wherever it is; may be called twice. From here on it runs no instruction, reaped or not."""
        if not self._ended:
            self._ended = True
            os.kill(self.pid, signal.SIGKILL)

    def halt(self) -> None:
        """Stops it before its next instruction, which comes when the child that has its memory executes or ends.

        Its memory stays, and goes when it is killed: the child's execve need not take it down, which takes a
        millisecond.
        """
        os.kill(self.pid, signal.SIGSTOP)

    def reap(self) -> None:
        """Once it was ended; for who has the time. What is not ours, its parent reaps."""
        if self.is_ours and not self._reaped:
            self._reaped = True
            os.waitpid(self.pid, 0)

    def close(self) -> None:
        self.end()
        self.reap()
        self.sock.close()


def _live(sock: socket.socket, *, ample: bool) -> None:
    """Never returns. An exec that was announced comes a moment later: then there is no time to look at everything."""
    try:
        process.set_parent_death_signal(signal.SIGKILL)
        # objects of the shim stay behind in this memory: none of them may be finalised and close a number anew
        gc.disable()
        process.close_all_except({sock.fileno()})
        if ample:
            ahead.look_at(ahead.Use.CHILD)
        rehearse()
        if (message := scm.receive(sock)) is not None:
            _Work(sock, message).do()
    finally:
        os._exit(0)


class _Work:
    """One plan, which comes as a memory file beside the message."""

    def __init__(self, sock: socket.socket, message: scm.Message) -> None:
        self._sock = sock
        self._told: dict[str, Json] = json.loads(message.body)
        plan_fd, *self._given = message.fds
        self._plan = plan_from_json(json.loads(os.pread(plan_fd, os.fstat(plan_fd).st_size, 0)))
        os.close(plan_fd)
        self._failpoint = text(self._told, "failpoint")
        self._confinement = Confinement(Loop(), lambda: None)
        self._results: list[Json] = []

    def do(self) -> None:
        """Never returns where the clone has lent this memory."""
        try:
            index, step = clone_step(self._plan)
            steps = self._plan.at(Place.SHIM)
            for before in (s for s in steps if s[0] < index):
                self._run(*before)
            with ExitStack() as stack:
                self._clone(index, step, [s for s in steps if s[0] > index], stack)
        except StepFailed as failure:
            self._confinement.remove()
            say(self._sock, "failed", step=failure.step, reason=failure.message, exit_code=failure.exit_code)

    def _run(self, index: int, step: Step) -> None:
        started = time.monotonic_ns()
        self._fail_where_armed(step)
        try:
            if step.name != "cgroup.create":
                raise StepFailed(step.name, f"{step.name} has no place before the clone")
            self._confinement.create(step.args, 0)
        except OSError as error:
            about = text(step.args, "path")
            raise StepFailed(step.name, f"{step.name} {about}: {error.strerror or error}") from error
        self._results.append([index, started, time.monotonic_ns() - started])

    def _clone(self, index: int, step: Step, after: list[tuple[int, Step]], stack: ExitStack) -> None:
        self._fail_where_armed(step)
        child = child_process.Child(
            sock=self._sock,
            rows=number(self._told, "rows"),
            columns=number(self._told, "columns"),
            failpoint=self._failpoint,
            hooked=any(s.name == "hooks.run" for _, s in after),
        )
        if self._told.get("gated"):
            child.gate_fd, child.failure_fd, *self._given = self._given
        child.preserved = tuple(self._given)
        try:
            child.idmaps = open_idmaps(self._plan)
            flags, joins = self._namespaces(step, child, stack)
            child.join_fds, cgroup_fd = self._open_cgroup(step)
        except OSError as error:
            raise StepFailed(step.name, f"{step.name}: {error.strerror or error}") from error
        steps: list[Json] = [[i, s.to_json()] for i, s in after]
        say(self._sock, "cloning", steps=steps, cgroup=self._cgroup_path(), expect=expectations(self._plan))
        started = time.monotonic_ns()
        try:
            pid = process.clone3_sibling(flags, cgroup_fd=cgroup_fd, borrow=child.borrowed)
        except OSError as error:
            raise StepFailed(step.name, f"{step.name}: {error.strerror or error}") from error
        if pid:
            os._exit(0)
        self._results.append([index, started, time.monotonic_ns() - started])
        child_process.be_born(child, {NAMESPACES[kind]: fd for kind, fd in joins.items()})
        child_process.run(child, self._plan, CHILD_EXECUTORS, self._results)

    def _namespaces(self, step: Step, child: child_process.Child, stack: ExitStack) -> tuple[int, dict[str, int]]:
        """Flags of the clone, and what the child joins itself. pid and time are joined here: children follow."""
        if step.name == "namespaces.join":
            return self._enter(step, child, stack)
        flags = sum(NAMESPACES[t] for t in texts(step.args, "new"))
        if any(s.name == "namespaces.cgroup" for _, s in self._plan.at(Place.CHILD)):
            flags &= ~process.CLONE_NEWCGROUP
        joins = _open_joins(step, stack)
        # what is new besides must be owned by the user namespace that is joined, so that comes first and here
        child.enters_userns = "user" in joins
        for kind in ("user", "pid", "time"):
            if kind in joins:
                process.setns(joins.pop(kind), NAMESPACES[kind])
        child.userns = bool(flags & process.CLONE_NEWUSER)
        child.borrowed = not flags & process.CLONE_NEWTIME or _kernel() >= TIME_SWITCHES_AT_EXEC
        offsets = step.args.get("time_offsets")
        if isinstance(offsets, dict) and offsets:
            flags &= ~process.CLONE_NEWTIME
            child.borrowed = False
            _unshare_time(offsets)
        return flags, joins

    def _enter(self, step: Step, child: child_process.Child, stack: ExitStack) -> tuple[int, dict[str, int]]:
        """An exec: the child enters all others by the pidfd of the container's init, its root looked at before."""
        init = number(self._told, "init_pid")
        child.root_fd = os.open(f"/proc/{init}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        child.init_pidfd = process.pidfd_open(init)
        types = texts(step.args, "types")
        for kind in ("pid", "time"):
            if kind in types:
                fd = os.open(f"/proc/{init}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
                stack.callback(os.close, fd)
                process.setns(fd, NAMESPACES[kind])
        child.borrowed = True
        return 0, {}

    def _open_cgroup(self, step: Step) -> tuple[tuple[int, ...], int]:
        """v2: the clone puts the child into it; v1: the child joins by these, without an RCU wait."""
        if step.name == "namespaces.join" and (path := text(step.args, "cgroup")):
            self._confinement.adopt(path)
        clone_fd, join_fds = self._confinement.open_for_clone()
        return join_fds, clone_fd

    def _cgroup_path(self) -> str:
        return next((text(s.args, "path") for s in self._plan.steps if s.name == "cgroup.create"), "")

    def _fail_where_armed(self, step: Step) -> None:
        if self._failpoint and self._failpoint == step.name:
            raise StepFailed(step.name, f"failpoint {step.name}")


def clone_step(plan: Plan) -> tuple[int, Step]:
    for index, step in plan.at(Place.SHIM):
        if step.name in ("namespaces.clone", "namespaces.join"):
            return index, step
    raise StepFailed("namespaces.clone", "the plan has no clone")


def expectations(plan: Plan) -> dict[str, Json]:
    """What /proc/<pid>/status must say of the child before it may execute, by its keys; numbers."""
    expect: dict[str, Json] = {}
    for step in plan.steps:
        if step.name == "capabilities.set":
            expect |= {"CapBnd": number(step.args, "bounding"), "CapInh": number(step.args, "inheritable")}
        elif step.name == "seccomp.install":
            expect["Seccomp"] = 2
        elif step.name == "privileges.freeze":
            expect["NoNewPrivs"] = 1
    return expect


def _open_joins(step: Step, stack: ExitStack) -> dict[str, int]:
    joins = step.args.get("join")
    opened: dict[str, int] = {}
    for kind, path in joins.items() if isinstance(joins, dict) else ():
        try:
            opened[kind] = os.open(str(path), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise StepFailed("namespaces.clone", f"joining {kind} namespace {path}: {error.strerror}") from None
        stack.callback(os.close, opened[kind])
    return opened


def _unshare_time(offsets: Mapping[str, Json]) -> None:
    """Once a process has entered a time namespace its offsets are fixed, so they are written before the clone."""
    process.unshare(process.CLONE_NEWTIME)
    lines = [f"{clock} {v[0]} {v[1]}\n" for clock, v in offsets.items() if isinstance(v, list)]
    fd = os.open("/proc/self/timens_offsets", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, "".join(lines).encode())
    finally:
        os.close(fd)


def _kernel() -> tuple[int, int]:
    major, minor, *_ = os.uname().release.split("-", 1)[0].split(".")
    return int(major), int(minor)
