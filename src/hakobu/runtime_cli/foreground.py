"""A process that the caller waits for: signals go on to it, its terminal is carried, its status is the call's.

Signals wake the loop through a pipe; what they are is told to the process by its pidfd.
"""

import os
import select
import signal
import sys
from collections.abc import Callable

from hakobu.kernel import process, pty

_NOT_FORWARDED = frozenset(
    {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGPIPE}
)
_CHUNK_BYTES = 1 << 16


def wait(pid: int, pidfd: int, master_fd: int) -> int:
    """128 + n for a signal. `master_fd` is the process's terminal, -1 for none."""
    waker, wakes = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    for number in signal.valid_signals() - _NOT_FORWARDED:
        try:
            signal.signal(number, lambda _n, _f: None)
        except (OSError, ValueError):
            continue  # the C library keeps two for itself
    if master_fd >= 0:
        signal.signal(signal.SIGWINCH, lambda _n, _f: _fit(master_fd))
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    attributes = pty.set_raw(0) if master_fd >= 0 and os.isatty(0) else None
    try:
        _serve(pidfd, waker, master_fd)
    finally:
        if attributes is not None:
            pty.restore(0, attributes)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _fit(master_fd: int) -> None:
    if os.isatty(0):
        rows, columns = pty.window_size(0)
        pty.set_window_size(master_fd, rows, columns)


def _serve(pidfd: int, waker: int, master_fd: int) -> None:
    """Until the process has ended and, with a terminal, all that it printed has been read."""
    poll = select.poll()
    sources: dict[int, Callable[[], bool]] = {waker: lambda: _forward(waker, pidfd), pidfd: lambda: False}
    if master_fd >= 0:
        _fit(master_fd)
        sources[master_fd] = lambda: _carry(master_fd, 1)
        sources[0] = lambda: _carry(0, master_fd)
    for fd in sources:
        poll.register(fd, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if not sources[fd]():
                poll.unregister(fd)
                del sources[fd]
        if pidfd not in sources:
            break
    while master_fd in sources and _carry(master_fd, 1):
        pass


def _forward(waker: int, pidfd: int) -> bool:
    for number in os.read(waker, 512):
        if number != signal.SIGWINCH:
            try:
                process.pidfd_send_signal(pidfd, number)
            except ProcessLookupError:
                break
    return True


def _carry(source: int, target: int) -> bool:
    """A terminal whose other side is gone answers EIO: the end of what there was."""
    try:
        part = os.read(source, _CHUNK_BYTES)
        while part:
            part = part[os.write(target, part) :]
            if not part:
                return True
    except OSError as error:
        sys.stderr.flush()
        if error.errno not in (5, 9, 32):
            raise
    return False
