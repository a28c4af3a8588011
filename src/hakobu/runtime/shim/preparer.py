"""The preparer: a process of the shim that brings the container to the point before its execve, and ends.

It hears the daemon's `create`, goes through the handshake with starter and child, answers the daemon, and hands what
is to be held (the child, its streams, its ports) to the shim in one message. All that this touches stays behind in a
process that is gone; the shim, which lives as long as the container, has not run a line of it.

Invariant: one of the two reads the daemon's socket at any time: the preparer until it has answered `create`, the shim
from the hand-over on. A preparer that ends without one has made nothing that is still there.
"""

import gc
import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import cast

from hakobu.kernel import process, scm
from hakobu.runtime import steps_network
from hakobu.runtime.failure import StepFailed
from hakobu.runtime.hooks import run_hooks
from hakobu.runtime.idmap import write_id_maps
from hakobu.runtime.message import PROTOCOL, Message, decode, encode, error_to_json, stdio_from_json, steps_to_json
from hakobu.runtime.shim import record
from hakobu.runtime.shim.ahead import look_at, objects_of
from hakobu.runtime.shim.confinement import Confinement
from hakobu.runtime.shim.log import LogFile, open_log
from hakobu.runtime.shim.loop import Loop
from hakobu.runtime.shim.ports import Ports
from hakobu.runtime.shim.spawn import Spawned, Spawner
from hakobu.runtime.shim.starter import Starter
from hakobu.runtime.shim.streams import Ends, open_ends
from hakobu.spec.plan import Stdio
from hakobu.spec.step import Json

Args = Mapping[str, Json]
ShimSteps = Mapping[str, Callable[[Args, int], None]]


USED: list[object] = []
"""What a preparer looks at; filled by the launcher."""

_MODULES = (
    "array", "errno", "json", "json.decoder", "json.encoder", "os", "select", "signal", "socket", "struct", "time",
    "builtins", "hakobu.kernel.libc", "hakobu.kernel.netlink", "hakobu.kernel.process", "hakobu.kernel.rtnetlink",
    "hakobu.kernel.scm", "hakobu.runtime.failure", "hakobu.runtime.handshake", "hakobu.runtime.message",
    "hakobu.runtime.shim.log", "hakobu.runtime.shim.loop", "hakobu.runtime.shim.ports",
    "hakobu.runtime.shim.preparer", "hakobu.runtime.shim.record", "hakobu.runtime.shim.spawn",
    "hakobu.runtime.shim.starter", "hakobu.runtime.shim.streams", "hakobu.runtime.steps_mount",
    "hakobu.runtime.steps_network", "hakobu.spec.plan", "hakobu.spec.step",
)  # fmt: skip


def find_used() -> None:
    """Once, by the launcher, when everything is imported."""
    USED[:] = objects_of(_MODULES)


class Preparer:
    """The shim's handle: `sock` brings the hand-over, or its end where there is none. `pids` are to be reaped."""

    def __init__(self, control: socket.socket) -> None:
        self.sock, theirs = scm.pair()
        starter = Starter()
        pid = os.fork()
        if pid == 0:
            _live(control, theirs, starter)
        theirs.close()
        starter.sock.close()
        self.pids = (pid, starter.pid)


def _live(control: socket.socket, to_shim: socket.socket, starter: Starter) -> None:
    """Never returns."""
    try:
        process.set_parent_death_signal(signal.SIGKILL)
        gc.disable()  # objects of the shim stay behind in this memory: none may be finalised and close a number anew
        process.close_all_except({0, 1, 2, control.fileno(), to_shim.fileno(), starter.sock.fileno()})
        look_at(USED)
        prepare(control, to_shim, starter)
    finally:
        os._exit(0)


def prepare(control: socket.socket, to_shim: socket.socket, starter: Starter) -> None:
    """Hears one request and carries it out; returns at once where the daemon has gone."""
    control.setblocking(True)
    try:
        message = scm.receive(control)
    except OSError:
        return
    if message is not None:
        _Preparation(control, to_shim, starter, message).do()


class _Preparation:
    """One `create`. Its descriptors: the plan's memory file, then one for each attachment."""

    def __init__(self, control: socket.socket, to_shim: socket.socket, starter: Starter, message: scm.Message) -> None:
        self._control, self._to_shim, self._starter = control, to_shim, starter
        self._fds = message.fds
        self._request = decode(message.body)
        self._id = str(self._request.get("container_id"))
        self._ports = Ports(Loop())
        self._stdio = stdio_from_json(self._request["stdio"]) if "stdio" in self._request else Stdio()
        self._dir_fd = -1
        self._log: LogFile | None = None
        self._ends: Ends | None = None
        self._listener: socket.socket | None = None
        self._start_time_ticks = 0

    def do(self) -> None:
        answer: Message = {"re": self._request.get("id")}
        spawned: Spawned | None = None
        try:
            answer["ok"], spawned = self._create()
        except StepFailed as failure:
            answer["error"] = error_to_json(failure)
        except OSError as error:
            reason = f"create: {error.strerror or error}"
            answer["error"] = {"step": "create", "reason": reason, "exit_code": 128, "kind": "internal"}
        try:
            scm.send(self._control, encode(answer))
        except OSError:
            pass  # a daemon that died in this moment will find the shim and ask anew
        if spawned is not None:
            self._hand_over(spawned)
        self._close()

    def _create(self) -> tuple[Json, Spawned]:
        request = self._request
        if request.get("op") != "create":
            raise StepFailed("create", f"nothing was created that could {request.get('op')}")
        failpoint = str(request.get("failpoint") or "")
        spawner = Spawner(self._starter, self._fds[0], self._stdio, self._steps(), failpoint=failpoint)
        spawner.begin()
        try:
            self._dir_fd = os.open(str(request["directory"]), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._log = open_log(self._stdio.log)
            self._ends = open_ends(self._stdio)
            spawned = spawner.spawn(
                self._ends.theirs, meanwhile=lambda pid, pidfd: self._meanwhile(pid, pidfd, spawner)
            )
        except BaseException:
            spawner.abandon()
            self._ports.close()
            confinement = Confinement(Loop(), lambda: None)
            confinement.adopt(spawner.cgroup)
            confinement.remove()
            raise
        ok: Message = {
            "pid": spawned.pid,
            "start_time_ticks": self._start_time_ticks,
            "shim_pid": os.getppid(),
            "ports": cast("Json", self._ports.reserved),
            "results": spawned.results,
            "protocol": PROTOCOL,
        }
        return ok, spawned

    def _meanwhile(self, pid: int, pidfd: int, spawner: Spawner) -> None:
        """While the child mounts: what a later daemon finds the container by, and most of the hand-over."""
        try:
            self._listener = scm.listen_at(self._dir_fd, record.SOCKET)
            self._write_state(pid)
        except OSError as error:
            raise StepFailed("state.write", f"{self._request['directory']}: {error.strerror or error}") from error
        self._tell_shim(pid, pidfd, spawner.cgroup)

    def _write_state(self, pid: int) -> None:
        self._start_time_ticks = process.start_time_ticks(pid)
        facts: Message = {
            "container_id": self._id,
            "pid": pid,
            "start_time_ticks": self._start_time_ticks,
            "shim_pid": os.getppid(),
            "boot_id": record.boot_id(),
            "protocol": PROTOCOL,
        }
        record.write(self._dir_fd, record.STATE, facts, durable=False)

    def _tell_shim(self, pid: int, pidfd: int, cgroup: str) -> None:
        """The descriptors in the order in which `Shim._hold` takes them."""
        assert self._listener is not None and self._ends is not None
        ends, log = self._ends, self._log
        facts: Message = {
            "container_id": self._id,
            "pid": pid,
            "start_time_ticks": self._start_time_ticks,
            "cgroup": cgroup,
            "stdio": self._request["stdio"],
            "attachments": self._request.get("attachments"),
            "ports": self._ports.told(),
            "reserved": cast("Json", self._ports.reserved),
            "outputs": cast("Json", list(ends.outputs.values())),
            "input": ends.input_fd >= 0,
            "log": log is not None,
        }
        fds = [self._dir_fd, self._listener.fileno(), pidfd, self._starter.sock.fileno(), *ends.outputs]
        fds += [ends.input_fd] if ends.input_fd >= 0 else []
        fds += [log.fileno()] if log is not None else []
        fds += self._ports.filenos()
        fds += self._fds[1:]
        scm.send(self._to_shim, encode(facts), fds)

    def _hand_over(self, spawned: Spawned) -> None:
        facts: Message = {"execute_index": spawned.execute_index, "late": steps_to_json(spawned.late)}
        scm.send(self._to_shim, encode(facts), [spawned.master_fd] if spawned.master_fd >= 0 else [])
        os.close(spawned.pidfd)
        if spawned.master_fd >= 0:
            os.close(spawned.master_fd)

    def _close(self) -> None:
        """At once: as long as the child's ends are open here as well, its output has no end."""
        if self._ends is not None:
            self._ends.close()
        self._ports.close()
        for held in (self._listener, self._log, self._starter.sock):
            if held is not None:
                held.close()
        for fd in (*self._fds, *((self._dir_fd,) if self._dir_fd >= 0 else ())):
            os.close(fd)

    def _steps(self) -> ShimSteps:
        return {
            **steps_network.SHIM,
            "port.reserve": self._ports.reserve,
            "idmap.write": write_id_maps,
            "hooks.run": lambda args, pid: hook_step(self._id, args, pid),
        }


def hook_step(container_id: str, args: Args, pid: int) -> None:
    """The state that a hook reads on its stdin is that of the runtime specification."""
    run_hooks(args, {"id": container_id, "status": "creating", "pid": pid, "bundle": ""})
