"""Where a job's stream goes: a client's socket, in the chunks of its HTTP response, or a pipe as it is.

Small writes are gathered, large files go from the page cache to the socket by sendfile.
"""

import errno
import os
import select
from typing import Final

_GATHERED_BYTES: Final = 512 << 10
_SENT_BYTES: Final = 64 << 10  # a smaller file is read: a chunk of its own would cost more than the copy
_READ_BYTES: Final = 1 << 20
_NOT_SENDABLE: Final = frozenset((errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP))


class Sink:
    """`close` sends what was gathered; it does not end the response."""

    def __init__(self, fd: int, *, chunked: bool) -> None:
        self._fd: Final = fd
        self._chunked: Final = chunked
        self._parts: list[bytes] = []
        self._size = 0
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def write(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size >= _GATHERED_BYTES:
            self.flush()

    def flush(self) -> None:
        if not self._size:
            return
        parts, size = self._parts, self._size
        self._parts, self._size = [], 0
        self._send(b"".join((b"%x\r\n" % size, *parts, b"\r\n")) if self._chunked else b"".join(parts))

    close = flush

    def file(self, fd: int, size: int) -> None:
        """`size` bytes of a file from its beginning: one that shrinks meanwhile is filled up, one that grows is cut."""
        if size < _SENT_BYTES:
            self.write(_filled(os.read(fd, size), size) if size else b"")
            return
        self.flush()
        if self._chunked:
            self._send(b"%x\r\n" % size)
        self._send_file(fd, size)
        if self._chunked:
            self._send(b"\r\n")

    def _send_file(self, fd: int, size: int) -> None:
        offset = 0
        while offset < size:
            try:
                sent = os.sendfile(self._fd, fd, offset, size - offset)
            except BlockingIOError:
                self._poll.poll()
                continue
            except OSError as error:
                if error.errno not in _NOT_SENDABLE:
                    raise
                data = os.pread(fd, min(size - offset, _READ_BYTES), offset)
                sent = len(data)
                self._send(data)
            if not sent:
                break
            offset += sent
        self._send_zeros(size - offset)

    def _send_zeros(self, size: int) -> None:
        while size:
            block = bytes(min(size, _READ_BYTES))
            self._send(block)
            size -= len(block)

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                self._poll.poll()


def _filled(data: bytes, size: int) -> bytes:
    return data if len(data) == size else data.ljust(size, b"\0")
