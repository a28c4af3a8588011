"""A command in a container with the caller's terminal: raw keys in, output as it comes, the size passed on."""

import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Generator

from hakobu.client.exchange import exchange
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
    exchange(stream, lambda data: _write(data, frames), _read_stdin, 0)


def _read_stdin() -> bytes | None:
    try:
        return os.read(0, _READ_BYTES) or None
    except OSError:
        return None


def _write(data: bytes, frames: Demultiplexer | None) -> None:
    pieces = [(1, data)] if frames is None else frames.feed(data)
    for number, piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[os.write(2 if number == STDERR else 1, view) :]
