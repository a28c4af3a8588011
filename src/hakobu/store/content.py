"""The content store: blobs by digest in a valid OCI image layout on disk.

Invariant: a file below `blobs/` has the content its name says, whole and on the disk: it is written beside,
hashed on the way, compared, synced, and renamed into place. Whatever fails before leaves nothing.
"""

import hashlib
import os
import queue
import secrets
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from hakobu.errors import HakobuError, Kind
from hakobu.spec.digest import Digest

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_AHEAD = 8


class DigestMismatch(HakobuError):
    kind = Kind.DATA_LOSS

    def __init__(self, expected: Digest, found: Digest) -> None:
        super().__init__(f"the content has digest {found} where {expected} was expected")
        self.expected, self.found = expected, found


class NoSuchBlob(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, digest: Digest) -> None:
        super().__init__(f"blob {digest} is not in the store")
        self.digest = digest


class Ingest:
    """One blob on its way in: write, then `commit`. Left without a commit, nothing stays.

    Hashing and writing run in a thread of their own, a few blocks behind the caller: both let go of the interpreter's
    lock, so they cost an unpacking caller no time on a second core. A failure there is raised by the next call.
    """

    def __init__(self, directory: str) -> None:
        self.path = f"{directory}/ingest/{secrets.token_hex(8)}"
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._hash = hashlib.sha256()
        self._blocks: queue.Queue[bytes | None] = queue.Queue(_AHEAD)
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self.size = 0
        self.done = False

    def write(self, data: bytes) -> None:
        self._check()
        if self._thread is None:
            self._thread = threading.Thread(target=self._drain, name="ingest", daemon=True)
            self._thread.start()
        self._blocks.put(data)
        self.size += len(data)

    def _drain(self) -> None:
        while (block := self._blocks.get()) is not None:
            if self._failure is not None:
                continue  # the caller is told at its next call; until then it must not wait for a full queue
            try:
                self._hash.update(block)
                view = memoryview(block)
                while view:
                    view = view[os.write(self._fd, view) :]
            except BaseException as error:
                self._failure = error

    def _settle(self) -> None:
        if self._thread is not None:
            self._blocks.put(None)
            self._thread.join()
            self._thread = None

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    @property
    def digest(self) -> Digest:
        """Of what was written so far."""
        self._settle()
        self._check()
        return Digest.from_hex(self._hash.hexdigest())

    def close(self) -> None:
        self._settle()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def sync(self) -> None:
        self._settle()
        self._check()
        os.fsync(self._fd)


class Content:
    """Usable from several threads and processes at once: names are digests, renames are atomic."""

    def __init__(self, directory: str) -> None:
        self._directory = self.directory = directory
        for name in ("blobs/sha256", "ingest"):
            os.makedirs(f"{directory}/{name}", mode=0o700, exist_ok=True)
        layout = f"{directory}/oci-layout"
        if not os.path.exists(layout):
            with open(layout, "wb") as file:
                file.write(_LAYOUT)

    def path(self, digest: Digest) -> str:
        return f"{self._directory}/blobs/{digest.algorithm}/{digest.hex}"

    def has(self, digest: Digest) -> bool:
        return os.path.exists(self.path(digest))

    def size(self, digest: Digest) -> int:
        try:
            return os.stat(self.path(digest)).st_size
        except FileNotFoundError:
            raise NoSuchBlob(digest) from None

    def open(self, digest: Digest) -> int:
        """A descriptor for reading; the caller closes it."""
        try:
            return os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NoSuchBlob(digest) from None

    def read(self, digest: Digest, limit_bytes: int = 16 << 20) -> bytes:
        """A small blob whole, verified."""
        fd = self.open(digest)
        with open(fd, "rb") as file:
            data = file.read(limit_bytes + 1)
        if len(data) > limit_bytes:
            raise HakobuError(f"blob {digest} has more than {limit_bytes} bytes")
        if Digest.of(data) != digest:
            raise DigestMismatch(digest, Digest.of(data))
        return data

    @contextmanager
    def ingest(self) -> Generator[Ingest]:
        """Unless `commit` was called on it, nothing of it stays."""
        incoming = Ingest(self._directory)
        try:
            yield incoming
        finally:
            incoming.close()
            if not incoming.done:
                os.unlink(incoming.path)

    def commit(self, incoming: Ingest, expected: Digest | None = None) -> Digest:
        digest = incoming.digest
        if expected is not None and digest != expected:
            raise DigestMismatch(expected, digest)
        target = self.path(digest)
        incoming.sync()
        os.rename(incoming.path, target)  # over one that is there, too: it may be damaged, this one is not
        _sync_directory(os.path.dirname(target))
        incoming.done = True
        return digest

    def put(self, data: bytes, expected: Digest | None = None) -> Digest:
        with self.ingest() as incoming:
            incoming.write(data)
            return self.commit(incoming, expected)

    def delete(self, digest: Digest) -> int:
        """Bytes freed; gone already is fine."""
        try:
            size = os.stat(self.path(digest)).st_size
            os.unlink(self.path(digest))
        except FileNotFoundError:
            return 0
        return size

    def digests(self) -> Iterator[Digest]:
        for name in os.listdir(f"{self._directory}/blobs/sha256"):
            yield Digest.from_hex(name)

    def clean(self) -> None:
        """What an interrupted ingest left; only when nothing is being ingested (the daemon's start)."""
        for name in os.listdir(f"{self._directory}/ingest"):
            os.unlink(f"{self._directory}/ingest/{name}")

    def write_index(self, index: bytes) -> None:
        """`index.json` is generated from the database; readers see the old one or the new one."""
        temporary = f"{self._directory}/.index.json.new"
        with open(temporary, "wb") as file:
            file.write(index)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, f"{self._directory}/index.json")


def _sync_directory(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
