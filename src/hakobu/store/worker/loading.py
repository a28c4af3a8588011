"""Reading an archive of images in one pass: what looks like JSON is kept as it is, what is a tar becomes a layer.

Both of Docker's formats (with `manifest.json` or the old `repositories` alone) and the OCI layout are the same
to this pass; the order of the archive's files does not matter. Layers already unpacked are not unpacked again.
"""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hakobu.kernel.sync import syncfs
from hakobu.spec.digest import Digest
from hakobu.store.archive.entry import BadArchive, Entry, EntryType
from hakobu.store.archive.reader import TarReader
from hakobu.store.content import Content, Ingest, NoSuchBlob
from hakobu.store.layers.ahead import Block
from hakobu.store.layers.apply import Applier, ApplyOptions
from hakobu.store.layers.inflate import Stream
from hakobu.store.worker.feed import Feed

Facts = dict[str, Any]
Progress = Callable[[object], None]

MAX_DOCUMENT_BYTES = 8 << 20
MAX_DOCUMENTS_BYTES = 64 << 20


def unpack(chunks: Iterator[Block], halt: Callable[[], None], snapshots_dir: str, incoming: Ingest) -> Facts:
    """A layer into a new directory `<name>/fs`, its blob into `incoming`; both digests are computed on the way.

    In one thread where nothing is to be inflated: a second one for the hashing cost more, in turns at the
    interpreter's lock, than it gave.
    """
    hashing = hashlib.sha256()
    name = f"new-{secrets.token_hex(6)}"
    root = f"{snapshots_dir}/{name}/fs"
    os.mkdir(os.path.dirname(root), 0o700)
    os.mkdir(root, 0o755)
    root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    applier = Applier(root_fd, ApplyOptions(layer=True))
    try:
        with Stream(chunks, incoming.write, hashing.update, halt=halt) as stream:
            applier.apply(TarReader(stream))
            stream.drain()
        diff_id = Digest.from_hex(hashing.hexdigest()) if stream.compression else incoming.digest
        syncfs(root_fd)
    except BaseException:
        discard(snapshots_dir, name)
        raise
    finally:
        os.close(root_fd)
    return {"directory": name, "diff_id": str(diff_id), "size": applier.bytes}


def discard(snapshots_dir: str, name: str) -> None:
    shutil.rmtree(f"{snapshots_dir}/{name}", ignore_errors=True)


def load(args: dict[str, Any], feed: Feed, progress: Progress) -> Facts:
    """`known` maps a layer blob's digest to what is already unpacked of it: such blobs are only passed over."""
    with Stream(iter(feed), halt=feed.stop) as stream:
        reader = TarReader(stream)
        found = _Found(Content(args["oci_dir"]), args["snapshots_dir"], args["known"], feed.stop, progress)
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
        self,
        content: Content,
        snapshots_dir: str,
        known: dict[str, Any],
        halt: Callable[[], None],
        progress: Progress,
    ) -> None:
        self._content, self._snapshots_dir, self._known = content, snapshots_dir, known
        self._halt, self._progress = halt, progress
        self._by_size: dict[int, list[Facts]] = {}
        for facts in known.values():
            self._by_size.setdefault(facts["stored"], []).append(facts)
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
                self._layer(name, entry.size, first, reader)

    def _document(self, name: str, entry: Entry, first: bytes, reader: TarReader) -> None:
        if entry.size > MAX_DOCUMENT_BYTES or self._document_bytes > MAX_DOCUMENTS_BYTES:
            raise BadArchive(f"the archive has a document of {entry.size} bytes: {name}")
        data = first + b"".join(reader.data())
        self._document_bytes += len(data)
        self._documents[name] = data.decode("utf-8", "surrogateescape")

    def _layer(self, name: str, size: int, first: bytes, reader: TarReader) -> None:
        """One that is named by its digest is known at once; another is held against those of its very size."""
        blob = f"sha256:{os.path.basename(name)}" if name.startswith("blobs/sha256/") else ""
        if blob in self._known:
            self._layers[name] = self._known[blob]
            reader.skip()
            return
        blocks = _whole(first, reader)
        if not blob:
            found, blocks = _held(self._content, self._by_size.get(size, ()), blocks)
            if found is not None:
                self._layers[name] = found
                return
        with self._content.ingest() as incoming:
            facts = unpack(blocks, self._halt, self._snapshots_dir, incoming)
            try:
                digest = self._content.commit(incoming, Digest.parse(blob) if blob else None)
            except BaseException:
                discard(self._snapshots_dir, facts["directory"])
                raise
            facts |= {"digest": str(digest), "stored": incoming.size}
        self._layers[name] = facts
        self._progress({"layer": facts["diff_id"], "size": facts["stored"]})

    def discard(self) -> None:
        for facts in self._layers.values():
            if "directory" in facts:
                discard(self._snapshots_dir, facts["directory"])

    def result(self) -> dict[str, Any]:
        return {"documents": self._documents, "layers": self._layers, "links": self._links}


def _held(
    content: Content, candidates: Sequence[Facts], blocks: Iterator[Block]
) -> tuple[Facts | None, Iterator[Block]]:
    """The layer whose stored blob has these very bytes, and then nothing more to read.

    Where none has, the bytes again from the beginning: as far as they agreed, they are read from the stored blob.
    Reading both is several times faster than unpacking one.
    """
    for facts in candidates:
        try:
            fd = content.open(Digest.parse(facts["digest"]))
        except NoSuchBlob:
            continue
        with open(fd, "rb", buffering=0) as blob:
            agreed = 0
            for block in blocks:
                if blob.read(len(block)) != block:
                    return None, _again(facts, content, agreed, block, blocks)
                agreed += len(block)
        return facts, iter(())
    return None, blocks


def _again(facts: Facts, content: Content, agreed: int, block: Block, rest: Iterator[Block]) -> Iterator[Block]:
    with open(content.open(Digest.parse(facts["digest"])), "rb", buffering=0) as blob:
        while agreed > 0:
            part = blob.read(min(agreed, 1 << 20))
            agreed -= len(part)
            yield part
    yield block
    yield from rest


def _whole(first: bytes, reader: TarReader) -> Iterator[Block]:
    yield first
    yield from reader.data()
