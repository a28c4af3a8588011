"""Who did what: one line of JSON for each request on a scoped socket, answered or refused.

The kernel says who connected (SO_PEERCRED: process, user, group, of the moment of the connect); the command is what
/proc calls that process now, so it helps the reader and proves nothing. Queries, headers and bodies may hold
secrets and are not written. A file that cannot be written is said once in the engine's log: answers go on.
"""

import json
import logging
import os
import time
from collections.abc import Awaitable, Callable
from typing import Final

from hakobu.api import status
from hakobu.api.http.exchange import Answer, Hijack, Peer, Request

MAX_BYTES: Final = 16 << 20
_SWITCHING, _OK = 101, 200
_COMMAND_BYTES = 256

_log = logging.getLogger("hakobu.api")
Run = Callable[[Request], Answer | Awaitable[Answer]]


class AuditLog:
    """Appends to `path`, mode 0600; a full file becomes `path.1`, the one before it goes."""

    def __init__(self, path: str, max_bytes: int = MAX_BYTES) -> None:
        self._path, self._max_bytes = path, max_bytes
        self._fd = -1
        self._size = 0
        self._broken = False

    def write(self, socket: str, request: Request, code: int) -> None:
        peer = request.peer()
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() // 1000000 % 1000:03}Z",
            "socket": socket,
            "pid": peer.pid,
            "uid": peer.uid,
            "gid": peer.gid,
            "command": command_of(peer),
            "method": request.head.method,
            "path": request.path,
            "status": code,
        }
        self._append(json.dumps(line, ensure_ascii=True).encode() + b"\n")

    def _append(self, line: bytes) -> None:
        try:
            if self._fd < 0:
                self._open()
            if self._size and self._size + len(line) > self._max_bytes:
                self._turn()
            self._size += os.write(self._fd, line)
            self._broken = False
        except OSError as error:
            if not self._broken:
                _log.error("the audit log %s cannot be written: %s", self._path, error.strerror)
            self._broken = True

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(self._path, flags, 0o600)
        self._size = os.fstat(self._fd).st_size

    def _turn(self) -> None:
        self.close()
        os.replace(self._path, f"{self._path}.1")
        self._open()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def command_of(peer: Peer) -> str:
    """Its argument list, cut; empty where the process is gone or not of this pid namespace."""
    if peer.pid <= 0:
        return ""
    try:
        with open(f"/proc/{peer.pid}/cmdline", "rb") as file:
            raw = file.read(_COMMAND_BYTES)
    except OSError:
        return ""
    return raw.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")


def recorded(socket: str, log: AuditLog, run: Run) -> Run:
    """`run`, with a line when its answer (or refusal) is known; a stream's when it begins."""

    def call(request: Request) -> Answer | Awaitable[Answer]:
        try:
            answer = run(request)
        except Exception as error:
            log.write(socket, request, status.code_of(error))
            raise
        if isinstance(answer, Awaitable):
            return awaited(request, answer)
        log.write(socket, request, _code(request, answer))
        return answer

    async def awaited(request: Request, pending: Awaitable[Answer]) -> Answer:
        try:
            answer = await pending
        except Exception as error:
            log.write(socket, request, status.code_of(error))
            raise
        log.write(socket, request, _code(request, answer))
        return answer

    return call


def _code(request: Request, answer: Answer) -> int:
    if isinstance(answer, Hijack):
        return _SWITCHING if request.head.upgrade else _OK
    return answer.status
