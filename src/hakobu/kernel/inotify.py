"""inotify(7): being told that a directory's files changed, without asking again and again."""

import ctypes
import os
import select
from types import TracebackType

IN_MODIFY = 0x00000002
IN_ATTRIB = 0x00000004
IN_CLOSE_WRITE = 0x00000008
IN_MOVED_FROM = 0x00000040
IN_MOVED_TO = 0x00000080
IN_CREATE = 0x00000100
IN_DELETE = 0x00000200
IN_ONLYDIR = 0x01000000
IN_NONBLOCK = os.O_NONBLOCK
IN_CLOEXEC = os.O_CLOEXEC

_libc = ctypes.CDLL(None, use_errno=True)
_libc.inotify_init1.argtypes = [ctypes.c_int]
_libc.inotify_add_watch.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]


class Watch:
    """A watch on one directory; a context manager that owns its descriptor."""

    def __init__(self, directory: str) -> None:
        self._fd = _libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "inotify_init1")
        mask = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE
        if _libc.inotify_add_watch(self._fd, os.fsencode(directory), mask) < 0:
            code = ctypes.get_errno()
            os.close(self._fd)
            raise OSError(code, os.strerror(code), directory)

    def __enter__(self) -> "Watch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    async def changed(self, at_most_s: float) -> bool:
        """Waits for a change since the last call, or for the time to pass; drains what was reported."""
        if self._drain():
            return True
        import asyncio  # `compose` waits for changes without it

        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._fd, lambda: ready.done() or ready.set_result(None))
        try:
            await asyncio.wait_for(ready, at_most_s)
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(self._fd)
        return self._drain()

    def _drain(self) -> bool:
        seen = False
        try:
            while os.read(self._fd, 65536):
                seen = True
        except BlockingIOError:
            pass
        return seen


class Watches:
    """Watches on many directories through one descriptor, for callers without a loop; owns it as a context manager."""

    def __init__(self) -> None:
        self._fd = _libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "inotify_init1")

    def __enter__(self) -> "Watches":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def add(self, directory: str) -> None:
        """Watches one directory, not those below it; the kernel keeps one watch for one that is added again."""
        mask = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO
        if _libc.inotify_add_watch(self._fd, os.fsencode(directory), mask | IN_ONLYDIR) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), directory)

    def wait(self, at_most_s: float | None) -> bool:
        """Whether something changed before the time had passed; what was reported is drained."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        ready = bool(poll.poll(None if at_most_s is None else at_most_s * 1000))
        try:
            while os.read(self._fd, 65536):
                continue
        except BlockingIOError:
            return ready
        return ready
