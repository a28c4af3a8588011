"""Moves bytes between the terminal and an attached container until its output ends.

One thread and one poll: stdin goes to the connection (its end closes that direction only), output comes
back raw from a terminal, or as frames that are sorted to stdout and stderr. Signal handlers run in between.
"""

from __future__ import annotations

import os

from hakobu.cli.session import STDERR_FD, STDIN_FD, STDOUT_FD, write_all
from hakobu.client.frame import STDERR, Demultiplexer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hakobu.client.detach import DetachKeys
    from hakobu.client.transport import Hijacked

_READ_BYTES = 64 * 1024


class Detached(Exception):
    """The detach keys were typed: the container runs on."""


def _writer(tty: bool, stdout: bool, stderr: bool) -> Callable[[bytes], None]:
    """What is done with received bytes."""
    if tty:
        return lambda data: write_all(STDOUT_FD, data)
    frames = Demultiplexer()

    def write(data: bytes) -> None:
        for stream, piece in frames.feed(data):
            if stream == STDERR:
                if stderr:
                    write_all(STDERR_FD, piece)
            elif stdout:
                write_all(STDOUT_FD, piece)

    return write


def pump(
    stream: Hijacked,
    *,
    stdin: bool,
    tty: bool,
    keys: DetachKeys | None = None,
    stdout: bool = True,
    stderr: bool = True,
) -> None:
    """Returns at the end of the output; Detached when the keys were typed."""
    write = _writer(tty, stdout, stderr)
    if not stdin:
        # As docker's client does: the engine learns at once that nothing will come.
        stream.half_close()
        while data := _received(stream):
            write(data)
        return
    _both_ways(stream, write, keys)


def _received(stream: Hijacked) -> bytes:
    try:
        return stream.recv()
    except ConnectionResetError:
        return b""


def _both_ways(stream: Hijacked, write: Callable[[bytes], None], keys: DetachKeys | None) -> None:
    import select

    if stream.rest:
        write(stream.recv())
    poll = select.poll()
    poll.register(stream.fileno(), select.POLLIN)
    poll.register(STDIN_FD, select.POLLIN)
    while True:
        ready = dict(poll.poll())
        if stream.fileno() in ready:
            data = _received(stream)
            if not data:
                return
            write(data)
        if STDIN_FD in ready and not _send_stdin(stream, keys):
            poll.unregister(STDIN_FD)


def _send_stdin(stream: Hijacked, keys: DetachKeys | None) -> bool:
    """One piece of stdin; False when there is no more of it, or nobody to take it."""
    try:
        data = os.read(STDIN_FD, _READ_BYTES)
    except OSError:
        data = b""
    if not data:
        stream.half_close()
        return False
    detached = False
    if keys is not None:
        data, detached = keys.feed(data)
    try:
        stream.send(data)
    except OSError:
        return False
    if detached:
        raise Detached
    return True
