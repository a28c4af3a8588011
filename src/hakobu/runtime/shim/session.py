"""One process the shim holds, a container's init or an exec: from its clone to its end."""

import os
from collections.abc import Callable

from hakobu.kernel import process
from hakobu.runtime.failure import StepFailed
from hakobu.runtime.shim.log import LogFile
from hakobu.runtime.shim.loop import IN, Loop
from hakobu.runtime.shim.spawn import Spawned, Spawner, release
from hakobu.runtime.shim.starter import Starter
from hakobu.runtime.shim.streams import Streams, open_ends
from hakobu.spec.plan import Stdio
from hakobu.spec.step import Step

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
    ) -> None:
        self._loop, self._stdio, self._ended = loop, stdio, ended
        self.streams = Streams(loop, stdio, log, self._output_ended, detached)
        self._spawned: Spawned | None = None
        self.pid = 0
        self.code = 0
        self.signal_number = 0
        self.execute_index = 0
        self._exited = False
        self._told = False

    def spawn(self, starter: Starter, plan_fd: int, init_pid: int) -> None:
        """An exec, from its beginning. Raises `StepFailed`; then nothing is left of it."""
        spawner = Spawner(starter, plan_fd, self._stdio, {}, init_pid=init_pid)
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
        self.pid, self.execute_index = spawned.pid, spawned.execute_index
        self.streams.begin(spawned.master_fd)
        self._loop.watch(spawned.pidfd, IN, lambda _: self._reap())

    def release(self) -> None:
        """Raises `StepFailed` when the execve did not succeed; the process is then gone and never `ended`."""
        assert self._spawned is not None
        try:
            release(self._spawned)
        except StepFailed:
            self._told = True
            self._loop.forget(self._spawned.pidfd)
            process.wait_pidfd(self._spawned.pidfd)
            os.close(self._spawned.pidfd)
            self.streams.close()
            raise

    @property
    def late(self) -> tuple[Step, ...]:
        """The shim's steps that are to be done once it runs."""
        return self._spawned.late if self._spawned is not None else ()

    def signal(self, number: int) -> None:
        """To this very process: a pidfd never means another one. Already ended is no error."""
        if self._spawned is None or self._exited:
            return
        try:
            process.pidfd_send_signal(self._spawned.pidfd, number)
        except ProcessLookupError:
            pass

    def _reap(self) -> None:
        assert self._spawned is not None
        ended = process.wait_pidfd(self._spawned.pidfd, os.WEXITED | os.WNOHANG)
        if ended is None:
            return
        code, self.signal_number = ended
        self.code = 128 + self.signal_number if self.signal_number else code
        self._exited = True
        self._loop.forget(self._spawned.pidfd)
        os.close(self._spawned.pidfd)
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
