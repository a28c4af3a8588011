"""Being told that the kernel killed something for want of memory.

On v2 `memory.events` is watched by inotify; on v1 an eventfd is registered for `memory.oom_control`. Both wake for
more than kills (a limit raised, the cgroup's removal), so the counter is compared.
Constants: sys/inotify.h, sys/eventfd.h.
"""

import os
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_uint32
from typing import Final

from hakobu.kernel.libc import check, function
from hakobu.spec.dataclass import dataclass

IN_MODIFY: Final = 0x2
IN_CLOEXEC: Final = os.O_CLOEXEC
IN_NONBLOCK: Final = os.O_NONBLOCK
EFD_CLOEXEC: Final = os.O_CLOEXEC
EFD_NONBLOCK: Final = os.O_NONBLOCK

_inotify_init1 = function("inotify_init1", c_int)
_inotify_add_watch = function("inotify_add_watch", c_int, c_char_p, c_uint32)
_eventfd = function("eventfd", c_uint32, c_int)


@dataclass(slots=True)
class OomWatch:
    """Poll `fd` for reading; then `take` says how many kills there were since the last call."""

    fd: int
    count: Callable[[], int]
    seen: int = 0

    def take(self) -> int:
        """Empties the descriptor; 0 for a wake-up that meant something else, or once the cgroup is gone."""
        try:
            while os.read(self.fd, 65536):
                pass
        except BlockingIOError:
            pass
        now = self.count()
        new, self.seen = max(now - self.seen, 0), max(now, self.seen)
        return new

    def close(self) -> None:
        os.close(self.fd)


def watch_events_file(path: str, count: Callable[[], int]) -> OomWatch:
    """A watch of v2's memory.events."""
    fd = check(_inotify_init1(IN_CLOEXEC | IN_NONBLOCK), "inotify_init1")
    try:
        check(_inotify_add_watch(fd, os.fsencode(path), IN_MODIFY), "inotify_add_watch", path)
    except OSError:
        os.close(fd)
        raise
    return OomWatch(fd, count, count())


def watch_oom_control(directory: str, count: Callable[[], int]) -> OomWatch:
    """A watch of v1's memory.oom_control; the registration ends with the descriptor."""
    fd = check(_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")
    try:
        control = os.open(f"{directory}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
        try:
            event = os.open(f"{directory}/cgroup.event_control", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(event, f"{fd} {control}".encode())
            finally:
                os.close(event)
        finally:
            os.close(control)
    except OSError:
        os.close(fd)
        raise
    return OomWatch(fd, count, count())
