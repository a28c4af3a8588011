"""Progress messages of pull, push, load and import on a terminal or in a file.

On a terminal every layer keeps its line, and a bar; elsewhere only messages without a bar are printed.
"""

from __future__ import annotations

import os

from hakobu.cli.session import write_all
from hakobu.cli.text.size import decimal
from hakobu.client.codec import object_of
from hakobu.client.progress import messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hakobu.client.codec import Json
    from hakobu.client.transport import Response

_BAR = 50


def show(response: Response, fd: int, *, aux: Callable[[Json], None] | None = None) -> None:
    """Prints messages until their end; StreamError where one tells of a failure."""
    terminal = os.isatty(fd)
    with response:
        painter = _Painter(fd, terminal)
        for message in messages(response):
            if message.get("aux") is not None:
                if aux:
                    aux(message["aux"])
                continue
            painter.paint(message)


class _Painter:
    def __init__(self, fd: int, terminal: bool) -> None:
        self._fd = fd
        self._terminal = terminal
        self._lines: dict[str, int] = {}
        self._columns = _columns(fd) if terminal else 80

    def _write(self, text: str) -> None:
        write_all(self._fd, text.encode("utf-8", "surrogateescape"))

    def paint(self, message: Json) -> None:
        name = str(message.get("id") or "")
        tracked = bool(name) and ("progressDetail" in message or bool(message.get("progress")))
        if not tracked:
            self._lines.clear()
            self._write(self._text(message, name))
            return
        if not self._terminal:
            if not _bar(message, self._columns):
                self._write(self._text(message, name))
            return
        text = ""
        if name not in self._lines:
            self._lines[name] = len(self._lines)
            text = "\n"
        up = len(self._lines) - self._lines[name]
        bar = _bar(message, self._columns)
        line = f"{name}: {message.get('status', '')}{' ' + bar if bar else ''}"
        self._write(f"{text}\x1b[{up}A\x1b[2K\r{line}\r\x1b[{up}B")

    def _text(self, message: Json, name: str) -> str:
        if "stream" in message:
            return str(message["stream"])
        return f"{name + ': ' if name else ''}{message.get('status', '')}\n"


def _columns(fd: int) -> int:
    try:
        return os.get_terminal_size(fd).columns
    except OSError:
        return 80


def _bar(message: Json, columns: int) -> str:
    detail: Json = object_of(message.get("progressDetail"))
    current, total = int(detail.get("current") or 0), int(detail.get("total") or 0)
    if current <= 0 and total <= 0:
        return ""
    if detail.get("units"):
        return f"{current}/{total} {detail['units']}" if total else f"{current} {detail['units']}"
    if total <= 0:
        return decimal(current).rjust(8)
    share = min(current * 100 // total, 100) // 2
    bar = ""
    if columns > 110:
        bar = "[" + "=" * share + ">" + " " * (_BAR - share) + "] "
    numbers = f"{decimal(current).rjust(8)}/{decimal(total)}"
    return bar + (decimal(current).rjust(8) if current > total else numbers)
