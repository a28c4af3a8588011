"""The shim's life: takes one container's plan, holds the container, serves whoever asks, reports the end.

The daemon speaks on the socket the shim was born with; a later daemon connects to `shims/<id>/s`. Requests are
carried out one at a time in the order they came. The end of the container is written to disk before it is
reported, and the shim leaves once that is done and every client was served.
"""

import errno
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from typing import cast

from hakobu.kernel import process, scm
from hakobu.runtime import steps_network
from hakobu.runtime.failure import StepFailed
from hakobu.runtime.message import (
    PROTOCOL,
    Message,
    attachment_from_json,
    decode,
    encode,
    error_to_json,
    stdio_from_json,
    steps_from_json,
)
from hakobu.runtime.shim import record
from hakobu.runtime.shim.confinement import Confinement
from hakobu.runtime.shim.log import LogFile, open_log
from hakobu.runtime.shim.loop import IN, Loop
from hakobu.runtime.shim.netjoin import run_in_network
from hakobu.runtime.shim.ports import Ports
from hakobu.runtime.shim.preparer import Preparer, hook_step
from hakobu.runtime.shim.session import Session
from hakobu.runtime.shim.spawn import Spawned
from hakobu.runtime.shim.starter import Starter
from hakobu.spec.plan import Attachment
from hakobu.spec.step import Json, Place, Step

Args = Mapping[str, Json]
LINGER_S = 30.0
ACKNOWLEDGE_S = 2.0
FORESIGHT_S = 1.0


def main(control: socket.socket) -> None:
    """Returns when the container is over; the caller exits."""
    os.setsid()
    process.set_name("hakobu-shim")
    process.set_dumpable(False)
    preparer = Preparer(control)
    Shim(control, preparer.sock, preparer.pids).run()


class Shim:
    """One container: its init session, its execs, its ports, its connections to daemons.

    Until the preparer hands the container over it does nothing but wait for that.
    """

    def __init__(self, control: socket.socket, prepared: socket.socket, helpers: tuple[int, ...] = ()) -> None:
        self._loop = Loop()
        self._control, self._prepared, self._helpers = control, prepared, helpers
        self._daemons: dict[int, tuple[socket.socket, scm.Receiver]] = {}
        self._listener: socket.socket | None = None
        self._id = ""
        self._dir_fd = -1
        self._log: LogFile | None = None
        self._init: Session | None = None
        self._start_time_ticks = 0
        self._late: tuple[Step, ...] = ()
        self._execs: dict[str, Session] = {}
        self._unacknowledged: dict[str, Session] = {}
        self._parting: list[Session] = []
        self._kept_fds: list[int] = []
        self._ports = Ports(self._loop)
        self._confinement = Confinement(self._loop, self._oom)
        self._foreseen: Starter | None = None
        self._held: Session
        self._attachments: list[Attachment] = []
        self._pid, self._pidfd, self._sock = 0, -1, -1
        self._over = False
        self._loop.watch(prepared.fileno(), IN, lambda _: self._hold())

    def run(self) -> None:
        self._loop.run()

    def turn(self) -> None:
        self._loop.turn()

    def dispose(self) -> None:
        """For a shim whose process lives on (a trial): what else its end would close."""
        if self._listener is not None:
            self._listener.close()
        if self._log is not None:
            self._log.close()
        for sock, _ in self._daemons.values():
            sock.close()
        if self._dir_fd >= 0:
            os.close(self._dir_fd)
        self._loop.close()

    # The hand-over

    def _hold(self) -> None:
        """Takes what the preparer has made so far; leaves where it has made nothing."""
        message = scm.receive(self._prepared)
        if message is None:
            self._leave()
            return
        told, fds = decode(message.body), list(message.fds)
        self._id = cast("str", told["container_id"])
        self._start_time_ticks = cast("int", told["start_time_ticks"])
        self._dir_fd, listener, self._pidfd, self._sock = fds[:4]
        del fds[:4]
        outputs = {fds.pop(0): cast("str", name) for name in cast("list[Json]", told["outputs"])}
        input_fd = fds.pop(0) if told["input"] else -1
        stdio = stdio_from_json(told["stdio"])
        self._log = open_log(stdio.log, fds.pop(0)) if told["log"] else None
        ports = cast("list[tuple[str, int, Args]]", told["ports"])
        self._ports.take(ports, fds[: len(ports)], cast("list[dict[str, Json]]", told["reserved"]))
        del fds[: len(ports)]
        self._confinement.adopt(cast("str", told["cgroup"]))
        self._listener = socket.socket(fileno=listener)
        self._listener.setblocking(False)
        self._held = Session(self._loop, stdio, self._log, self._detached(""), self._init_ended)
        self._held.streams.take(outputs, input_fd)
        self._attachments = _attachments(told, fds)
        self._pid = cast("int", told["pid"])
        self._loop.watch(self._prepared.fileno(), IN, lambda _: self._hold_prepared())

    def _hold_prepared(self) -> None:
        """It waits before its execve: from here on the container is the shim's. An end instead: it has failed."""
        message = scm.receive(self._prepared)
        self._loop.forget(self._prepared.fileno())
        self._prepared.close()
        if message is None:
            self._leave()
            return
        told = decode(message.body)
        self._late = steps_from_json(told["late"])
        master_fd = message.fds[0] if message.fds else -1
        index = cast("int", told["execute_index"])
        session = self._init = self._held
        session.hold(Spawned(self._pid, self._pidfd, socket.socket(fileno=self._sock), master_fd, index))
        for attachment in self._attachments:
            session.streams.attach(attachment)
        assert self._listener is not None
        self._loop.watch(self._listener.fileno(), IN, lambda _: self._accept())
        self._welcome(self._control)

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
        session = self._need_init()
        started = time.monotonic_ns()
        try:
            session.release()
        except StepFailed:
            self._over = True
            self._confinement.remove()
            self._loop.running = False
            raise
        took = time.monotonic_ns() - started
        for late in self._late:
            hook_step(self._id, late.args, session.pid)
        self._loop.after(0, self._settle)
        return [[session.execute_index, started, took]]

    def _settle(self) -> None:
        """What the daemon need not wait for, once the container runs."""
        self._confinement.watch_oom()
        self._ports.serve()
        self._reap_helpers()

    def _reap_helpers(self) -> None:
        """Preparer and starter are about to end, or have ended."""
        self._helpers = tuple(pid for pid in self._helpers if os.waitpid(pid, os.WNOHANG)[0] == 0)
        if self._helpers:
            self._loop.after(0.01, self._reap_helpers)

    def _foresee(self, request: Message, fds: list[int], give: list[int]) -> Json:
        """The starter of the next exec, which a client has announced; one that does not come costs it nothing long."""
        if self._foreseen is None and not self._over:
            self._foreseen = Starter()
            self._loop.after(FORESIGHT_S, self._forget_foreseen)
        return None

    def _forget_foreseen(self) -> None:
        if self._foreseen is not None:
            self._foreseen.close()
            self._foreseen = None

    def _exec(self, request: Message, fds: list[int], give: list[int]) -> Json:
        init = self._need_init()
        exec_id = cast("str", request["exec_id"])
        stdio = stdio_from_json(request["stdio"])
        session = Session(self._loop, stdio, None, self._detached(exec_id), lambda s: self._exec_ended(exec_id, s))
        plan_fd = fds.pop(0)
        try:
            starter, self._foreseen = self._foreseen or Starter(), None
            session.spawn(starter, plan_fd, init.pid)
        finally:
            os.close(plan_fd)
        for attachment in _attachments(request, fds):
            session.streams.attach(attachment)
        session.release()
        self._execs[exec_id] = session
        return {"pid": session.pid}

    def _attach(self, request: Message, fds: list[int], give: list[int]) -> Json:
        session = self._session(request)
        for attachment in _attachments(request, fds):
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
        init = self._need_init()
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
        give.append(os.open(f"/proc/{self._need_init().pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        return None

    def _state(self, request: Message, fds: list[int], give: list[int]) -> Json:
        init = self._init
        return {
            "container_id": self._id,
            "pid": init.pid if init is not None and not self._over else 0,
            "shim_pid": os.getpid(),
            "ports": cast("Json", self._ports.reserved),
            "execs": list(self._execs),
            "start_time_ticks": self._start_time_ticks if init is not None and not self._over else 0,
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
        if self._init is not None and not self._over:
            self._init.signal(signal.SIGKILL)
        return None

    def _need_init(self) -> Session:
        if self._init is None or self._over:
            raise StepFailed("session", f"container {self._id} is not running")
        return self._init

    def _session(self, request: Message) -> Session:
        exec_id = request.get("exec_id")
        if not exec_id:
            return self._need_init()
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
            record.write(self._dir_fd, record.EXIT, facts)
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
        if self._init is None:
            if not self._daemons:
                self._leave()
            return
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

    def _listen(self) -> None:
        """For a later daemon: 0600 in the shim's own 0700 directory, peers checked."""
        self._listener = scm.listen_at(self._dir_fd, record.SOCKET)
        self._listener.setblocking(False)
        self._loop.watch(self._listener.fileno(), IN, lambda _: self._accept())

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if scm.peer(sock).uid not in (0, os.geteuid()):
            sock.close()
            return
        self._welcome(sock)


def _attachments(request: Message, fds: list[int]) -> list[Attachment]:
    """The first descriptors of the message, one for each attachment; they are taken out of `fds`."""
    told = cast("list[Json]", request.get("attachments") or [])
    taken, fds[: len(told)] = fds[: len(told)], []
    return [attachment_from_json(a, fd) for a, fd in zip(told, taken, strict=True)]
