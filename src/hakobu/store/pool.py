"""Workers from the daemon's side: started when needed, kept warm for a moment, at most one a core.

Those whose pace a client sets, because they read from its socket or write to it, have places of their own: a client
that stands still holds back nobody else's work.

Synchronous; called from threads. A job that is abandoned (its thread was told to stop, or the worker died) ends
the worker with it: nothing half-done goes on in the background.
"""

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hakobu.errors import HakobuError, Kind
from hakobu.kernel import scm

# The jobs of one command (the layers of an image, the two of a copy) follow each other within milliseconds and share
# a worker, and whoever copies once does so again. A new one costs 60 ms, 120 on a machine that has other things to
# do; one that waits costs 11 MB, a quarter of an idle engine.
WARM_S = 5.0
_FULL = "`hakobu system df` shows what takes the space; `hakobu image prune` and `hakobu system prune` free some"


class WorkerFailed(HakobuError):
    """A job's failure as the worker told it, or that it died."""

    def __init__(self, message: str, kind: Kind, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


@dataclass(slots=True)
class _Worker:
    pid: int
    sock: socket.socket
    mounts: bool
    idle_since_s: float = 0.0


PACED = 16
"""How many clients may be sending or taking archives at once; the next ones wait."""


class WorkerPool:
    """`run` blocks until the job is done. `roots` are the folders of the store: all that a worker sees, unless its
    job is to mount a container's root."""

    def __init__(self, size: int = 0, roots: Sequence[str] = ()) -> None:
        self._roots = tuple(roots)
        self._slots = threading.BoundedSemaphore(size or max(2, os.cpu_count() or 1))
        self._paced = threading.BoundedSemaphore(PACED)
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._closed = False
        self.went_idle: Callable[[], None] = _nothing
        """Called in the thread of a job, when its worker has nothing to do: somebody calls `trim` after `WARM_S`."""

    def run(
        self,
        job: str,
        args: Mapping[str, Any],
        fds: Sequence[int] = (),
        on_progress: Callable[[Any], None] | None = None,
        *,
        paced: bool = False,
    ) -> Any:
        """`paced` by a client at the other end of one of the descriptors."""
        with self._paced if paced else self._slots:
            worker = self._take(mounts=_mounts(job, args))
            try:
                scm.send(worker.sock, json.dumps({"job": job, "args": args}).encode(), fds)
                result = self._follow(worker, on_progress)
            except WorkerFailed:
                self._put(worker)
                raise
            except BaseException:
                _end(worker)
                raise
            self._put(worker)
            return result

    def _follow(self, worker: _Worker, on_progress: Callable[[Any], None] | None) -> Any:
        while True:
            message = scm.receive(worker.sock)
            if message is None:
                raise HakobuError("a worker process ended in the middle of its job")
            told = json.loads(message.body)
            if "progress" in told:
                if on_progress is not None:
                    on_progress(told["progress"])
            elif "error" in told:
                kind = Kind(told["error"]["kind"])
                raise WorkerFailed(told["error"]["message"], kind, hint=_FULL if told["error"].get("full") else "")
            else:
                return told["ok"]

    def _take(self, *, mounts: bool) -> _Worker:
        self.trim()
        with self._lock:
            found = next((worker for worker in reversed(self._idle) if worker.mounts == mounts), None)
            if found is not None:
                self._idle.remove(found)
                return found
        return _start(self._roots, mounts=mounts)

    def _put(self, worker: _Worker) -> None:
        worker.idle_since_s = time.monotonic()
        with self._lock:
            closed = self._closed
            if not closed:
                self._idle.append(worker)
        if closed:
            _end(worker)
        else:
            self.went_idle()

    def trim(self, older_than_s: float = WARM_S) -> int:
        """Ends workers that have had nothing to do for a while; how many wait still."""
        limit = time.monotonic() - older_than_s
        with self._lock:
            old = [w for w in self._idle if w.idle_since_s <= limit]
            self._idle = [w for w in self._idle if w.idle_since_s > limit]
            waiting = len(self._idle)
        for worker in old:
            _end(worker)
        return waiting

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self.trim(-1.0)


def _nothing() -> None:
    """Nobody trims: workers stay until the next job or the end."""


def _mounts(job: str, args: Mapping[str, Any]) -> bool:
    """Whether it walks a root that it has to mount; what lies below it may come from anywhere on the host."""
    return "overlay" in args or job == "image-diff"


def _start(roots: tuple[str, ...], *, mounts: bool) -> _Worker:
    """Absolute path, empty environment, no descriptor but the socket and stderr."""
    ours, theirs = scm.pair()
    with theirs:
        argv = [sys.executable, "-I", "-B", "-m", "hakobu.store.worker", "mounts" if mounts else "store", *roots]
        actions: list[Any] = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0),
            (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3),
        ]
        pid = os.posix_spawn(sys.executable, argv, {}, file_actions=actions)
    return _Worker(pid, ours, mounts)


def _end(worker: _Worker) -> None:
    worker.sock.close()
    try:
        os.kill(worker.pid, signal.SIGKILL)
        os.waitpid(worker.pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
