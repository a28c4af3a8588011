"""The tree of a plan on a terminal, drawn anew in its place as things happen; other text goes above it.

While something is being done a thread turns the clock. What is drawn last stays.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Generator

from hakobu.compose.action import Action, Kind
from hakobu.compose.progress import DONE, Progress, subject_of
from hakobu.compose.tree import Item, render

_TICK_S = 0.1


class LiveProgress(Progress):
    """As `Progress`, for a terminal on stderr that understands cursor movements."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__(colour=colour)
        self._items: dict[str, Item] = {}
        self._drawn = 0
        self._is_shown = False
        self._draw_lock = threading.RLock()

    @contextlib.contextmanager
    def shown(self) -> Generator[None]:
        """The tree of one plan: begun with the first thing that happens, left standing at the end."""
        over = threading.Event()
        self._items, self._drawn, self._is_shown = {}, 0, True
        clock = threading.Thread(target=self._turn, args=(over,), daemon=True)
        clock.start()
        try:
            yield
        finally:
            over.set()
            clock.join()
            with self._draw_lock:
                self._draw()
                self._is_shown, self._drawn = False, 0

    @contextlib.contextmanager
    def paused(self) -> Generator[None]:
        with self._draw_lock:
            was_shown, self._is_shown = self._is_shown, False
            self._erase()
        try:
            yield
        finally:
            with self._draw_lock:
                self._is_shown = was_shown

    def _turn(self, over: threading.Event) -> None:
        while not over.wait(_TICK_S):
            with self._draw_lock:
                self._draw()

    def tell(self, action: Action, word: str, name: str = "") -> None:
        if not self._is_shown or self._quiet:
            super().tell(action, word, name)
            return
        subject = subject_of(action, name)
        is_container = subject.startswith("Container ")
        shown = name or action.name if is_container else subject
        now_s = time.monotonic()
        with self._draw_lock:
            item = self._items.get(shown)
            if item is None or (item.ended_s is not None and action.kind is not Kind.KEEP):
                began_s = item.began_s if item else now_s
                item = self._items[shown] = Item(action.service if is_container else "", shown, word, began_s)
            item.word = word
            if word.split(" ")[0] in DONE or word.startswith(("Warning", "Error", "Resource")):
                item.ended_s = now_s
            self._draw()

    def write(self, number: int, line: str) -> None:
        with self._draw_lock:
            self._erase()
            sys.stderr.flush()
            super().write(number, line)
            self._draw()

    def say(self, text: str) -> None:
        with self._draw_lock:
            self._erase()
            super().say(text)
            self._draw()

    def _erase(self) -> None:
        if self._drawn:
            sys.stderr.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def _draw(self) -> None:
        if not self._is_shown or not self._items:
            return
        columns, rows = _size()
        items = [*self._items.values()]
        lines = render(items, self.notes, time.monotonic(), columns=columns, rows=rows - 1, colour=self._colour)
        self._erase()
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        sys.stderr.flush()
        self._drawn = len(lines)


def _size() -> tuple[int, int]:
    try:
        columns, rows = os.get_terminal_size(2)
    except OSError:
        return 80, 24
    return columns or 80, rows or 24
