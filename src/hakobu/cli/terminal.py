"""The caller's terminal: whether there is one, its size, raw mode, and news of a changed size."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
else:
    import _signal


def is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False


def size(fd: int = 1) -> tuple[int, int]:
    """Rows and columns; (0, 0) where it is not known."""
    try:
        columns, rows = os.get_terminal_size(fd)
    except OSError:
        return 0, 0
    return rows, columns


class RawMode:
    """Keys go through one by one, unechoed and uninterpreted, until the block is left.

    Output keeps its processing off as well: the container's terminal has done it already.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._saved: list[object] | None = None

    def __enter__(self) -> RawMode:
        import termios
        import tty

        if is_terminal(self._fd):
            self._saved = termios.tcgetattr(self._fd)
            tty.setraw(self._fd, termios.TCSADRAIN)
        return self

    def __exit__(self, *_: object) -> None:
        if self._saved is not None:
            import termios

            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._saved)  # pyright: ignore[reportArgumentType]


def on_resize(call: Callable[[int, int], None]) -> None:
    """Calls with rows and columns now, and whenever the terminal's size changes."""

    def told(*_: object) -> None:
        rows, columns = size()
        if rows and columns:
            call(rows, columns)

    _signal.signal(_signal.SIGWINCH, told)
    told()
