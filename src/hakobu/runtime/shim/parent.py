"""The shim itself: the parent of one container, asleep.

Whatever there is to do, a *server* does (`server.py`): a fork that owns the container's descriptors while it lives,
and gives them back, with what is to be remembered, once nothing has happened for a while. What Python writes to while
it works is then gone with the server; the shim's own memory is what a few lines have touched (see `turn.py`). The
first server brings the container up; the next ones come when something happens at a descriptor.

Invariant: one of the two owns the descriptors at any time, and only the shim reaps the container's first process.
A server that ends without a word has seen the container's end, and the shim leaves, too.
"""

from _signal import SIG_DFL, SIGCHLD, signal  # pyright: ignore
from os import O_CLOEXEC, O_WRONLY, close, open, setsid, write

from hakobu.runtime.shim.server import begin, go_on
from hakobu.runtime.shim.turn import await_event, take

_COMM_FLAGS = O_WRONLY | O_CLOEXEC


def main(control_fd: int) -> None:
    """Returns when the container is over; the caller exits."""
    setsid()
    signal(SIGCHLD, SIG_DFL)  # its children are reaped by itself
    _call_itself(b"hakobu-shim")
    rest = take(begin, control_fd, (control_fd,))
    while rest is not None:
        await_event(rest)
        rest = take(go_on, rest, rest[0])


def _call_itself(name: bytes) -> None:
    """What ps shows. By a file and not by prctl: the first call through ctypes costs a process 0.3 MB."""
    fd = open("/proc/thread-self/comm", _COMM_FLAGS)  # its own thread's: allowed also to who is not dumpable
    write(fd, name)
    close(fd)
