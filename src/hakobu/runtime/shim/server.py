"""A server of the shim's: does what there is to do for one container, and rests when nothing happens.

It owns the container's descriptors while it lives (`turn.py`): reads what the container prints, serves whoever asks,
reports the end. The first one brings the container up.

The daemon speaks on the socket the shim was born with; a later daemon connects to `shims/<id>/s`. Requests are
carried out one at a time in the order they came. The end of the container is written to disk before it is
reported, and the shim leaves once that is done and every client was served.
"""

import errno
import gc
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

from hakobu.errors import Kind
from hakobu.kernel import process, scm
from hakobu.runtime import steps_network
from hakobu.runtime.failure import StepFailed
from hakobu.runtime.message import (
    PROTOCOL,
    Message,
    decode,
    encode,
    error_to_json,
    stdio_from_json,
    steps_from_json,
)
from hakobu.runtime.shim import ahead, record
from hakobu.runtime.shim.confinement import Confinement
from hakobu.runtime.shim.held import Held
from hakobu.runtime.shim.log import open_log
from hakobu.runtime.shim.loop import IN, Loop
from hakobu.runtime.shim.netjoin import run_in_network
from hakobu.runtime.shim.ports import Ports
from hakobu.runtime.shim.preparer import Prepared, attachments_of, hook_step, prepare
from hakobu.runtime.shim.session import Session
from hakobu.runtime.shim.starter import Starter
from hakobu.runtime.shim.turn import Parent, Rest, Wait, resume
from hakobu.spec.step import Json, Place, Step

Args = Mapping[str, Json]
QUIET_S = 1.0
REAP_S = 0.05
LINGER_S = 30.0
ACKNOWLEDGE_S = 2.0
FORESIGHT_S = 1.0
AGAIN_S = 0.003
"""Behind an exec whose client was let go, before the next one is made ready for: its end comes first."""


def begin(parent: Parent, control_fd: int) -> None:
    """The life of the first: up to the first rest, or the end."""
    starter = Starter(sibling=True)
    process.set_parent_death_signal(signal.SIGKILL)
    process.close_all_except({0, 1, 2, control_fd, parent.fileno(), starter.sock.fileno()})
    ahead.look_at(ahead.Use.START)
    control = socket.socket(fileno=control_fd)
    prepared = prepare(control, starter)
    if prepared is not None:
        control.detach()
        gc.enable()
        Server(prepared.held, parent.wait, prepared).serve(parent)


def go_on(parent: Parent, rest: Rest) -> None:
    """The life of a later one: from something that has happened up to the next rest, or the end."""
    process.set_parent_death_signal(signal.SIGKILL)
    gc.enable()
    Server(resume(rest), parent.wait).serve(parent)


class Server:
    """One container: its init session, its execs, its ports, its connections to daemons."""

    def __init__(self, held: Held, wait: Wait, prepared: Prepared | None = None) -> None:
        self._loop = Loop()
        self._held = held
        self._id = held.container_id
        self._daemons: dict[int, tuple[socket.socket, scm.Receiver]] = {}
        self._log = open_log(held.stdio.log, held.log_fd, held.unfinished) if held.log_fd >= 0 else None
        self._wait = wait
        self._starters = [prepared.starter] if prepared is not None else []
        self._init = Session(self._loop, held.stdio, self._log, self._detached(""), self._init_ended, wait)
        self._late: tuple[Step, ...] = ()
        self._execs: dict[str, Session] = {}
        self._unacknowledged: dict[str, Session] = {}
        self._parting: list[Session] = []
        self._kept_fds = list(held.kept_fds)
        self._ports = Ports(self._loop)
        self._ports.take(held.ports)
        self._confinement = Confinement(self._loop, self._oom)
        self._confinement.adopt(held.cgroup)
        self._foreseen: Starter | None = None
        self._announced: set[str] = set()
        self._over = False
        self._started = prepared is None
        if prepared is not None:
            self._take(prepared)
        else:
            self._init.resume(held)
            self._ports.serve()
            self._confinement.go_on_watching(held.oom)
        self._listener = socket.socket(fileno=held.listener_fd)
        self._listener.setblocking(False)
        self._loop.watch(held.listener_fd, IN, lambda _: self._accept())
        for fd in held.daemon_fds:
            self._welcome(socket.socket(fileno=fd))

    def _take(self, prepared: Prepared) -> None:
        """It waits before its execve."""
        self._late = prepared.spawned.late
        self._init.streams.take(dict(prepared.held.outputs), prepared.held.input_fd)
        self._init.hold(prepared.spawned)
        for attachment in prepared.attachments:
            self._init.streams.attach(attachment)

    def serve(self, parent: Parent) -> None:
        """Up to the first rest, which the parent is told of, or to the end, which it is not."""
        if self.run():
            parent.rest(self.rest())

    def run(self) -> bool:
        """Until nothing has happened for a while, and nothing is left to do: true. False: it is over."""
        while self._loop.running:
            patience_s = QUIET_S if self._is_at_rest() else -1
            if not self._loop.turn(patience_s) and patience_s >= 0 and not self._is_packing():
                return True
        return False

    def turn(self) -> None:
        self._loop.turn()

    def dispose(self) -> None:
        """For one whose process lives on (a trial): what else its end would close."""
        self._reap_starters()
        self._listener.close()
        if self._log is not None:
            self._log.close()
        for sock, _ in self._daemons.values():
            sock.close()
        os.close(self._held.dir_fd)
        self._loop.close()

    # Rest

    def _is_at_rest(self) -> bool:
        """What is not in `Held` is not there: nobody is attached, no exec runs, no message is half read."""
        return (
            self._started
            and not self._over
            and not (self._execs or self._unacknowledged or self._parting or self._foreseen)
            and self._init.streams.is_idle
            and self._ports.is_idle
            and not any(receiver.in_message for _, receiver in self._daemons.values())
        )

    def _is_packing(self) -> bool:
        return self._log is not None and self._log.is_packing

    def rest(self) -> Held:
        """Gives away all it holds; it is not to be used afterwards."""
        self._reap_starters()
        self._loop.close()
        self._listener.detach()
        for sock, _ in self._daemons.values():
            sock.detach()
        streams = self._init.streams
        return replace(
            self._held,
            daemon_fds=tuple(self._daemons),
            outputs=streams.outputs,
            input_fd=streams.input_fd,
            master_fd=streams.master_fd,
            log_fd=self._log.fileno() if self._log is not None else -1,
            unfinished=self._log.unfinished if self._log is not None else {},
            ports=self._ports.give(),
            oom=self._confinement.watched(),
            kept_fds=tuple(self._kept_fds),
        )

    # Connections

    def _welcome(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        fd = sock.fileno()
        self._daemons[fd] = (sock, scm.Receiver(sock))
        self._loop.watch(fd, IN, lambda _: self._hear(fd))

    def _hear(self, fd: int) -> None:
        sock, receiver = self._daemons[fd]
        try:
            message = receiver.receive()
        except BlockingIOError:
            return
        except OSError:
            message = None
        if message is None:
            self._loop.forget(fd)
            del self._daemons[fd]
            sock.close()
            if not self._started and not self._daemons and not self._over:
                # who had it created is gone before it said start, and a later daemon begins anew
                self._init.signal(signal.SIGKILL)
            self._maybe_leave()
            return
        request = decode(message.body)
        self._answer(sock, request, list(message.fds))

    def _answer(self, sock: socket.socket, request: Message, fds: list[int]) -> None:
        answer: Message = {"re": request.get("id")}
        give: list[int] = []
        try:
            handler = self._handlers()[cast("str", request["op"])]
            answer["ok"] = handler(request, fds, give)
        except StepFailed as failure:
            answer["error"] = error_to_json(failure)
        except OSError as error:
            reason = f"{request.get('op')}: {error.strerror or error}"
            answer["error"] = {"step": str(request.get("op")), "reason": reason, "exit_code": 128, "kind": "internal"}
        for fd in fds:
            os.close(fd)
        if "id" in request:
            self._say(sock, answer, give)
        for fd in give:
            os.close(fd)

    def _handlers(self) -> "dict[str, Callable[[Message, list[int], list[int]], Json]]":
        return {
            "start": self._start,
            "foresee": self._foresee,
            "exec": self._exec,
            "attach": self._attach,
            "signal": self._signal,
            "resize": self._resize,
            "steps": self._steps,
            "root": self._root,
            "state": self._state,
            "keep": self._keep,
            "kept": self._kept,
            "discard": self._discard,
            "acknowledge": self._acknowledge,
        }

    def _say(self, sock: socket.socket, message: Message, fds: list[int] | None = None) -> None:
        """To a daemon that is there; one that died in this moment will ask anew."""
        try:
            sock.setblocking(True)
            scm.send(sock, encode(message), fds or ())
        except OSError:
            pass
        finally:
            sock.setblocking(False)

    def _report(self, message: Message) -> None:
        for sock, _ in tuple(self._daemons.values()):
            self._say(sock, message)

    # Requests: each takes descriptors out of `fds` that it keeps

    def _start(self, request: Message, fds: list[int], give: list[int]) -> Json:
        session = self._running()
        started = time.monotonic_ns()
        try:
            session.release()
        except StepFailed:
            self._over = True
            self._confinement.remove()
            self._loop.running = False
            raise
        took = time.monotonic_ns() - started
        self._started = True
        for late in self._late:
            hook_step(self._id, late.args, session.pid)
        self._loop.after(0, self._settle)
        return [[session.execute_index, started, took]]

    def _settle(self) -> None:
        """What the daemon need not wait for, once the container runs."""
        self._confinement.watch_oom()
        self._ports.serve()
        self._loop.after(REAP_S, self._reap_starters)

    def _reap_starters(self) -> None:
        """Killed by now; their memory goes with them, and nobody should wait for that."""
        for starter in self._starters:
            if starter.is_ours:
                starter.reap()
            else:
                self._wait(starter.pid)
        self._starters.clear()

    def _foresee(self, request: Message, fds: list[int], give: list[int]) -> Json:
        """The starter of the next exec, which a client has announced; one that does not come costs it nothing long."""
        self._make_ready(ample=False)
        return None

    def _make_ready(self, *, ample: bool) -> None:
        if self._foreseen is None and not self._over:
            self._foreseen = starter = Starter(ample=ample)
            self._loop.after(FORESIGHT_S, lambda: self._forget(starter))

    def _forget(self, starter: Starter) -> None:
        if self._foreseen is starter:
            starter.close()
            self._foreseen = None

    def _exec(self, request: Message, fds: list[int], give: list[int]) -> Json:
        init = self._running()
        exec_id = cast("str", request["exec_id"])
        stdio = stdio_from_json(request["stdio"])
        session = Session(self._loop, stdio, None, self._detached(exec_id), lambda s: self._exec_ended(exec_id, s))
        plan_fd = fds.pop(0)
        try:
            if self._foreseen is not None:
                self._announced.add(exec_id)
            starter, self._foreseen = self._foreseen or Starter(), None
            session.spawn(starter, plan_fd, init.pid)
        finally:
            os.close(plan_fd)
        for attachment in attachments_of(request, fds):
            session.streams.attach(attachment)
        self._starters.append(starter)
        self._loop.after(REAP_S, self._reap_starters)
        session.release()
        self._execs[exec_id] = session
        return {"pid": session.pid}

    def _attach(self, request: Message, fds: list[int], give: list[int]) -> Json:
        session = self._session(request)
        for attachment in attachments_of(request, fds):
            session.streams.attach(attachment)
        return None

    def _signal(self, request: Message, fds: list[int], give: list[int]) -> Json:
        self._session(request).signal(cast("int", request["signal"]))
        return None

    def _resize(self, request: Message, fds: list[int], give: list[int]) -> Json:
        self._session(request).streams.resize(cast("int", request["rows"]), cast("int", request["columns"]))
        return None

    def _steps(self, request: Message, fds: list[int], give: list[int]) -> Json:
        """Further steps while it runs: the shim's own here, the child's in a process that joins the namespace."""
        steps = steps_from_json(request["steps"])
        init = self._running()
        before = len(self._ports.reserved)
        for step in steps:
            if step.place is Place.SHIM:
                self._run_step(step, init.pid)
        run_in_network(init.pid, [s for s in steps if s.place is Place.CHILD])
        return {"ports": cast("Json", self._ports.reserved[before:])}

    def _run_step(self, step: Step, pid: int) -> None:
        if step.name == "port.reserve":
            self._ports.reserve(step.args)
        else:
            steps_network.SHIM[step.name](step.args, pid)

    def _root(self, request: Message, fds: list[int], give: list[int]) -> Json:
        give.append(os.open(f"/proc/{self._running().pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        return None

    def _state(self, request: Message, fds: list[int], give: list[int]) -> Json:
        return {
            "container_id": self._id,
            "pid": self._held.pid if not self._over else 0,
            "shim_pid": os.getppid(),
            "ports": cast("Json", self._ports.reserved),
            "execs": list(self._execs),
            "start_time_ticks": self._held.start_time_ticks if not self._over else 0,
            "protocol": PROTOCOL,
        }

    def _keep(self, request: Message, fds: list[int], give: list[int]) -> Json:
        """Holds descriptors for others (the resolver's sockets) over the daemon's and the resolver's death."""
        for fd in self._kept_fds:
            os.close(fd)
        self._kept_fds = list(fds)
        fds.clear()
        return None

    def _kept(self, request: Message, fds: list[int], give: list[int]) -> Json:
        give += [os.dup(fd) for fd in self._kept_fds]
        return None

    def _discard(self, request: Message, fds: list[int], give: list[int]) -> Json:
        """The daemon gives up a container that was created and not started."""
        if not self._over:
            self._init.signal(signal.SIGKILL)
        return None

    def _running(self) -> Session:
        if self._over:
            raise StepFailed("session", f"container {self._id} is not running", kind=Kind.CONFLICT)
        return self._init

    def _session(self, request: Message) -> Session:
        exec_id = request.get("exec_id")
        if not exec_id:
            return self._running()
        session = self._execs.get(cast("str", exec_id))
        if session is None:
            raise StepFailed("session", f"exec {exec_id} is not running")
        return session

    # Reports

    def _init_ended(self, session: Session) -> None:
        facts: Message = {
            "code": session.code,
            "signal": session.signal_number,
            "oom_killed": self._confinement.oom_killed(),
            "finished_ns": time.time_ns(),
        }
        self._over = True
        try:
            record.write(self._held.dir_fd, record.EXIT, facts)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOSPC):
                raise
        # whoever asks for more after this is answered once the cgroup has gone
        self._report({"event": "exit", "container_id": self._id, "exec_id": "", "exit": facts})
        self._ports.close()
        self._confinement.remove()
        session.streams.close()
        self._loop.after(LINGER_S, self._leave)
        self._maybe_leave()

    def _exec_ended(self, exec_id: str, session: Session) -> None:
        self._execs.pop(exec_id, None)
        facts: Message = {
            "code": session.code,
            "signal": session.signal_number,
            "oom_killed": False,
            "finished_ns": time.time_ns(),
        }
        self._unacknowledged[exec_id] = session
        self._report({"event": "exit", "container_id": self._id, "exec_id": exec_id, "exit": facts})
        if self._daemons:
            self._loop.after(ACKNOWLEDGE_S, lambda: self._part(exec_id))
        else:
            self._part(exec_id)

    def _part(self, exec_id: str) -> None:
        """Lets an ended exec's clients go: its exit code is recorded, or nobody is there to record it."""
        if (session := self._unacknowledged.pop(exec_id, None)) is not None:
            session.streams.close()
            self._parting = [s for s in (*self._parting, session) if any(not c.closed for c in s.streams.clients)]
            if exec_id in self._announced:  # a client's, which mostly runs another; not a health check's
                self._announced.discard(exec_id)
                self._loop.after(AGAIN_S, lambda: self._make_ready(ample=True))
            self._maybe_leave()

    def _acknowledge(self, request: Message, fds: list[int], give: list[int]) -> Json:
        self._part(cast("str", request["exec_id"]))
        return None

    def _detached(self, exec_id: str) -> Callable[[], None]:
        return lambda: self._report({"event": "detach", "container_id": self._id, "exec_id": exec_id})

    def _oom(self) -> None:
        self._report({"event": "oom", "container_id": self._id, "exec_id": ""})

    def _maybe_leave(self) -> None:
        """Over, and every client has its last byte: look again shortly while some do not."""
        if not self._over:
            return
        sessions = (self._init, *self._execs.values(), *self._parting)
        busy = any(not c.closed for s in sessions for c in s.streams.clients)
        if not busy and not self._execs and not self._unacknowledged:
            self._leave()
        else:
            self._loop.after(0.05, self._maybe_leave)

    def _leave(self) -> None:
        self._loop.running = False

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if scm.peer(sock).uid not in (0, os.geteuid()):
            sock.close()
            return
        self._welcome(sock)
