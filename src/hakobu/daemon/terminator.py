"""The process that ends clients' TLS (`api/tls`): started with the API, started again where it dies, ended with it."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Sequence

from hakobu.api.tls.context import TlsFiles

_log = logging.getLogger("hakobu.daemon")
_AGAIN_S = 1.0


class Terminator:
    """`engine_path` is a unix socket on which the API answers; `listeners` are TCP's."""

    def __init__(self, listeners: Sequence[socket.socket], files: TlsFiles, engine_path: str) -> None:
        self._listeners, self._files, self._engine_path = tuple(listeners), files, engine_path
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._watch = asyncio.get_running_loop().create_task(self._keep(), name="TLS")

    async def _keep(self) -> None:
        while True:
            self._process = self._spawn()
            await _ended(self._process)
            _log.error("the process that speaks TLS ended with %s and is started again", self._process.returncode)
            await asyncio.sleep(_AGAIN_S)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        fds = [listener.fileno() for listener in self._listeners]
        files = (self._files.cacert, self._files.cert, self._files.key)
        argv = [sys.executable, "-I", "-m", "hakobu.api.tls", self._engine_path, *files, *map(str, fds)]
        return subprocess.Popen(argv, pass_fds=fds, stdin=subprocess.DEVNULL, cwd="/")

    async def close(self) -> None:
        """Its clients' connections end too: there is no TLS without it."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._process is not None:
            self._process.terminate()
            await _ended(self._process)
        for listener in self._listeners:
            listener.close()


async def _ended(process: "subprocess.Popen[bytes]") -> None:
    """Waits without a thread."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    fd = os.pidfd_open(process.pid)
    loop.add_reader(fd, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)
    process.wait()
