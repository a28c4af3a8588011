"""A command in a container with the caller's terminal: raw keys in, output as it comes, the size passed on."""

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Generator

from hakobu.client.frame import STDERR, Demultiplexer
from hakobu.client.transport import Hijacked

_READ_BYTES = 64 * 1024


@contextlib.contextmanager
def raw_terminal(wanted: bool) -> Generator[None]:
    """Standard input in raw mode for the time of the block, where it is a terminal."""
    if not wanted or not sys.stdin.isatty():
        yield
        return
    saved = termios.tcgetattr(0)
    tty.setraw(0, termios.TCSADRAIN)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, saved)


def size() -> tuple[int, int] | None:
    """Rows and columns of the terminal, None where there is none."""
    try:
        columns, rows = os.get_terminal_size(1)
    except OSError:
        return None
    return (rows, columns) if rows and columns else None


def on_resize(call: Callable[[int, int], None]) -> None:
    def told(*_: object) -> None:
        if now := size():
            call(*now)

    signal.signal(signal.SIGWINCH, told)


def pump(stream: Hijacked, *, has_tty: bool) -> None:
    """Both ways until the output ends; the end of stdin ends that direction only."""
    frames = None if has_tty else Demultiplexer()
    poll = select.poll()
    poll.register(stream.fileno(), select.POLLIN)
    poll.register(0, select.POLLIN)
    if stream.rest:
        _write(stream.recv(), frames)
    while True:
        ready = dict(poll.poll())
        if stream.fileno() in ready:
            data = _receive(stream)
            if not data:
                return
            _write(data, frames)
        if 0 in ready and not _send_stdin(stream):
            poll.unregister(0)


def _receive(stream: Hijacked) -> bytes:
    try:
        return stream.recv()
    except ConnectionResetError:
        return b""


def _send_stdin(stream: Hijacked) -> bool:
    try:
        data = os.read(0, _READ_BYTES)
        if data:
            stream.send(data)
    except OSError:
        data = b""
    if not data:
        stream.half_close()
    return bool(data)


def _write(data: bytes, frames: Demultiplexer | None) -> None:
    pieces = [(1, data)] if frames is None else frames.feed(data)
    for number, piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[os.write(2 if number == STDERR else 1, view) :]
