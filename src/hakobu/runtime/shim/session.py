"""One process the shim holds, a container's init or an exec: from its clone to its end."""

import os
import signal
from collections.abc import Callable

from hakobu.runtime.failure import StepFailed
from hakobu.runtime.shim.held import Held
from hakobu.runtime.shim.log import LogFile
from hakobu.runtime.shim.loop import IN, Loop
from hakobu.runtime.shim.spawn import Spawned, Spawner, await_end, release
from hakobu.runtime.shim.starter import Starter
from hakobu.runtime.shim.streams import Streams, open_ends
from hakobu.runtime.shim.turn import Wait, wait_own
from hakobu.spec.plan import Stdio

DRAIN_S = 2.0


class Session:
    """`ended` is called once: the process has ended, what it printed was read to its end and is in the log.

    Whoever is told closes the streams, and with them the clients' connections: a client that sees its end must
    find the exit code recorded.
    """

    def __init__(
        self,
        loop: Loop,
        stdio: Stdio,
        log: LogFile | None,
        detached: Callable[[], None],
        ended: "Callable[[Session], None]",
        wait: Wait = wait_own,
    ) -> None:
        self._loop, self._stdio, self._ended, self._wait = loop, stdio, ended, wait
        self.streams = Streams(loop, stdio, log, self._output_ended, detached)
        self._spawned: Spawned | None = None
        self.pid, self.pidfd = 0, -1
        self.code = 0
        self.signal_number = 0
        self.execute_index = 0
        self._exited = False
        self._told = False

    def spawn(self, starter: Starter, plan_fd: int, init_pid: int) -> None:
        """An exec, from its beginning. Raises `StepFailed`; then nothing is left of it."""
        spawner = Spawner(starter, plan_fd, self._stdio, {}, init_pid=init_pid, lending=True)
        spawner.begin()
        ends = open_ends(self._stdio)
        try:
            spawned = spawner.spawn(ends.theirs)
        except StepFailed:
            ends.close()
            raise
        ends.close_theirs()
        self.streams.take(ends.outputs, ends.input_fd)
        self.hold(spawned)

    def hold(self, spawned: Spawned) -> None:
        """One that waits before its execve."""
        self._spawned = spawned
        self.execute_index = spawned.execute_index
        self.streams.begin(spawned.master_fd)
        self._watch(spawned.pid, spawned.pidfd)

    def resume(self, held: Held) -> None:
        """A container's init that runs, where another process has left off."""
        self.streams.resume(dict(held.outputs), held.input_fd, held.master_fd)
        self._watch(held.pid, held.pidfd)

    def _watch(self, pid: int, pidfd: int) -> None:
        self.pid, self.pidfd = pid, pidfd
        self._loop.watch(pidfd, IN, lambda _: self._reap())

    def release(self) -> None:
        """Raises `StepFailed` when the execve did not succeed; the process is then gone and never `ended`."""
        assert self._spawned is not None
        try:
            release(self._spawned)
        except StepFailed:
            self._told = True
            self._loop.forget(self.pidfd)
            await_end(self.pidfd)
            self._wait(self.pid)
            os.close(self.pidfd)
            self.streams.close()
            raise
        self._spawned = None

    def signal(self, number: int) -> None:
        """To this very process: a pidfd never means another one. Already ended is no error."""
        if self.pidfd < 0 or self._exited:
            return
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            pass

    def _reap(self) -> None:
        code, self.signal_number = self._wait(self.pid)
        self.code = 128 + self.signal_number if self.signal_number else code
        self._exited = True
        self._loop.forget(self.pidfd)
        os.close(self.pidfd)
        self.streams.drain()
        if self.streams.at_end:
            self._finish()
        else:
            # somebody else holds the pipe's other end: a process of a shared pid namespace, or one about to die
            self._loop.after(DRAIN_S, self._finish)

    def _output_ended(self) -> None:
        if self._exited:
            self._finish()

    def _finish(self) -> None:
        if not self._told:
            self._told = True
            self.streams.flush()
            self._ended(self)
