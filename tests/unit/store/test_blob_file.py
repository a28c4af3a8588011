"""A blob's file has the bytes that were written, in order, whatever their sizes and whatever the file system takes."""

import hashlib
import os
import resource
import signal
from pathlib import Path

import pytest

from hakobu.store.blob_file import HEAD_BYTES, PIECE_BYTES, BlobFile

PATTERN = os.urandom(1 << 20) * 20


def opened(path: Path) -> BlobFile:
    return BlobFile(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


SIZES = (
    0,
    1,
    4096,
    HEAD_BYTES - 1,
    HEAD_BYTES,
    HEAD_BYTES + 1,
    *(HEAD_BYTES + PIECE_BYTES + n for n in (-1, 0, 1, 9999999)),
)


@pytest.mark.parametrize("folder", ["disk", "memory"])
@pytest.mark.parametrize("size", SIZES)
def test_what_was_written_is_there_in_order(tmp_path: Path, folder: str, size: int):
    path = (tmp_path if folder == "disk" else Path("/dev/shm")) / f"blob-{os.getpid()}"
    data = PATTERN[:size]
    try:
        file = opened(path)
        for start in range(0, size, 700_001):  # never a piece's size
            file.write(data[start : start + 700_001])
        assert file.digest_hex() == hashlib.sha256(data).hexdigest()
        file.sync()
        file.close()
        assert path.read_bytes() == data
    finally:
        path.unlink()


def test_a_digest_in_the_middle_is_of_what_came_so_far_and_writing_goes_on(tmp_path: Path):
    file = opened(tmp_path / "blob")
    file.write(PATTERN[: HEAD_BYTES + PIECE_BYTES + 100])
    assert file.digest_hex() == hashlib.sha256(PATTERN[: HEAD_BYTES + PIECE_BYTES + 100]).hexdigest()
    file.flush()  # from the middle of a piece on, nothing is aligned any more
    file.write(PATTERN[HEAD_BYTES + PIECE_BYTES + 100 :])
    file.sync()
    assert file.digest_hex() == hashlib.sha256(PATTERN).hexdigest()
    file.close()
    assert (tmp_path / "blob").read_bytes() == PATTERN


def test_a_write_that_fails_in_the_thread_is_told_to_who_writes(tmp_path: Path):
    """A limit of the file's size stands for a full disk: the kernel refuses the second piece."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HEAD_BYTES + PIECE_BYTES, hard))
    file = opened(tmp_path / "blob")
    try:
        with pytest.raises(OSError, match="File too large"):
            for _ in range(6):
                file.write(PATTERN[:PIECE_BYTES])
            file.sync()
        with pytest.raises(OSError, match="File too large"):
            file.digest_hex()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
        file.close()
    assert (tmp_path / "blob").stat().st_size == HEAD_BYTES + PIECE_BYTES


def test_what_was_not_flushed_is_dropped_and_nothing_stays_open(tmp_path: Path):
    before = len(os.listdir("/proc/self/fd"))
    file = opened(tmp_path / "blob")
    file.write(PATTERN[: HEAD_BYTES + PIECE_BYTES + 7])
    file.close()
    file.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert (tmp_path / "blob").stat().st_size == HEAD_BYTES + PIECE_BYTES
