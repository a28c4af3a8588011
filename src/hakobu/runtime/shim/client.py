"""One attached client: its connection, what waits to be sent to it, what it types.

Framed by Docker's 8-byte headers unless the process has a terminal. A client that does not read is waited for
(as Docker waits), with at most `LIMIT` bytes kept; other containers have shims of their own.
"""

import errno
import json
import os
import socket
import struct
from collections import deque
from collections.abc import Callable

from hakobu.runtime.shim.loop import HANGUP, IN, OUT, Loop
from hakobu.spec.plan import Attachment

LIMIT = 1 << 20
_HEADER = struct.Struct(">BxxxL")
_STREAM = {"stdin": 0, "stdout": 1, "stderr": 2}
_REPLAY_BYTES = 1 << 17


class Client:
    """`typed` gets what the client sends, b"" for its half-close; `changed` is called when its queue shrank."""

    def __init__(
        self,
        loop: Loop,
        attachment: Attachment,
        *,
        framed: bool,
        typed: "Callable[[Client, bytes], bool]",
        changed: Callable[[], None],
        left: "Callable[[Client, bool], None]",
    ) -> None:
        self._loop, self.attachment, self._framed = loop, attachment, framed
        self._typed, self._changed, self._left = typed, changed, left
        self.fd = attachment.fd
        os.set_blocking(self.fd, False)
        self._queue: deque[memoryview] = deque()
        self._queued = 0
        self._input_open = attachment.stdin
        self._input_paused = False
        self._closing = False
        self._matched = 0
        self.closed = False
        self._replay_at = -1
        self._replay_path = ""
        self._watch()

    @property
    def full(self) -> bool:
        return self._queued >= LIMIT

    def begin(self) -> None:
        """Hands on what was read behind the request's head."""
        if self._input_open and self.attachment.already_read:
            self._take(self.attachment.already_read)

    def wants(self, stream: str) -> bool:
        return self.attachment.stdout if stream == "stdout" else self.attachment.stderr

    def replay(self, path: str) -> None:
        """Sends what the log at `path` holds, then goes over to what comes without a gap."""
        self._replay_path, self._replay_at = path, 0

    def advance_replay(self, size: int) -> None:
        """Sends the next part of the log; over once the log's present size was reached."""
        if self._replay_at < 0 or self.full or self.closed:
            return
        with open(self._replay_path, "rb") as file:
            file.seek(self._replay_at)
            block = file.read(_REPLAY_BYTES)
        cut = block.rfind(b"\n") + 1
        for raw in block[:cut].splitlines():
            try:
                line = json.loads(raw)
                stream, text = line["stream"], line["log"].encode()
            except (ValueError, KeyError, TypeError):
                continue
            if self.wants(stream):
                self._enqueue(stream, text)
        self._replay_at += cut
        if self._replay_at >= size or not cut:
            self._replay_at = -1
            if not self.attachment.stream:
                self.close()

    @property
    def replaying(self) -> bool:
        return self._replay_at >= 0

    def send(self, stream: str, data: bytes) -> None:
        live = self.attachment.stream and not self.replaying and not self.closed and not self._closing
        if live and self.wants(stream):
            self._enqueue(stream, data)

    def close(self) -> None:
        """After what is queued was sent."""
        self._closing = True
        self._flush()

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            self._loop.forget(self.fd)
            os.close(self.fd)
            self._queue.clear()
            self._queued = 0
            self._changed()

    def pause_input(self, paused: bool) -> None:
        if self._input_paused != paused:
            self._input_paused = paused
            if not self.closed:
                self._watch()

    def _enqueue(self, stream: str, data: bytes) -> None:
        if self._framed:
            data = _HEADER.pack(_STREAM[stream], len(data)) + data
        self._queue.append(memoryview(data))
        self._queued += len(data)
        self._flush()

    def _flush(self) -> None:
        before = self._queued
        try:
            while self._queue:
                sent = os.write(self.fd, self._queue[0])
                self._queued -= sent
                if sent == len(self._queue[0]):
                    self._queue.popleft()
                else:
                    self._queue[0] = self._queue[0][sent:]
        except BlockingIOError:
            pass
        except OSError:
            self._gone()
            return
        if self._closing and not self._queue:
            self._finish()
            return
        self._watch()
        if before >= LIMIT > self._queued:
            self._changed()

    def _finish(self) -> None:
        """The end of the output is told by a shutdown: others may hold the same connection open."""
        try:
            sock = socket.socket(fileno=os.dup(self.fd))
            with sock:
                sock.shutdown(socket.SHUT_RDWR)
        except OSError as error:
            if error.errno not in (errno.ENOTCONN, errno.ENOTSOCK):
                raise
        self.abort()

    def _watch(self) -> None:
        # a half-close is no departure (the docker CLI half-closes at once without -i): only the full hang-up is,
        # which epoll reports unasked
        mask = IN if self._input_open and not self._input_paused else 0
        self._loop.watch(self.fd, mask | (OUT if self._queue else 0), self._ready)

    def _ready(self, events: int) -> None:
        if events & OUT:
            self._flush()
        if self.closed:
            return
        if events & IN and self._input_open:
            self._read()
        elif events & HANGUP:
            self._gone()

    def _read(self) -> None:
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return
        except OSError:
            self._gone()
            return
        if not data:
            self._input_open = False
            self._typed(self, b"")
            if not self.closed:
                self._watch()
            return
        self._take(data)

    def _take(self, data: bytes) -> None:
        # only who sits at a terminal can type the keys; a stream of bytes may hold them by chance
        keys = b"" if self._framed else self.attachment.detach_keys
        if keys:
            data, detached = self._scan(data, keys)
            if data:
                self._typed(self, data)
            if detached:
                self._left(self, True)
                self._finish()
            return
        self._typed(self, data)

    def _scan(self, data: bytes, keys: bytes) -> tuple[bytes, bool]:
        """What to hand on, and whether the sequence is complete; a part of it is held back until it is not."""
        if self._matched == 0 and keys[0] not in data:
            return data, False
        out = bytearray()
        for byte in data:
            if byte == keys[self._matched]:
                self._matched += 1
                if self._matched == len(keys):
                    return bytes(out), True
                continue
            out += keys[: self._matched]
            self._matched = 1 if byte == keys[0] else 0
            if not self._matched:
                out.append(byte)
        return bytes(out), False

    def _gone(self) -> None:
        self._left(self, False)
        self.abort()
