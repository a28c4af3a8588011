"""The three streams of one process: pumped to its log and its clients, fed from whoever attached stdin.

Output goes to the log first, then to each client; when a client's queue is full the pump stops until it was
read, and with it the container (as with Docker's attach). Input that the process does not read is bounded by
pausing whoever types.
"""

import errno
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from hakobu.kernel import pty
from hakobu.kernel.libc import release_free_memory
from hakobu.runtime.shim.client import Client
from hakobu.runtime.shim.log import LogFile
from hakobu.runtime.shim.loop import HANGUP, IN, OUT, Loop
from hakobu.spec.plan import Attachment, Stdio

READ_BYTES = 1 << 16
INPUT_LIMIT = 1 << 16
MUCH_BYTES = 1 << 12
TRIM_S = 0.5


@dataclass(slots=True)
class Ends:
    """Both ends of a process's pipes: `theirs` become 0, 1, 2; of ours `outputs` are named stdout and stderr."""

    theirs: tuple[int, int, int]
    outputs: dict[int, str]
    input_fd: int = -1

    def close_theirs(self) -> None:
        for fd in set(self.theirs):
            os.close(fd)

    def close(self) -> None:
        self.close_theirs()
        for fd in (*self.outputs, *((self.input_fd,) if self.input_fd >= 0 else ())):
            os.close(fd)


def open_ends(stdio: Stdio) -> Ends:
    """With a terminal the child's ends come later, and until then they are the null device."""
    if stdio.tty:
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        return Ends((null, null, null), {})
    out_read, out_write = os.pipe2(os.O_CLOEXEC)
    err_read, err_write = os.pipe2(os.O_CLOEXEC)
    if not stdio.open_stdin:
        null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        return Ends((null, out_write, err_write), {out_read: "stdout", err_read: "stderr"})
    in_read, in_write = os.pipe2(os.O_CLOEXEC)
    return Ends((in_read, out_write, err_write), {out_read: "stdout", err_read: "stderr"}, in_write)


class Streams:
    """Owns the parent's ends. `ended` is called once when every output is at its end."""

    def __init__(
        self,
        loop: Loop,
        stdio: Stdio,
        log: LogFile | None,
        ended: Callable[[], None],
        detached: Callable[[], None],
    ) -> None:
        self._loop, self._stdio, self._log = loop, stdio, log
        self._ended, self._detached = ended, detached
        self._outputs: dict[int, str] = {}
        self._input_fd = -1
        self._input: deque[bytes] = deque()
        self._input_bytes = 0
        self._input_closing = False
        self._paused = False
        self._trimming = False
        self.clients: list[Client] = []
        self.master_fd = -1

    def take(self, outputs: dict[int, str], input_fd: int) -> None:
        """Our ends of its pipes; with a terminal there are none."""
        self._outputs, self._input_fd = outputs, input_fd
        for fd in (*outputs, input_fd):
            if fd >= 0:
                os.set_blocking(fd, False)

    def begin(self, master_fd: int) -> None:
        """The process is there: what it prints is read, from now on. A terminal is both output and input."""
        if master_fd >= 0:
            self.master_fd = master_fd
            self.take({master_fd: "stdout"}, master_fd if self._stdio.open_stdin else -1)
        for fd in self._outputs:
            self._watch_output(fd)

    def resume(self, outputs: dict[int, str], input_fd: int, master_fd: int) -> None:
        """Where another process has left off. The descriptors do not block: that belongs to what they refer to."""
        self._outputs, self._input_fd, self.master_fd = outputs, input_fd, master_fd
        for fd in outputs:
            self._watch_output(fd)

    @property
    def outputs(self) -> dict[int, str]:
        return self._outputs

    @property
    def input_fd(self) -> int:
        return self._input_fd

    @property
    def is_idle(self) -> bool:
        """Nobody is attached, and nothing that was typed waits."""
        return not self._input and not any(not client.closed for client in self.clients)

    def attach(self, attachment: Attachment) -> None:
        client = Client(
            self._loop,
            attachment,
            framed=not self._stdio.tty if attachment.framed is None else attachment.framed,
            typed=self._typed,
            changed=self._changed,
            left=self._left,
        )
        self.clients.append(client)
        if attachment.replay_log and self._log is not None:
            client.replay(self._log.path)
            self._replay(client)
        client.begin()
        if not self._outputs and not client.replaying:
            client.close()

    def resize(self, rows: int, columns: int) -> None:
        if self.master_fd >= 0:
            pty.set_window_size(self.master_fd, rows, columns)

    def drain(self) -> None:
        """Reads what is there now, without waiting; for the moment after the process has ended."""
        for fd in tuple(self._outputs):
            while fd in self._outputs and self._pump(fd):
                pass

    @property
    def at_end(self) -> bool:
        return not self._outputs

    def flush(self) -> None:
        """The log is complete."""
        if self._log is not None:
            self._log.flush("stdout")
            self._log.flush("stderr")

    def close(self) -> None:
        """Lets go of the process's streams; clients get what is queued for them and then the end."""
        for fd in tuple(self._outputs):
            self._end_output(fd, tell=False)
        self._close_input()
        self.flush()
        for client in tuple(self.clients):
            if client.replaying:
                self._replay(client)
            client.close()
        if self.master_fd >= 0:
            os.close(self.master_fd)
            self.master_fd = -1

    def _replay(self, client: Client) -> None:
        while client.replaying and not client.full and not client.closed and self._log is not None:
            client.advance_replay(self._log.size)

    def _watch_output(self, fd: int) -> None:
        if self._paused:
            self._loop.forget(fd)
            return
        mask = IN | (OUT if fd == self._input_fd and self._input else 0)
        self._loop.watch(fd, mask, lambda events: self._output_ready(fd, events))

    def _output_ready(self, fd: int, events: int) -> None:
        if events & OUT:
            self._feed()
        if events & (IN | HANGUP):
            self._pump(fd)

    def _pump(self, fd: int) -> bool:
        """One read; False when there is nothing more for now."""
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EIO:  # EIO: the terminal's other side has closed
                raise
            data = b""
        if not data:
            self._end_output(fd)
            return False
        stream = self._outputs[fd]
        if self._log is not None:
            self._log.write(stream, data)
            if len(data) > MUCH_BYTES and not self._trimming:
                self._trimming = True
                self._loop.after(TRIM_S, self._trim)
        for client in tuple(self.clients):
            client.send(stream, data)
        self._changed()
        return True

    def _trim(self) -> None:
        """The buffers of a flood are free by now; an idle shim need not keep their pages."""
        self._trimming = False
        release_free_memory()

    def _end_output(self, fd: int, *, tell: bool = True) -> None:
        stream = self._outputs.pop(fd)
        self._loop.forget(fd)
        if fd != self.master_fd:
            os.close(fd)
        if self._log is not None:
            self._log.flush(stream)
        if tell and not self._outputs:
            self._ended()

    def _changed(self) -> None:
        """A client's queue grew or shrank: the pump stops or goes on."""
        self.clients = [c for c in self.clients if not c.closed]
        for client in self.clients:
            if client.replaying and not client.full:
                self._replay(client)
        paused = any(c.full and not c.replaying for c in self.clients)
        if paused != self._paused:
            self._paused = paused
            for fd in tuple(self._outputs):
                self._watch_output(fd)

    def _left(self, client: Client, detached: bool) -> None:
        if client in self.clients:
            self.clients.remove(client)
        if detached:
            self._detached()

    def _typed(self, client: Client, data: bytes) -> bool:
        if self._input_fd < 0:
            return False
        if not data:
            if self._stdio.stdin_once and not self._stdio.tty:
                self._input_closing = True
                self._feed()
            return True
        self._input.append(data)
        self._input_bytes += len(data)
        self._feed()
        return True

    def _feed(self) -> None:
        try:
            while self._input:
                written = os.write(self._input_fd, self._input[0])
                self._input_bytes -= written
                rest = self._input.popleft()[written:]
                if rest:
                    self._input.appendleft(rest)
        except BlockingIOError:
            pass
        except OSError:  # the process closed its end: what is typed goes nowhere
            self._input.clear()
            self._input_bytes = 0
            if self._input_fd != self.master_fd:
                self._close_input()
        if self._input_closing and not self._input:
            self._close_input()
        self._watch_input()

    def _watch_input(self) -> None:
        full = self._input_bytes >= INPUT_LIMIT
        for client in self.clients:
            client.pause_input(full)
        if self._input_fd < 0:
            return
        if self._input_fd == self.master_fd:
            if self.master_fd in self._outputs:
                self._watch_output(self.master_fd)
        elif self._input:
            self._loop.watch(self._input_fd, OUT, lambda _: self._feed())
        else:
            self._loop.forget(self._input_fd)

    def _close_input(self) -> None:
        if self._input_fd >= 0 and self._input_fd != self.master_fd:
            self._loop.forget(self._input_fd)
            os.close(self._input_fd)
        self._input_fd = -1
