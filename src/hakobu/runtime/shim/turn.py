"""How a shim and its servers take turns: each is a fork that owns the container's descriptors, and gives them back.

    | shim                                         | server                                         |
    |----------------------------------------------|------------------------------------------------|
    | forks, and closes the descriptors            | owns them                                      |
    |◀─────────────────────────────── "1234"       | a child of the shim's has ended, of this pid   |
    | reaps it: its status, in decimal ───────────▶|                                                |
    |◀── "+" or "7", descriptors beside each       | goes to rest, and ends: more follows, or all   |
    |    but the last: the state's, and then       |   are told and at the first 7 behind the       |
    |    those at which something can happen       |   state's something can happen                 |
    |◀──────────── (the end without a word)        | the container is over                          |

Every page that the shim's side writes to is its own for the container's life, and Python writes to whatever it looks
at. So it decodes nothing (what is remembered stays in a memory file), makes few objects, calls the C modules
themselves, and names functions singly: to look one up in its module writes to four pages.
"""

import os
from _socket import AF_UNIX, CMSG_SPACE, SOCK_CLOEXEC, SOCK_SEQPACKET, socket, socketpair
from collections.abc import Callable, Sequence
from os import _exit, close, fork, waitpid
from select import POLLIN, poll
from typing import TypeVar

from hakobu.kernel import scm
from hakobu.runtime.shim.held import Held, from_bytes

_KIND = SOCK_SEQPACKET | SOCK_CLOEXEC
_FDS_BYTES = CMSG_SPACE(4 * scm.FDS_PER_PACKET)
_NUMBER_BYTES = 16
_MSG_CMSG_CLOEXEC = 0x40000000

_T = TypeVar("_T")
Rest = tuple[list[int], int]
"""The state's descriptor and the container's, and at how many of these something can happen, which come first."""

Wait = Callable[[int], tuple[int, int]]
"""Reaps a child that has ended: (code, signal), one of them 0."""


def take(live: Callable[["Parent", _T], None], argument: _T, given: Sequence[int]) -> Rest | None:
    """Forks a server that lives `live`, and gives it the descriptors; with what it goes to rest, None at the end."""
    ours, theirs = socketpair(AF_UNIX, _KIND)
    pid = fork()
    if pid == 0:
        _serve(live, theirs, argument)
    theirs.close()
    for fd in given:
        close(fd)
    rest = _hear(ours)
    ours.close()
    waitpid(pid, 0)
    return rest


def _hear(ours: socket) -> Rest | None:
    fds: list[int] = []
    while True:
        word, ancillary, _, _ = ours.recvmsg(_NUMBER_BYTES, _FDS_BYTES, _MSG_CMSG_CLOEXEC)
        if not word:
            return None
        if ancillary:
            fds += memoryview(ancillary[0][2]).cast("i")
            if word != b"+":
                return fds, int(word)
        else:
            ours.send(b"%d" % waitpid(int(word), 0)[1])


def await_event(rest: Rest) -> None:
    """Returns when something has happened: what, a server will see."""
    events = poll()
    fds, count = rest
    for fd in fds[1 : 1 + count]:
        events.register(fd, POLLIN)
    events.poll()


class Parent:
    """The server's end."""

    def __init__(self, sock: socket) -> None:
        self._sock = sock

    def fileno(self) -> int:
        return self._sock.fileno()

    def wait(self, pid: int) -> tuple[int, int]:
        """Of a child of the shim's: (code, signal)."""
        self._sock.send(b"%d" % pid)
        return _code_and_signal(int(self._sock.recv(_NUMBER_BYTES)))

    def rest(self, held: Held) -> None:
        body, fds, watched = held.to_bytes()
        fds.insert(0, scm.sealed_memfd("held", body))
        for start in range(0, len(fds), scm.FDS_PER_PACKET):
            last = start + scm.FDS_PER_PACKET >= len(fds)
            scm.send_packet(self._sock, b"%d" % watched if last else b"+", fds[start : start + scm.FDS_PER_PACKET])


def resume(rest: Rest) -> Held:
    """By a server, of what the last one has left."""
    (state_fd, *fds), _ = rest
    held = from_bytes(os.pread(state_fd, os.fstat(state_fd).st_size, 0), fds)
    os.close(state_fd)
    return held


def wait_own(pid: int) -> tuple[int, int]:
    """`Wait` for a process that is the parent itself."""
    return _code_and_signal(os.waitpid(pid, 0)[1])


def _code_and_signal(status: int) -> tuple[int, int]:
    code = os.waitstatus_to_exitcode(status)
    return (code, 0) if code >= 0 else (0, -code)


def _serve(live: Callable[[Parent, _T], None], link: socket, argument: _T) -> None:
    """Never returns: a fork must not unwind into the shim's loop."""
    try:
        live(Parent(link), argument)
    except BaseException as error:
        os.write(2, f"hakobu shim: {type(error).__name__}: {error}\n".encode())
    finally:
        _exit(0)
