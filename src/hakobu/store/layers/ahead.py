"""Blocks made by a thread that is a few ahead of whoever takes them, and whose errors arrive in their place.

Inflating lets go of the interpreter's lock, so that with the unpacking it makes use of two cores.
Invariant: once `close` has returned, the thread has ended and touches nothing any more.
"""

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

Block = bytes | memoryview
"""What is passed on uncopied; a view is of bytes that nobody changes."""

_DEPTH = 8


class Ahead:
    """Iterates over `blocks`, once. `halt` ends what their making may be waiting for; it is called by `close`."""

    def __init__(self, blocks: Iterator[Block], halt: Callable[[], None]) -> None:
        self._blocks, self._halt, self._ended = blocks, halt, False
        self._items: SimpleQueue[Block | BaseException | None] = SimpleQueue()
        self._room: SimpleQueue[bool] = SimpleQueue()
        for _ in range(_DEPTH):
            self._room.put(True)
        self._thread = threading.Thread(target=self._make, name="ahead", daemon=True)
        self._thread.start()

    def _make(self) -> None:
        try:
            while self._room.get() and (block := next(self._blocks, None)) is not None:
                self._items.put(block)
            self._items.put(None)
        except BaseException as error:
            self._items.put(error)

    def __iter__(self) -> Iterator[Block]:
        while not self._ended:
            item = self._items.get()
            if item is None or isinstance(item, BaseException):
                self._ended = True
                if item is not None:
                    raise item
                return
            self._room.put(True)
            yield item

    def close(self) -> None:
        if not self._ended:
            self._ended = True
            self._halt()
            for _ in range(_DEPTH + 1):
                self._room.put(False)
        self._thread.join()
