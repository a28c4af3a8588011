"""The images and their names: records of what is in the store, held in memory, written through to the database.

An image is named by the digest of its configuration, as Docker does. References are kept in their full form
(`docker.io/library/nginx:latest`).
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

import msgspec

from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.spec.digest import Digest, is_digest
from hakobu.spec.image_config import ImageConfig
from hakobu.spec.platform import Platform, best_match
from hakobu.spec.reference import BadReference, Reference
from hakobu.store.content import Content, NoSuchBlob
from hakobu.store.database import Connection, Database, Document
from hakobu.store.layout import manifest_of, names_in_index, write_index


class NoSuchImage(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, ref: str) -> None:
        super().__init__(f"No such image: {_with_tag(ref)}")
        self.ref = ref


class AmbiguousImage(Invalid):
    def __init__(self, ref: str) -> None:
        super().__init__(f"ambiguous image id prefix: {ref}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """`layers` are the blobs of the layers, base first, where they are in the store (`` where not).

    `index` is the document of several platforms that the image came through, empty where it came alone.
    """

    id: str
    created_ns: int
    diff_ids: tuple[str, ...]
    layers: tuple[str, ...]
    size_bytes: int
    layer_sizes: tuple[int, ...]
    digests: tuple[str, ...] = ()
    manifest: str = ""
    parent: str = ""
    comment: str = ""
    tagged_ns: int = 0
    index: str = ""


class ImageBook:
    """Thread-safe; reading touches memory alone."""

    def __init__(self, database: Database, content: Content) -> None:
        self._database, self._content = database, content
        self._lock = threading.RLock()
        self._images: dict[str, ImageRecord] = {}
        self._tags: dict[str, str] = {}
        self._names: dict[str, tuple[str, ...]] | None = None
        self._configs: dict[str, ImageConfig] = {}
        self.broken: list[str] = []
        self._load()

    def _load(self) -> None:
        def job(connection: Connection) -> tuple[list[Document], list[tuple[str, str]]]:
            rows = connection.execute("SELECT reference, image_id FROM tags").fetchall()
            return connection.all("images"), [(str(r), str(i)) for r, i in rows]

        documents, tags = self._database.call(job)
        for document in documents:
            self._images[document.id] = self._decoded(document)
        self._tags = {r: i for r, i in tags if i in self._images}
        if self._database.lost:
            self._restore_names()

    def _decoded(self, document: Document) -> ImageRecord:
        """A record that cannot be read costs this image: it is listed, and can be removed or loaded again."""
        try:
            return msgspec.json.decode(document.text, type=ImageRecord)
        except (msgspec.DecodeError, UnicodeError) as error:
            why = f"the record of image {document.id} is broken: {error}"
            self.broken.append(why)
            return ImageRecord(
                id=document.id, created_ns=0, diff_ids=(), layers=(), size_bytes=0, layer_sizes=(), comment=why
            )

    def _restore_names(self) -> None:
        """After the database was lost: the index on disk still says how images were called."""
        by_manifest = {i.manifest: i.id for i in self._images.values() if i.manifest}
        for manifest, reference in names_in_index(self._content):
            image_id = by_manifest.get(manifest)
            if image_id is not None and reference not in self._tags:
                statement, values = "INSERT OR IGNORE INTO tags VALUES (?, ?, ?)", (reference, image_id, time.time_ns())
                self._database.call(lambda c, s=statement, v=values: c.execute(s, v) and None)
                self._tags[reference] = image_id

    # Reading

    def all(self) -> tuple[ImageRecord, ...]:
        with self._lock:
            return tuple(self._images.values())

    def tags_of(self, image_id: str) -> tuple[str, ...]:
        with self._lock:
            if self._names is None:
                self._names = _by_image(self._tags)
            return self._names.get(image_id, ())

    def named(self) -> frozenset[str]:
        """Ids of the images that have a tag."""
        with self._lock:
            return frozenset(self._tags.values())

    def tagged(self, reference: str) -> str | None:
        return self._tags.get(reference)

    def find(self, ref: str) -> ImageRecord | None:
        try:
            return self.get(ref)
        except (NoSuchImage, Invalid):
            return None

    def get(self, ref: str) -> ImageRecord:
        """By id, unique prefix of an id, `name[:tag]`, or `name@digest`."""
        with self._lock:
            if is_digest(ref) and ref in self._images:
                return self._images[ref]
            if (by_name := self._by_name(ref)) is not None:
                return by_name
            return self._by_prefix(ref)

    def _by_name(self, ref: str) -> ImageRecord | None:
        try:
            reference = Reference.parse(ref)
        except BadReference:
            return None
        if reference.digest is not None:
            wanted = f"{reference.repository}@{reference.digest}"
            return self._of_this_machine([i for i in self._images.values() if wanted in i.digests])
        image_id = self._tags.get(str(reference.tagged()))
        return self._images.get(image_id) if image_id else None

    def _of_this_machine(self, found: list[ImageRecord]) -> ImageRecord | None:
        """The digest of an index names all the images that came through it."""
        if len(found) < 2:
            return found[0] if found else None
        picked = best_match(Platform.from_machine(os.uname().machine), [self.config(i.id).platform for i in found])
        return found[picked or 0]

    def _by_prefix(self, ref: str) -> ImageRecord:
        prefix = ref.removeprefix("sha256:")
        hexadecimal = prefix and not prefix.strip("0123456789abcdef")
        matches = [i for d, i in self._images.items() if hexadecimal and d.startswith(f"sha256:{prefix}")]
        if len(matches) > 1:
            raise AmbiguousImage(ref)
        if not matches:
            raise NoSuchImage(ref)
        return matches[0]

    def config(self, image_id: str) -> ImageConfig:
        found = self._configs.get(image_id)
        if found is None:
            found = ImageConfig.parse(self._content.read(Digest.parse(image_id)))
            self._configs[image_id] = found
        return found

    # Changing

    def put(self, record: ImageRecord, references: Iterable[Reference] = ()) -> None:
        """Adds or completes an image, and names it."""
        now = time.time_ns()
        names = [str(r.tagged()) for r in references]
        with self._lock:
            old = self._images.get(record.id)
            if old is not None:
                digests = tuple(dict.fromkeys((*old.digests, *record.digests)))
                index = record.index or old.index
                record = replace(record, digests=digests, parent=record.parent or old.parent, index=index)
            if names:
                record = replace(record, tagged_ns=now)
            if not record.manifest:
                record = replace(record, manifest=self._make_manifest(record))

            def job(connection: Connection) -> None:
                connection.put("images", record.id, "", json.dumps(asdict(record)))
                for name in names:
                    connection.execute("INSERT OR REPLACE INTO tags VALUES (?, ?, ?)", (name, record.id, now))

            self._database.call(job)
            self._images[record.id] = record
            self._tags |= dict.fromkeys(names, record.id)
            self._names = None
            self._write_index()

    def _make_manifest(self, record: ImageRecord) -> str:
        """For what came without one; a layer whose blob is not in the store cannot be described."""
        if not all(record.layers):
            return ""
        manifest = manifest_of(self._content, Digest.parse(record.id), map(Digest.parse, record.layers))
        return str(self._content.put(manifest.to_bytes()))

    def _write_index(self) -> None:
        """Best effort: what counts is in the database."""
        with contextlib.suppress(OSError, NoSuchBlob):
            write_index(self._content, {i.manifest: self.tags_of(i.id) for i in self._images.values() if i.manifest})

    def untag(self, reference: str) -> None:
        with self._lock:
            self._database.call(lambda c: c.execute("DELETE FROM tags WHERE reference = ?", (reference,)) and None)
            self._tags.pop(reference, None)
            self._names = None
            self._write_index()

    def drop_digests(self, image_id: str, digests: tuple[str, ...]) -> tuple[str, ...]:
        """Forgets `repository@digest` names of the image; gives those it forgot."""
        with self._lock:
            record = self._images[image_id]
            gone = tuple(d for d in record.digests if d in digests)
            if gone:
                record = replace(record, digests=tuple(d for d in record.digests if d not in gone))
                self._database.call(lambda c: c.put("images", record.id, "", json.dumps(asdict(record))))
                self._images[image_id] = record
            return gone

    def remove(self, image_id: str) -> None:
        def job(connection: Connection) -> None:
            connection.execute("DELETE FROM tags WHERE image_id = ?", (image_id,))
            connection.delete("images", image_id)

        with self._lock:
            self._database.call(job)
            self._images.pop(image_id, None)
            self._configs.pop(image_id, None)
            self._tags = {r: i for r, i in self._tags.items() if i != image_id}
            self._names = None
            self._write_index()

    def used_layers(self) -> frozenset[str]:
        with self._lock:
            return frozenset(d for i in self._images.values() for d in i.diff_ids)

    def used_blobs(self) -> frozenset[str]:
        with self._lock:
            images = tuple(self._images.values())
        return frozenset(d for i in images for d in (i.id, i.manifest, i.index, *i.layers) if d)


def _with_tag(ref: str) -> str:
    if is_digest(ref) or "@" in ref:
        return ref
    return ref if ":" in ref.rpartition("/")[2] else f"{ref}:latest"


def _by_image(tags: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Each image's names, sorted: a list of all images asks for all of them, one by one."""
    found: dict[str, list[str]] = {}
    for reference, image_id in tags.items():
        found.setdefault(image_id, []).append(reference)
    return {image_id: tuple(sorted(names)) for image_id, names in found.items()}
