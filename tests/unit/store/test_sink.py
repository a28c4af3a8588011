"""Bytes out of a worker: gathered, in chunks or as they are, files by sendfile."""

import os
import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest

from hakobu.store.worker.sink import Sink

LARGE = bytes(range(256)) * 2000


def received(write, *, chunked: bool) -> bytes:
    """What arrives at the other end of a socket like the daemon's: it does not block."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    parts: list[bytes] = []

    def read() -> None:
        while part := theirs.recv(1 << 16):
            parts.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    with ours, theirs:
        with closing(Sink(ours.fileno(), chunked=chunked)) as sink:
            write(sink)
        ours.shutdown(socket.SHUT_WR)
        reader.join()
    return b"".join(parts)


def unchunked(data: bytes) -> bytes:
    found = b""
    while data:
        size, _, rest = data.partition(b"\r\n")
        count = int(size, 16)
        found += rest[:count]
        assert rest[count : count + 2] == b"\r\n"
        data = rest[count + 2 :]
    return found


@pytest.mark.parametrize("chunked", [False, True])
def test_all_arrives_in_its_order(tmp_path: Path, chunked: bool) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    (tmp_path / "small").write_bytes(b"small")

    def write(sink: Sink) -> None:
        sink.write(b"first")
        for name in ("small", "large"):
            with open(tmp_path / name, "rb") as file:
                sink.file(file.fileno(), os.fstat(file.fileno()).st_size)
        sink.write(b"z" * 2_000_000)
        sink.write(b"last")

    data = received(write, chunked=chunked)
    assert (unchunked(data) if chunked else data) == b"firstsmall" + LARGE + b"z" * 2_000_000 + b"last"


@pytest.mark.parametrize("size", [5, 100_000])
def test_a_file_that_shrank_is_filled_up(tmp_path: Path, size: int) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    with open(tmp_path / "f", "rb") as file:
        data = received(lambda sink: sink.file(file.fileno(), size), chunked=True)
    assert unchunked(data) == b"abc".ljust(size, b"\0")


def test_a_file_that_grew_is_cut(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(LARGE)
    with open(tmp_path / "f", "rb") as file:
        assert received(lambda sink: sink.file(file.fileno(), 100_000), chunked=False) == LARGE[:100_000]
