"""The process between clone3 and execve: it carries out the CHILD steps of its plan, and nothing else.

Invariant: it never returns into the shim's code; whatever happens it ends in execve or `_exit`. What it reads
of a container it reads through descriptors from outside, before the root is entered; from then on it only
calls the kernel. Nothing may be imported here: every module its steps use is loaded by the launcher.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence

from hakobu.kernel import process
from hakobu.runtime.failure import ProgramNotFound, UserNotFound
from hakobu.runtime.handshake import hear, hear_plainly, say, say_plainly
from hakobu.runtime.passwd import Identity
from hakobu.spec.dataclass import dataclass, field
from hakobu.spec.plan import Plan
from hakobu.spec.step import Json, Place, Step

Args = Mapping[str, Json]


@dataclass(slots=True)
class Child:
    """What steps hand on to later steps. `root_fd` is the container's root, seen from outside until the pivot.

    `gate_fd` is a FIFO (open both ways) whose first byte lets the process go, once it was told to start; a failure
    behind it is written to `failure_fd`. `preserved` become descriptors from 3 on, `alive_fds` end with the execve.
    `idmaps` are user namespaces by the index of the mount step they are for. `index` is the step at work.
    """

    sock: socket.socket
    root_fd: int = -1
    root_place: str = ""
    null_fd: int = -1
    empty_fd: int = -1
    identity: Identity | None = None
    terminal: bool = False
    slave_fd: int = -1
    stdio: tuple[int, int, int] = (-1, -1, -1)
    alive_fds: tuple[int, ...] = ()
    columns: int = 0
    rows: int = 0
    init_pidfd: int = -1
    userns: bool = False
    wired: bool = False
    hooked: bool = False
    borrowed: bool = False
    enters_userns: bool = False
    join_fds: tuple[int, ...] = ()
    gate_fd: int = -1
    failure_fd: int = -1
    listener_fd: int = -1
    preserved: tuple[int, ...] = ()
    idmaps: dict[int, int] = field(default_factory=dict[int, int])
    index: int = -1
    program: str = ""
    failpoint: str = ""


_AFTER_HOOKS = frozenset({"root.pivot", "hooks.run"})
"""What the runtime's own hooks come before, where there are any: the pivot, and the container's hooks."""
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
Executor = Callable[[Child, Args], None]
_WIRED = frozenset({"link.up", "addr.add", "route.add", "rate.limit", "sysctl.interface", "link.rename", "stdio.take"})
"""Steps that use what comes with the shim's word: interfaces, and the descriptors that become 0, 1 and 2."""


def be_born(child: Child, joins: Mapping[int, int]) -> None:
    """The first that happens in it. `joins` maps CLONE_NEW* to descriptors of namespaces."""
    process.set_dumpable(False)
    process.set_parent_death_signal(9)
    say(child.sock, "born")
    try:
        for kind, fd in joins.items():
            process.setns(fd, kind)
    except OSError as error:
        _report(child, Step("namespaces.clone", Place.CHILD), -1, error)
        _end(child)


def run(child: Child, plan: Plan, executors: Mapping[str, Executor], results: list[Json]) -> None:
    """Never returns. `results` of what came before are told with its own."""
    index = -1
    step = Step("start", Place.CHILD)
    try:
        if child.userns:
            hear(child.sock, "mapped")
        if child.userns or child.enters_userns:
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
        steps = plan.at(Place.CHILD)
        held = _held(steps)
        for index, step in steps:
            child.index = index
            if index == held:
                _await_wiring(child)
                _tell_prepared(child, results, steps[-1][0])
                hear_plainly(child.sock, "start")
                _await_gate(child)
            if step.name in _WIRED or (child.hooked and step.name in _AFTER_HOOKS):
                _await_wiring(child)
            if child.failpoint and child.failpoint == step.name:
                raise OSError(5, "failpoint", step.name)
            started = time.monotonic_ns()
            executors[step.name](child, step.args)
            results.append([index, started, time.monotonic_ns() - started])
        raise OSError(22, "the plan has no program to execute")
    except BaseException as error:  # the stream may be gone as well: then there is nobody to tell
        _report(child, step, index, error)
    finally:
        _end(child)


def _held(steps: Sequence[tuple[int, Step]]) -> int:
    """The first step that belongs to the start: startContainer hooks where there are any, else the program."""
    for index, step in steps:
        if step.name == "hooks.run" and step.args.get("kind") == "start_container":
            return index
    return steps[-1][0]


def _tell_prepared(child: Child, results: list[Json], execute: int) -> None:
    if child.listener_fd >= 0:
        say(child.sock, "prepared", (child.listener_fd,), results=results, execute=execute)
    else:
        say_plainly(child.sock, "prepared", results=results, execute=execute)


def _await_gate(child: Child) -> None:
    """A filter may be on by now: these calls, `write` for a failure and execve are all that is left."""
    if child.gate_fd >= 0:
        for ending in _ENDING:
            try:
                signal.signal(ending, _leave)  # the kernel shields a namespace's init from what has no handler
            except OSError:
                break
        os.read(child.gate_fd, 1)


def _leave(number: int, _: object) -> None:
    os._exit(128 + number)


def _end(child: Child) -> None:
    """Not before the other side has let go: until then a starter may sleep whose memory this is."""
    try:
        while os.read(child.sock.fileno(), 1 << 16):
            pass
    finally:
        os._exit(127)


def _await_wiring(child: Child) -> None:
    """The shim's part must be done before an interface is touched, or before the child says that it is ready."""
    if not child.wired:
        _, (stdin, stdout, stderr, *alive), _ = hear(child.sock, "wired")
        child.stdio = (stdin, stdout, stderr)
        child.alive_fds = tuple(alive)
        child.wired = True


def _report(child: Child, step: Step, index: int, error: BaseException) -> None:
    code, kind = 128, "internal"
    if isinstance(error, ProgramNotFound):
        code, text = error.exit_code, str(error)
    elif isinstance(error, UserNotFound):
        code, text, kind = 126, str(error), "invalid"
    elif isinstance(error, OSError):
        what = f": {error.filename!r}" if error.filename else ""
        text = f"{step.name}{_about(step)}: {error.strerror or error}{what}"
    else:
        text = f"{step.name}: {type(error).__name__}: {error}"
    if child.failure_fd >= 0:
        os.write(child.failure_fd, json.dumps({"step": step.name, "reason": text, "exit_code": code}).encode())
    try:
        say_plainly(child.sock, "failed", step=step.name, index=index, reason=text, exit_code=code, kind=kind)
    except BaseException:
        pass


def _about(step: Step) -> str:
    for key in ("target", "path", "name", "source", "type"):
        value = step.args.get(key)
        if isinstance(value, str) and value:
            return f" {value}"
    return ""
