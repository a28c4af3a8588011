"""Walking every path once before the heap is frozen, so that a shim's first line or exec writes no new page.

The launcher leads the life of a shim: a container that is no container (a child that waits, without namespaces)
is created, started, attached to, joined by an exec and killed, by the requests a daemon would send. What is made
is thrown away; the files lie in a directory the daemon gave for it.
"""

import os
import signal
import socket

from hakobu.kernel import capability, cgroup, probe, scm, userns
from hakobu.kernel.probe import Feature
from hakobu.runtime.child import Args, Child
from hakobu.runtime.message import Message, attachment_to_json, decode, encode, plan_to_json, stdio_to_json
from hakobu.runtime.shim.held import Held, from_bytes
from hakobu.runtime.shim.log import LogFile, escape, timestamp
from hakobu.runtime.shim.preparer import prepare
from hakobu.runtime.shim.server import Server
from hakobu.runtime.shim.starter import CHILD_EXECUTORS, Starter
from hakobu.runtime.shim.turn import Parent, await_event, take, wait_own
from hakobu.spec.plan import Attachment, LogTarget, Plan, Stdio
from hakobu.spec.resources import DEFAULT_DEVICE_RULES, Resources, parse_resources
from hakobu.spec.step import Json, Place, Step

ROUNDS = 3
LINES = b'one "line"\nand another\\\tone\n'


def up(directory: str) -> None:
    """More than once: the interpreter adapts its code to what it has seen a few times."""
    escape(b"\xff\x00")
    timestamp(1)
    _cgroups()
    CHILD_EXECUTORS.update(TRIALS)
    for number in range(ROUNDS):
        _Life(f"{directory}/{number}").lead()
        _turn()
    for name in TRIALS:
        del CHILD_EXECUTORS[name]


def _turn() -> None:
    """The shim's side: a server has a child reaped and goes to rest, and what is waited for has happened already."""
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    os.close(write_fd)
    ended = os.fork()
    if ended == 0:
        os._exit(0)
    rest = take(_live_shortly, (read_fd, ended), (read_fd,))
    assert rest is not None, "the launcher's trial failed"
    await_event(rest)
    for fd in rest[0]:
        os.close(fd)


def _live_shortly(parent: Parent, given: tuple[int, int]) -> None:
    fd, ended = given
    parent.wait(ended)
    parent.rest(Held("", 0, 0, Stdio(), "", fd, fd, fd, ()))


def _cgroups() -> None:
    """Finds what is mounted and what the kernel can, once for all shims."""
    for feature in (Feature.OVERLAY_LOWERDIR_APPEND, Feature.DEVICE_NODES, Feature.TRUSTED_XATTRS):
        probe.has(feature)
    userns.find_out()
    try:
        cgroup.open_tree()
    except OSError:
        return
    capability.last_cap()
    parse_resources(Resources(devices=DEFAULT_DEVICE_RULES).to_json())


class _Life:
    """One shim in this process, and the daemon's side of its socket."""

    def __init__(self, directory: str) -> None:
        os.mkdir(directory, 0o700)
        self._directory = directory
        self._ours, theirs = scm.pair()
        self._receiver = scm.Receiver(self._ours)
        self._theirs = theirs
        self._next = 0
        self._server: Server

    def lead(self) -> None:
        path = f"{self._directory}/log"
        log = LogTarget("json-file", path, max_bytes=40, max_files=2, attributes={"a": "b"})
        self._start(Stdio(open_stdin=True, stdin_once=True, log=log))
        self._ask("state")
        self._attach()
        self._exec()
        self._rest()
        self._ask("resize", exec_id="", rows=1, columns=1)
        self._ask("steps", steps=[])
        self._ask("signal", exec_id="", signal=int(signal.SIGKILL))
        self._hear()  # its exit
        self._ours.close()
        self._server.run()
        self._server.dispose()
        _long_lines(path)

    def _start(self, stdio: Stdio) -> None:
        steps = (
            Step("namespaces.clone", Place.SHIM, {"new": [], "join": {}}, ("clone3",)),
            Step("process.pause", Place.CHILD, {}, ("pause",)),
        )
        told: list[Json] = []
        plan_fd = scm.sealed_memfd("plan", encode(plan_to_json(Plan("0" * 64, steps))))
        self._send(
            "create",
            (plan_fd,),
            container_id="0" * 64,
            directory=self._directory,
            stdio=stdio_to_json(stdio),
            attachments=told,
            failpoint="",
        )
        os.close(plan_fd)
        prepared = prepare(self._theirs, Starter())
        assert prepared is not None, "the launcher's trial failed"
        self._theirs.detach()
        self._server = Server(prepared.held, wait_own, prepared)
        self._hear(self._next)
        self._ask("start")

    def _ask_with_plan(self, op: str, steps: tuple[Step, ...], fds: tuple[int, ...] = (), **facts: Json) -> None:
        plan_fd = scm.sealed_memfd("plan", encode(plan_to_json(Plan("0" * 64, steps))))
        try:
            self._ask(op, (plan_fd, *fds), **facts)
        finally:
            os.close(plan_fd)

    def _attach(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            attachment = Attachment(theirs.fileno(), stdin=True, stdout=True, stderr=True, already_read=b"a")
            self._ask("attach", (theirs.fileno(),), exec_id="", attachments=[attachment_to_json(attachment)])
            while not _readable(ours):
                self._server.turn()
            ours.shutdown(socket.SHUT_WR)
            self._server.turn()

    def _exec(self) -> None:
        steps = (
            Step("namespaces.join", Place.SHIM, {"types": []}, ("clone3",)),
            Step("process.leave", Place.CHILD, {}, ("exit_group",)),
        )
        ours, theirs = socket.socketpair()
        with ours, theirs:
            attachment = Attachment(theirs.fileno(), stdin=False, stdout=True, stderr=True)
            self._ask("foresee")
            self._ask_with_plan(
                "exec",
                steps,
                (theirs.fileno(),),
                exec_id="1",
                stdio=stdio_to_json(Stdio()),
                attachments=[attachment_to_json(attachment)],
            )
            self._hear()  # its exit
            self._ask("acknowledge", exec_id="1")

    def _rest(self) -> None:
        body, fds, _ = self._server.rest().to_bytes()
        self._server = Server(from_bytes(body, fds), wait_own)

    def _ask(self, op: str, fds: tuple[int, ...] = (), **facts: Json) -> None:
        self._send(op, fds, **facts)
        self._hear(self._next)

    def _send(self, op: str, fds: tuple[int, ...], **facts: Json) -> None:
        self._next += 1
        scm.send(self._ours, encode({"id": self._next, "op": op, **facts}), fds)

    def _hear(self, number: int | None = None) -> None:
        """The next message, or the answer of this number; whatever comes before is passed over."""
        while True:
            while not _readable(self._ours):
                self._server.turn()
            message = self._receiver.receive()
            if message is None:
                return
            message.close()
            told: Message = decode(message.body)
            if "error" in told:
                raise OSError(5, f"the launcher's trial failed: {told['error']}")
            if told.get("re") == number:
                return


def _readable(sock: socket.socket) -> bool:
    try:
        sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    return True


def _long_lines(path: str) -> None:
    log = LogFile(path, max_bytes=-1, max_files=1, compress=False, attributes=None)
    log.write("stdout", b"x" * 40_000 + b"\n" + LINES)
    log.write("stderr", b"rest")
    log.close()


def _pause(child: Child, args: Args) -> None:
    """In place of a program: prints, answers what is typed, and waits for the signal that ends it."""
    os.write(child.stdio[1], LINES)
    child.sock.close()
    for fd in child.alive_fds:
        os.close(fd)
    while os.read(child.stdio[0], 4096):
        os.write(child.stdio[1], LINES)
    while True:
        signal.pause()


def _leave(child: Child, args: Args) -> None:
    os._exit(0)


TRIALS = {"process.pause": _pause, "process.leave": _leave}
