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
        while data := stream.recv():
            write(data)
        return
    from hakobu.client.exchange import exchange

    exchange(stream, write, lambda: _read_stdin(stream, keys), STDIN_FD)


def _read_stdin(stream: Hijacked, keys: DetachKeys | None) -> bytes | None:
    """One piece of stdin, None at its end. Detached when the keys were typed, what came before them being sent."""
    try:
        data = os.read(STDIN_FD, _READ_BYTES)
    except OSError:
        return None
    if not data or keys is None:
        return data or None
    data, detached = keys.feed(data)
    if detached:
        try:
            stream.send(data)
        except OSError:
            pass  # nobody takes it any more
        raise Detached
    return data
