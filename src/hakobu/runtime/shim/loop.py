"""One epoll loop: descriptors to callbacks, and deadlines."""

import heapq
import select
import time
from collections.abc import Callable

IN = select.EPOLLIN
OUT = select.EPOLLOUT
HANGUP = select.EPOLLHUP | select.EPOLLERR


class Loop:
    """Callbacks get the events; each descriptor has one callback at a time."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._masks: dict[int, int] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self.running = True

    def close(self) -> None:
        self._epoll.close()

    def watch(self, fd: int, mask: int, callback: Callable[[int], None]) -> None:
        """Replaces what was watched for `fd`; a mask of 0 keeps it registered for hang-ups alone."""
        if fd in self._masks:
            if self._masks[fd] != mask:
                self._epoll.modify(fd, mask)
        else:
            self._epoll.register(fd, mask)
        self._masks[fd], self._callbacks[fd] = mask, callback

    def forget(self, fd: int) -> None:
        if self._masks.pop(fd, None) is not None:
            self._callbacks.pop(fd, None)
            self._epoll.unregister(fd)

    def after(self, delay_s: float, callback: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._timers, (time.monotonic() + delay_s, self._count, callback))

    def run(self) -> None:
        while self.running:
            self.turn()

    def turn(self, at_most_s: float = -1) -> bool:
        """Waits once, at most so long (-1: without end), and calls whoever it concerns; whether there was anybody."""
        ready = self._epoll.poll(self._timeout(at_most_s))
        for fd, events in ready:
            if (callback := self._callbacks.get(fd)) is not None:
                callback(events)
        return self._fire() or bool(ready)

    def _timeout(self, at_most_s: float) -> float:
        if not self._timers:
            return at_most_s
        due_s = max(0.0, self._timers[0][0] - time.monotonic())
        return due_s if at_most_s < 0 else min(due_s, at_most_s)

    def _fire(self) -> bool:
        fired = False
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()
            fired = True
        return fired
