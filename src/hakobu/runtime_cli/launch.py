"""Bringing a process to the point before its execve, by the engine's own spawner and starter.

The command's process stands where the engine has a preparer: it makes the starter, goes through the handshake
(`runtime/handshake.py`), and either leaves the child at the gate (`create`) or lets it go (`run`, `exec`).
"""

import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence

from hakobu.kernel import audit, scm
from hakobu.runtime.failure import StepFailed
from hakobu.runtime.handshake import say
from hakobu.runtime.hooks import STATUS, run_hooks
from hakobu.runtime.idmap import write_id_maps
from hakobu.runtime.message import plan_to_json
from hakobu.runtime.net_device import link_give
from hakobu.runtime.shim.spawn import Spawned, Spawner, release
from hakobu.runtime.shim.starter import Starter
from hakobu.runtime_cli.context import Failed
from hakobu.runtime_cli.planning import Filter
from hakobu.spec.dataclass import dataclass
from hakobu.spec.plan import Plan, Stdio
from hakobu.spec.step import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """`gate` and `preserved` as the spawner has them; `console` is the path of a console socket, or empty.

    `meanwhile` hears the pid while the child mounts. `state` is what a seccomp agent is told of the container.
    """

    plan: Plan
    stdio: Stdio
    filter: Filter
    state: Callable[[int], dict[str, Json]]
    gate: Sequence[int] = ()
    preserved: Sequence[int] = ()
    init_pid: int = 0
    console: str = ""
    meanwhile: Callable[[int], None] | None = None


def bring_up(start: Start) -> Spawned:
    """The child waits before its execve. Raises `StepFailed`; then nothing of it is left."""
    # a child in a user namespace may find the interpreter's files closed to it
    audit.touch_codecs()
    plan_fd = scm.sealed_memfd("plan", json.dumps(plan_to_json(start.plan)).encode())
    spawner = Spawner(
        Starter(),
        plan_fd,
        start.stdio,
        {"idmap.write": write_id_maps, "link.give": link_give, "hooks.run": _run_hooks},
        init_pid=start.init_pid,
        gate=start.gate,
        preserved=start.preserved,
    )
    try:
        spawner.begin()
        meanwhile = start.meanwhile
        spawned = spawner.spawn((0, 1, 2), meanwhile=lambda pid, _: meanwhile(pid) if meanwhile else None)
    except BaseException:
        spawner.abandon()
        raise
    finally:
        os.close(plan_fd)
    try:
        _hand_over(spawned, start)
    except (OSError, Failed):
        stop(spawned)
        raise
    return spawned


def _run_hooks(args: Mapping[str, Json], pid: int) -> None:
    run_hooks(args, {"status": STATUS.get(str(args.get("kind")), "creating"), "pid": pid})


def _hand_over(spawned: Spawned, start: Start) -> None:
    """The terminal's master and the filter's descriptor to those who wait for them on sockets."""
    if start.console:
        send_console(start.console, spawned.master_fd)
        os.close(spawned.master_fd)
        spawned.master_fd = -1
    if start.filter.listener_path:
        _send_listener(spawned, start)


def send_console(path: str, master_fd: int) -> None:
    with _connect(path, "console socket") as sock:
        socket.send_fds(sock, [b"/dev/ptmx"], [master_fd])


def _send_listener(spawned: Spawned, start: Start) -> None:
    """The container's process state of the specification, with the descriptor beside it."""
    told: dict[str, Json] = {
        "ociVersion": start.state(spawned.pid)["ociVersion"],
        "fds": ["seccompFd"],
        "pid": spawned.pid,
        "metadata": start.filter.metadata,
        "state": start.state(spawned.pid),
    }
    with _connect(start.filter.listener_path, "seccomp listener") as sock:
        socket.send_fds(sock, [json.dumps(told).encode()], [spawned.listener_fd])
    os.close(spawned.listener_fd)


def _connect(path: str, what: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    directory_fd = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # by the directory's descriptor: an address takes 107 bytes, a path may be longer
        sock.connect(f"/proc/self/fd/{directory_fd}/{os.path.basename(path)}")
    except OSError as error:
        sock.close()
        raise Failed(f"{what} {path}: {error.strerror}") from None
    finally:
        os.close(directory_fd)
    return sock


def leave_at_gate(spawned: Spawned) -> None:
    """From here on `start` is what lets it go, and this process no longer matters to it."""
    say(spawned.sock, "start")
    spawned.sock.close()


def let_go(spawned: Spawned) -> None:
    """Returns when the execve has succeeded; raises `StepFailed` when it has not, and the child is gone."""
    try:
        release(spawned)
    except StepFailed:
        stop(spawned)
        raise


def stop(spawned: Spawned) -> None:
    """Kills the child and takes its status."""
    spawned.sock.close()
    try:
        os.kill(spawned.pid, 9)
        os.waitpid(spawned.pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
