"""Writing a blob: hashed and brought to the disk by a thread of its own, past the page cache where that is possible.

A blob is written once and hardly ever read again; its layer is unpacked beside it, and that is what containers
read. Through the page cache its pages would cost as much as the layer's own, and push out what is in use.
O_DIRECT takes whole pieces from memory of our own; the beginning and the end go the usual way.

Invariant: what a sync has returned for is whole, in order and on the disk. The thread ends with `close` at the latest.
"""

import errno
import fcntl
import hashlib
import os
import threading
from mmap import mmap
from queue import SimpleQueue

from hakobu.kernel.sync import begin_writing

PIECE_BYTES = 4 << 20
"""A multiple of every page and block size, and large enough that handing over is nothing beside it."""
_PIECES = 2
HEAD_BYTES = PIECE_BYTES
"""Written as it comes, so that a small blob is a simple matter. Afterwards a kill of this process loses two pieces."""


class BlobFile:
    """Takes the descriptor of a new file, open for writing; `close` closes it.

    An error of the thread (a full disk) is raised by the next `write`, `digest_hex` or `sync`.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._hash = hashlib.sha256()
        self._piece: mmap | None = None
        self._filled = 0
        self._empty: SimpleQueue[mmap] = SimpleQueue()
        self._full: SimpleQueue[mmap | threading.Event | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._error: OSError | None = None
        self._is_direct = False
        self._offset = 0

    def write(self, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        if (left := HEAD_BYTES - self._offset) > 0:  # only the thread moves it further, and never below
            head, rest = rest[:left], rest[left:]
            self._hash.update(head)
            self._write_plainly(head)
        while rest:
            piece = self._piece
            if piece is None:
                piece = self._piece = self._take()
            end = min(self._filled + len(rest), PIECE_BYTES)
            taken = end - self._filled
            piece[self._filled : end] = rest[:taken]
            self._filled, rest = end, rest[taken:]
            if end == PIECE_BYTES:
                self._hand_over(piece)

    def digest_hex(self) -> str:
        """SHA-256 of all that was written so far."""
        self._settle()
        whole = self._hash.copy()
        if self._piece is not None:
            whole.update(memoryview(self._piece)[: self._filled])
        return whole.hexdigest()

    def flush(self) -> None:
        """All of it into the file; what comes afterwards goes through the page cache."""
        self._settle()
        if self._piece is None or not self._filled:
            return
        if self._is_direct:
            self._set_direct(False)
        rest = memoryview(self._piece)[: self._filled]
        self._hash.update(rest)
        self._write_plainly(rest)
        self._filled = 0

    def sync(self) -> None:
        self.flush()
        os.fsync(self._fd)

    def close(self) -> None:
        """What was not flushed is dropped."""
        if self._thread is not None:
            self._full.put(None)
            self._thread.join()
            self._thread = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _take(self) -> mmap:
        """A piece to fill: the first one is made, the others wait for the thread."""
        self._raise()
        if self._thread is None:
            return mmap(-1, PIECE_BYTES)
        piece = self._empty.get()
        self._raise()
        return piece

    def _hand_over(self, piece: mmap) -> None:
        if self._thread is None:
            self._set_direct(True)
            for _ in range(_PIECES - 1):
                self._empty.put(mmap(-1, PIECE_BYTES))
            self._thread = threading.Thread(target=self._drain, name="blob", daemon=True)
            self._thread.start()
        self._full.put(piece)
        self._piece, self._filled = None, 0

    def _settle(self) -> None:
        """Returns when the thread has nothing left to do."""
        if self._thread is not None:
            done = threading.Event()
            self._full.put(done)
            done.wait()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _drain(self) -> None:
        while (item := self._full.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
                continue
            if self._error is None:
                try:
                    self._hash.update(item)
                    self._write_piece(item)
                except OSError as error:
                    self._error = error
            self._empty.put(item)

    def _write_piece(self, piece: mmap) -> None:
        data = memoryview(piece)
        if self._is_direct:
            data = data[self._write_directly(data) :]
        if data:
            self._write_plainly(data)

    def _write_directly(self, data: memoryview) -> int:
        """How much went; from a short write on, what is left may begin anywhere, and goes the usual way."""
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            written = 0  # the file system has the flag, and not the thing
        self._offset += written
        if written < len(data):
            self._set_direct(False)
        return written

    def _write_plainly(self, data: memoryview) -> None:
        begun = self._offset
        while data:
            written = os.write(self._fd, data)
            self._offset += written
            data = data[written:]
        if self._offset - begun > PIECE_BYTES // 2:
            begin_writing(self._fd, begun, self._offset - begun)  # so that a sync has little left to wait for

    def _set_direct(self, wanted: bool) -> None:
        """File systems in memory or in user space may not take it."""
        flags = fcntl.fcntl(self._fd, fcntl.F_GETFL)
        try:
            fcntl.fcntl(self._fd, fcntl.F_SETFL, flags | os.O_DIRECT if wanted else flags & ~os.O_DIRECT)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return
        self._is_direct = wanted
