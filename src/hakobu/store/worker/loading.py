"""Reading an archive of images in one pass: what looks like JSON is kept as it is, what is a tar becomes a layer.

Both of Docker's formats (with `manifest.json` or the old `repositories` alone) and the OCI layout are the same
to this pass; the order of the archive's files does not matter. Layers already unpacked are not unpacked again.
"""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from hakobu.kernel.sync import syncfs
from hakobu.spec.digest import Digest
from hakobu.store.archive.entry import BadArchive, Entry, EntryType
from hakobu.store.archive.reader import TarReader
from hakobu.store.content import Content, Ingest
from hakobu.store.layers.apply import Applier, ApplyOptions
from hakobu.store.layers.inflate import Stream

MAX_DOCUMENT_BYTES = 8 << 20
MAX_DOCUMENTS_BYTES = 64 << 20


def unpack_stream(stream: Stream, snapshots_dir: str, incoming: Ingest) -> dict[str, Any]:
    """A layer into a new directory `<name>/fs`; its diff id is computed on the way.

    `incoming` takes the stream's raw bytes: where they are not compressed, their digest is the diff id.
    """
    hashing = _Hashing(stream, bool(stream.compression))
    name = f"new-{secrets.token_hex(6)}"
    root = f"{snapshots_dir}/{name}/fs"
    os.makedirs(root, mode=0o755)
    os.chmod(root, 0o755)
    root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    applier = Applier(root_fd, ApplyOptions(layer=True))
    try:
        applier.apply(TarReader(hashing))
        hashing.finish()
        diff_id = hashing.digest if stream.compression else incoming.digest
        syncfs(root_fd)
    except BaseException:
        shutil.rmtree(f"{snapshots_dir}/{name}", ignore_errors=True)
        raise
    finally:
        os.close(root_fd)
    return {"directory": name, "diff_id": str(diff_id), "size": applier.bytes, "tar_size": hashing.size}


class _Hashing:
    """A source that hashes what passes; small reads are hashed together."""

    def __init__(self, stream: Stream, hashes: bool) -> None:
        self._stream, self._hashes = stream, hashes
        self._hash = hashlib.sha256()
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self.size = 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if not self._hashes:
            self.size += len(data)
            return data
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= 1 << 18:
            self._flush()
        return data

    def finish(self) -> None:
        """What stands behind the archive's end belongs to the digest."""
        while self.read(1 << 18):
            pass
        self._flush()

    def _flush(self) -> None:
        block = b"".join(self._pending)
        self._hash.update(block)
        self.size += len(block)
        self._pending, self._pending_bytes = [], 0

    @property
    def digest(self) -> Digest:
        return Digest.from_hex(self._hash.hexdigest())


def load(args: dict[str, Any], chunks: Iterator[bytes], progress: Callable[[object], None]) -> dict[str, Any]:
    """`known` maps a layer blob's digest to what is already unpacked of it: such blobs are only passed over."""
    content = Content(args["oci_dir"])
    reader = TarReader(Stream(chunks))
    found = _Found(content, args["snapshots_dir"], args["known"], progress)
    try:
        for entry in reader:
            found.take(entry, reader)
    except BaseException:
        found.discard()
        raise
    return found.result()


class _Found:
    """What an archive held: documents by name, layers by name, links between names."""

    def __init__(
        self, content: Content, snapshots_dir: str, known: dict[str, Any], progress: Callable[[object], None]
    ) -> None:
        self._content, self._snapshots_dir, self._known, self._progress = content, snapshots_dir, known, progress
        self._documents: dict[str, str] = {}
        self._document_bytes = 0
        self._layers: dict[str, dict[str, Any]] = {}
        self._links: dict[str, str] = {}

    def take(self, entry: Entry, reader: TarReader) -> None:
        name = b"/".join(entry.parts).decode("utf-8", "surrogateescape")
        if entry.type in (EntryType.SYMLINK, EntryType.LINK):
            base = os.path.dirname(name) if entry.type is EntryType.SYMLINK else ""
            self._links[name] = os.path.normpath(os.path.join(base, os.fsdecode(entry.link)))
        elif entry.type is EntryType.FILE and entry.size:
            first = reader.read(512)
            if first[:1] in (b"{", b"[") or name.endswith((".json", "VERSION", "repositories", "oci-layout")):
                self._document(name, entry, first, reader)
            else:
                self._layer(name, first, reader)

    def _document(self, name: str, entry: Entry, first: bytes, reader: TarReader) -> None:
        if entry.size > MAX_DOCUMENT_BYTES or self._document_bytes > MAX_DOCUMENTS_BYTES:
            raise BadArchive(f"the archive has a document of {entry.size} bytes: {name}")
        data = first + b"".join(reader.data())
        self._document_bytes += len(data)
        self._documents[name] = data.decode("utf-8", "surrogateescape")

    def _layer(self, name: str, first: bytes, reader: TarReader) -> None:
        blob = f"sha256:{os.path.basename(name)}" if name.startswith("blobs/sha256/") else ""
        if blob in self._known:
            self._layers[name] = self._known[blob]
            reader.skip()
            return
        with self._content.ingest() as incoming:
            stream = Stream(_teed(first, reader, incoming))
            facts = unpack_stream(stream, self._snapshots_dir, incoming)
            try:
                digest = self._content.commit(incoming, Digest.parse(blob) if blob else None)
            except BaseException:
                shutil.rmtree(f"{self._snapshots_dir}/{facts['directory']}", ignore_errors=True)
                raise
            facts |= {"digest": str(digest), "stored": incoming.size, "compression": stream.compression}
        self._layers[name] = facts
        self._progress({"layer": facts["diff_id"], "size": facts["stored"]})

    def discard(self) -> None:
        for facts in self._layers.values():
            if "directory" in facts:
                shutil.rmtree(f"{self._snapshots_dir}/{facts['directory']}", ignore_errors=True)

    def result(self) -> dict[str, Any]:
        return {"documents": self._documents, "layers": self._layers, "links": self._links}


def _teed(first: bytes, reader: TarReader, incoming: Ingest) -> Iterator[bytes]:
    incoming.write(first)
    yield first
    for block in reader.data(1 << 18):
        incoming.write(block)
        yield block
