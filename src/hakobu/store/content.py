"""The content store: blobs by digest in a valid OCI image layout on disk.

Invariant: a file below `blobs/` has the content its name says, whole and on the disk: it is written beside,
hashed on the way, compared, synced, and renamed into place. Whatever fails before leaves nothing.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from hakobu.errors import HakobuError, Kind
from hakobu.spec.digest import Digest, is_hex_id
from hakobu.store.blob_file import BlobFile

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
PARTIAL_S = 7 * 24 * 3600


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
    """One blob on its way in: write, then `commit`. Left without a commit, nothing stays."""

    def __init__(self, directory: str, partial_of: Digest | None = None) -> None:
        name = f"{partial_of.hex}." if partial_of is not None else ""
        self.path = f"{directory}/ingest/{name}{secrets.token_hex(8)}"
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = BlobFile(fd)
        self.size = 0
        self.done = False
        self.cut_off = False
        """Set by who saw the source end too early: what came so far is then kept as a partial blob."""

    def write(self, data: bytes | memoryview) -> None:
        self.size += len(data)
        self._file.write(data)

    @property
    def digest(self) -> Digest:
        """Of what was written so far."""
        return Digest.from_hex(self._file.digest_hex())

    def flush(self) -> None:
        """All of it into the file, for who reads `path` before a commit."""
        self._file.flush()

    def close(self) -> None:
        """What was neither flushed nor is to be kept, may be missing from the file."""
        try:
            if self.cut_off:
                self._file.flush()
        finally:
            self._file.close()

    def sync(self) -> None:
        self._file.sync()


class Content:
    """Usable from several threads and processes at once: names are digests, renames are atomic."""

    def __init__(self, directory: str) -> None:
        self._directory = self.directory = directory
        os.makedirs(directory, mode=0o700, exist_ok=True)
        os.chmod(directory, 0o700)
        for name in ("blobs/sha256", "ingest", "partial"):
            os.makedirs(f"{directory}/{name}", mode=0o700, exist_ok=True)
        layout = f"{directory}/oci-layout"
        if not os.path.exists(layout):
            with open(layout, "wb") as file:
                file.write(_LAYOUT)

    def nameless(self) -> int:
        """A descriptor of a file on the store's disk that nobody else finds, gone when it is closed."""
        return os.open(f"{self._directory}/ingest", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)

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
    def ingest(self, partial_of: Digest | None = None) -> Generator[Ingest]:
        """Unless `commit` was called on it, nothing of it stays; but see `Ingest.cut_off`."""
        incoming = Ingest(self._directory, partial_of)
        try:
            yield incoming
        finally:
            incoming.close()
            if incoming.cut_off and partial_of is not None and incoming.size:
                self._keep(incoming.path, partial_of.hex)
            elif not incoming.done:
                os.unlink(incoming.path)

    def _keep(self, path: str, name: str) -> None:
        """A part of a blob, for whoever fetches it next; the longer one of two stays."""
        target = f"{self._directory}/partial/{name}"
        if os.path.exists(target) and os.stat(target).st_size >= os.stat(path).st_size:
            os.unlink(path)
            return
        os.rename(path, target)

    def take_partial(self, digest: Digest) -> int:
        """A descriptor of what an earlier run had of a blob, now the caller's alone; -1 where there is nothing.

        Nothing vouches for it: who goes on from it must still compare the digest of the whole.
        """
        path = f"{self._directory}/partial/{digest.hex}"
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return -1
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return fd

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
        """What an interrupted ingest left; only when nothing is being ingested (the daemon's start).

        Parts of blobs with a known digest are kept for a week.
        """
        for name in os.listdir(f"{self._directory}/ingest"):
            path, blob = f"{self._directory}/ingest/{name}", name.partition(".")[0]
            if is_hex_id(blob) and os.stat(path).st_size:
                self._keep(path, blob)
            else:
                os.unlink(path)
        for name in os.listdir(f"{self._directory}/partial"):
            path = f"{self._directory}/partial/{name}"
            if os.stat(path).st_mtime < time.time() - PARTIAL_S:
                os.unlink(path)

    def forget_partials(self) -> int:
        """Bytes freed."""
        freed = 0
        for name in os.listdir(f"{self._directory}/partial"):
            with contextlib.suppress(FileNotFoundError):
                freed += os.stat(f"{self._directory}/partial/{name}").st_size
                os.unlink(f"{self._directory}/partial/{name}")
        return freed

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
