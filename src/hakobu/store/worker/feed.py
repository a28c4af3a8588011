"""The bytes of a job's descriptor, in blocks as they come."""

import os
import select
from collections.abc import Iterator
from typing import Final

from hakobu.errors import HakobuError
from hakobu.store.layers.inflate import CHUNK


class Feed:
    """Iterates over blocks until the end. `stop`, from any thread, makes it fail instead of waiting for more."""

    def __init__(self, fd: int) -> None:
        self._fd: Final = fd
        self._stop_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._poll.register(self._stop_fd, select.POLLIN)

    def __iter__(self) -> Iterator[bytes]:
        while block := self._read():
            yield block

    def _read(self) -> bytes:
        if any(fd == self._stop_fd for fd, _ in self._poll.poll()):
            raise HakobuError("the job has ended")
        return os.read(self._fd, CHUNK)

    def stop(self) -> None:
        os.eventfd_write(self._stop_fd, 1)

    def close(self) -> None:
        os.close(self._stop_fd)
