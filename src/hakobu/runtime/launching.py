"""The daemon's side of the launcher: one an instance, started when it is needed and anew when it has died.

The two speak in single bytes, because what the launcher decoded would lie in the memory of each shim: it says
`READY` once and `FORKED` after each fork; a request is one byte beside the descriptor of the shim's socket.
"""

import asyncio
import os
import shutil
import socket
import sys
from collections import deque

import hakobu
from hakobu.kernel import memory_interpreter, probe, scm
from hakobu.runtime.failure import StepFailed
from hakobu.runtime.message import CONTROL_FD, FORK

_BOOT = "import sys; sys.path[:] = {paths!r}; from hakobu.runtime.launcher import main; main()"


class Launcher:
    """A launcher that runs, or did: `ended` then. What is waited for when it ends raises `StepFailed`."""

    def __init__(self, sock: socket.socket, pid: int) -> None:
        self._sock, self.pid = sock, pid
        self._awaited: deque[asyncio.Future[None]] = deque()
        self.ended = False
        sock.setblocking(False)
        asyncio.get_running_loop().add_reader(sock.fileno(), self._readable)

    async def fork(self) -> socket.socket:
        """A new shim's socket."""
        ours, theirs = scm.pair()
        try:
            with theirs:
                await self._send(theirs.fileno())
            await self.word()
        except BaseException:
            ours.close()
            raise
        return ours

    async def _send(self, fd: int) -> None:
        while not self.ended:
            try:
                socket.send_fds(self._sock, [FORK], [fd])
                return
            except BlockingIOError:
                await asyncio.sleep(0.001)
            except OSError:
                self.close()

    async def word(self) -> None:
        """The next one of it: that it is ready, that it has forked."""
        if self.ended:
            raise _ended()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited.append(future)
        await future

    def _readable(self) -> None:
        try:
            while self._sock.recv(1):
                future = self._awaited.popleft()
                if not future.done():
                    future.set_result(None)
        except BlockingIOError:
            return
        except OSError:
            pass
        self.close()

    def close(self) -> None:
        if self.ended:
            return
        self.ended = True
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._sock.close()
        for future in self._awaited:
            if not future.done():
                future.set_exception(_ended())


class Launching:
    """`directory` is the instance's own, for the launcher to warm up in."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._launcher: Launcher | None = None
        self._starting = asyncio.Lock()
        self._interpreter: memory_interpreter.MemoryInterpreter | None = None

    @property
    def pid(self) -> int:
        return self._launcher.pid if self._launcher is not None else 0

    async def need(self) -> Launcher:
        async with self._starting:
            if self._launcher is None or self._launcher.ended:
                self._launcher = await self._start()
            return self._launcher

    async def _start(self) -> Launcher:
        if self._interpreter is None:
            self._interpreter = memory_interpreter.load()
        shutil.rmtree(self._directory, ignore_errors=True)
        os.makedirs(self._directory, mode=0o700)
        ours, theirs = scm.pair()
        with theirs:
            pid = _spawn(self._interpreter, theirs.fileno(), self._directory)
        launcher = Launcher(ours, pid)
        try:
            await launcher.word()
        except BaseException:  # cancelled, too: nobody else knows of the process
            _end(launcher)
            raise
        shutil.rmtree(self._directory, ignore_errors=True)
        return launcher

    def close(self) -> None:
        """May be called twice."""
        launcher, self._launcher = self._launcher, None
        if launcher is not None:
            _end(launcher)
        interpreter, self._interpreter = self._interpreter, None
        if interpreter is not None:
            interpreter.close()


def _end(launcher: Launcher) -> None:
    """It leaves at the end of its connection."""
    launcher.close()
    os.waitpid(launcher.pid, 0)


def _ended() -> StepFailed:
    return StepFailed("launcher", "the launcher ended; the next start makes a new one")


def _spawn(interpreter: memory_interpreter.MemoryInterpreter, fd: int, directory: str) -> int:
    """Only the control socket is inherited; stderr stays the daemon's, for last words."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(hakobu.__file__)))
    library = [p for p in sys.path if p.endswith((".zip", "lib-dynload")) or os.path.isfile(f"{p}/os.py")]
    boot = _BOOT.format(paths=[*library, package])
    actions = [(os.POSIX_SPAWN_DUP2, fd, CONTROL_FD)]
    # A pretended kernel (tests) is the one thing of our environment that goes on.
    env = {**interpreter.env, **{k: v for k, v in os.environ.items() if k == probe.ENVIRONMENT}}
    return os.posix_spawn(interpreter.path, interpreter.argv("-c", boot, directory), env, file_actions=actions)
