"""Bringing a container to the point before its execve, in its shim's first server.

Hears the daemon's `create`, goes through the handshake with starter and child, writes `state`, answers the daemon,
and leaves what is to be held from then on as one value.

Invariant: a preparation that fails has made nothing that is still there.
"""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from hakobu.kernel import process, scm
from hakobu.runtime import steps_network
from hakobu.runtime.failure import StepFailed
from hakobu.runtime.hooks import run_hooks
from hakobu.runtime.idmap import write_id_maps
from hakobu.runtime.message import (
    PROTOCOL,
    Message,
    attachment_from_json,
    decode,
    encode,
    error_to_json,
    stdio_from_json,
)
from hakobu.runtime.shim import record
from hakobu.runtime.shim.confinement import Confinement
from hakobu.runtime.shim.held import Held
from hakobu.runtime.shim.log import LogFile, open_log
from hakobu.runtime.shim.loop import Loop
from hakobu.runtime.shim.ports import Ports
from hakobu.runtime.shim.spawn import Spawned, Spawner
from hakobu.runtime.shim.starter import Starter
from hakobu.runtime.shim.streams import Ends, open_ends
from hakobu.spec.plan import Attachment, Stdio
from hakobu.spec.step import Json

Args = Mapping[str, Json]
ShimSteps = Mapping[str, Callable[[Args, int], None]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A container whose first process waits: what is held of it, who is attached to it from the beginning."""

    held: Held
    spawned: Spawned
    starter: Starter
    attachments: tuple[Attachment, ...]


def prepare(control: socket.socket, starter: Starter) -> Prepared | None:
    """Hears one request and carries it out; None where it failed, or where the daemon has gone."""
    control.setblocking(True)
    try:
        message = scm.receive(control)
    except OSError:
        return None
    return _Preparation(control, starter, message).do() if message is not None else None


class _Preparation:
    """One `create`. Its descriptors: the plan's memory file, then one for each attachment."""

    def __init__(self, control: socket.socket, starter: Starter, message: scm.Message) -> None:
        self._control, self._starter = control, starter
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

    def do(self) -> Prepared | None:
        answer: Message = {"re": self._request.get("id")}
        prepared: Prepared | None = None
        try:
            answer["ok"], prepared = self._create()
        except StepFailed as failure:
            answer["error"] = error_to_json(failure)
        except OSError as error:
            reason = f"create: {error.strerror or error}"
            answer["error"] = {"step": "create", "reason": reason, "exit_code": 128, "kind": "internal"}
        try:
            scm.send(self._control, encode(answer))
        except OSError:
            pass  # a daemon that died in this moment will find the shim and ask anew
        if prepared is None:
            self._close()
        return prepared

    def _create(self) -> tuple[Json, Prepared]:
        request = self._request
        if request.get("op") != "create":
            raise StepFailed("create", f"nothing was created that could {request.get('op')}")
        failpoint = str(request.get("failpoint") or "")
        spawner = Spawner(self._starter, self._fds[0], self._stdio, self._steps(), failpoint=failpoint, lending=True)
        spawner.begin()
        try:
            self._dir_fd = os.open(str(request["directory"]), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._log = open_log(self._stdio.log)
            self._ends = open_ends(self._stdio)
            spawned = spawner.spawn(self._ends.theirs, meanwhile=lambda pid, pidfd: self._write_state(pid))
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
        return ok, self._prepared(spawned, spawner.cgroup)

    def _write_state(self, pid: int) -> None:
        """While the child mounts: what a later daemon finds the container by."""
        try:
            self._listener = scm.listen_at(self._dir_fd, record.SOCKET)
            self._start_time_ticks = process.start_time_ticks(pid)
            facts: Message = {
                "container_id": self._id,
                "pid": pid,
                "start_time_ticks": self._start_time_ticks,
                "shim_pid": os.getppid(),
                "boot_id": record.boot_id(),
                "protocol": PROTOCOL,
            }
            record.write(self._dir_fd, record.STATE, facts)
        except OSError as error:
            raise StepFailed("state.write", f"{self._request['directory']}: {error.strerror or error}") from error

    def _prepared(self, spawned: Spawned, cgroup: str) -> Prepared:
        """The child's ends at once: as long as they are open here as well, its output has no end."""
        ends = self._ends
        assert self._listener is not None and ends is not None
        ends.close_theirs()
        os.close(self._fds[0])
        held = Held(
            container_id=self._id,
            pid=spawned.pid,
            start_time_ticks=self._start_time_ticks,
            stdio=self._stdio,
            cgroup=cgroup,
            pidfd=spawned.pidfd,
            dir_fd=self._dir_fd,
            listener_fd=self._listener.detach(),
            daemon_fds=(self._control.fileno(),),
            outputs=ends.outputs,
            input_fd=ends.input_fd,
            log_fd=self._log.fileno() if self._log is not None else -1,
            ports=self._ports.give(),
        )
        return Prepared(held, spawned, self._starter, attachments_of(self._request, list(self._fds[1:])))

    def _close(self) -> None:
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


def attachments_of(request: Message, fds: list[int]) -> tuple[Attachment, ...]:
    """The first descriptors of the message, one for each attachment; they are taken out of `fds`."""
    told = cast("list[Json]", request.get("attachments") or [])
    taken, fds[: len(told)] = fds[: len(told)], []
    return tuple(attachment_from_json(a, fd) for a, fd in zip(told, taken, strict=True))


def hook_step(container_id: str, args: Args, pid: int) -> None:
    """The state that a hook reads on its stdin is that of the runtime specification."""
    run_hooks(args, {"id": container_id, "status": "creating", "pid": pid, "bundle": ""})
