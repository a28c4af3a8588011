"""Archives of images: reading Docker's two formats and the OCI layout, writing one that both sides read.

What an archive says is checked against what it holds: a configuration names its layers by diff id, and a layer
that is not what it should be is refused with its name.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from hakobu.errors import HakobuError, Kind
from hakobu.spec.bounded import load_json
from hakobu.spec.descriptor import Descriptor
from hakobu.spec.digest import Digest
from hakobu.spec.image_config import ImageConfig
from hakobu.spec.manifest import Index, Manifest, parse_manifest
from hakobu.spec.reference import Reference
from hakobu.store.archive.entry import BadArchive
from hakobu.store.arrivals import Arrivals
from hakobu.store.content import Content
from hakobu.store.imagebook import ImageBook, ImageRecord
from hakobu.store.layout import descriptors, manifest_of
from hakobu.store.pool import WorkerPool
from hakobu.store.snapshots import LayerFacts, Snapshots


class LayerMismatch(HakobuError):
    kind = Kind.DATA_LOSS

    def __init__(self, image: str, expected: str, found: str) -> None:
        super().__init__(f"invalid diffID for a layer of {image}: expected {expected}, got {found}")


@dataclass(frozen=True, slots=True)
class Loaded:
    """An image that was loaded, with the names the archive gave it."""

    image_id: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One image as an archive describes it."""

    config: bytes
    layers: tuple[str, ...]
    names: tuple[str, ...]
    manifest: bytes = b""


class Archives:
    """Loads and saves; synchronous, called from threads."""

    def __init__(
        self, content: Content, snapshots: Snapshots, images: ImageBook, pool: WorkerPool, arrivals: Arrivals
    ) -> None:
        self._content, self._snapshots, self._images, self._pool = content, snapshots, images, pool
        self._arrivals = arrivals

    def load(self, fds: Sequence[int], on_progress: Callable[[Any], None] | None = None) -> tuple[Loaded, ...]:
        """From a descriptor to read until its end, or from the two of an upload (`spec/upload.py`)."""
        with self._arrivals.arriving():
            return self._load(fds, on_progress)

    def _load(self, fds: Sequence[int], on_progress: Callable[[Any], None] | None) -> tuple[Loaded, ...]:
        args = {
            "oci_dir": self._content_dir,
            "snapshots_dir": self._snapshots.directory,
            "known": self._known_blobs(),
        }
        found = self._pool.run("load", args, fds, on_progress)
        layers = cast("dict[str, dict[str, Any]]", found["layers"])
        for facts in layers.values():
            if "directory" in facts:
                diff_id = Digest.parse(facts["diff_id"])
                self._snapshots.add_layer(LayerFacts(facts["directory"], diff_id, facts["size"]))
        wanted = _images_of(found["documents"], found["links"])
        if not wanted:
            raise BadArchive("the archive holds no image: neither manifest.json nor index.json is in it")
        return tuple(self._record(w, layers, found["links"]) for w in wanted)

    @property
    def _content_dir(self) -> str:
        return self._content.directory

    def _known_blobs(self) -> dict[str, Any]:
        """Layers that need no unpacking again, by the digest of their blob."""
        present = self._snapshots.known_layers()
        known: dict[str, Any] = {}
        for image in self._images.all():
            for diff_id, blob in zip(image.diff_ids, image.layers, strict=False):
                if blob and diff_id in present:
                    size = self._content.size(Digest.parse(blob)) if self._content.has(Digest.parse(blob)) else 0
                    if size:
                        known[blob] = {"diff_id": diff_id, "digest": blob, "size": present[diff_id][1], "stored": size}
        return known

    def _record(self, wanted: _Wanted, layers: dict[str, dict[str, Any]], links: dict[str, str]) -> Loaded:
        config = ImageConfig.parse(wanted.config)
        facts = [_layer(name, layers, links) for name in wanted.layers]
        if len(facts) != len(config.diff_ids):
            raise BadArchive(f"the archive has {len(facts)} layers where {len(config.diff_ids)} are described")
        for diff_id, fact in zip(config.diff_ids, facts, strict=True):
            if str(diff_id) != fact["diff_id"]:
                raise LayerMismatch(", ".join(wanted.names) or "the image", str(diff_id), fact["diff_id"])
        image_id = self._content.put(wanted.config)
        manifest = str(self._content.put(wanted.manifest)) if wanted.manifest else ""
        sizes = tuple(int(f["size"]) for f in facts)
        record = ImageRecord(
            id=str(image_id),
            created_ns=config.created_ns,
            diff_ids=tuple(str(d) for d in config.diff_ids),
            layers=tuple(str(f["digest"]) for f in facts),
            size_bytes=sum(sizes),
            layer_sizes=sizes,
            manifest=manifest,
        )
        self._images.put(record, tuple(Reference.parse(n) for n in wanted.names))
        return Loaded(str(image_id), wanted.names)

    # Saving

    def save(self, chosen: Sequence[tuple[ImageRecord, tuple[str, ...]]], target_fd: int) -> None:
        """`chosen` are images with the full references to write for each."""
        files: list[tuple[str, dict[str, str]]] = []
        docker: list[dict[str, Any]] = []
        found: list[Descriptor] = []
        seen: set[str] = set()
        for image, references in chosen:
            manifest = self._manifest(image)
            data = manifest.to_bytes()
            digest = Digest.of(data)
            familiar = [Reference.parse(r).familiar for r in references]
            docker.append(
                {
                    "Config": _blob(image.id),
                    "RepoTags": familiar or None,
                    "Layers": [_blob(str(layer.digest)) for layer in manifest.layers],
                }
            )
            found += descriptors(digest, len(data), manifest.media_type, references)
            files.append((_blob(str(digest)), {"text": data.decode()}))
            for blob in (image.id, *(str(layer.digest) for layer in manifest.layers)):
                if blob not in seen:
                    seen.add(blob)
                    files.append((_blob(blob), {"path": self._content.path(Digest.parse(blob))}))
        files += [
            ("index.json", {"text": Index(manifests=tuple(found)).to_bytes().decode()}),
            ("manifest.json", {"text": json.dumps(docker, separators=(",", ":"))}),
            ("oci-layout", {"text": '{"imageLayoutVersion":"1.0.0"}'}),
        ]
        directories = ["blobs", "blobs/sha256"]
        self._pool.run("save", {"directories": directories, "files": files}, (target_fd,))

    def _manifest(self, image: ImageRecord) -> Manifest:
        """The stored one, or one made of what there is."""
        if image.manifest and self._content.has(Digest.parse(image.manifest)):
            found = parse_manifest(self._content.read(Digest.parse(image.manifest)))
            if isinstance(found, Manifest):
                return found
        return manifest_of(self._content, Digest.parse(image.id), map(Digest.parse, image.layers))

    def manifest(self, image: ImageRecord) -> Manifest:
        return self._manifest(image)


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _layer(name: str, layers: dict[str, dict[str, Any]], links: dict[str, str]) -> dict[str, Any]:
    for _ in range(10):
        if name in layers:
            return layers[name]
        if name not in links:
            break
        name = links[name]
    raise BadArchive(f"the archive does not hold the layer {name} that it speaks of")


def _images_of(documents: dict[str, str], links: dict[str, str]) -> list[_Wanted]:
    """By `manifest.json` where there is one (it also names), else by the OCI index, else by old `repositories`."""

    def document(name: str) -> bytes:
        for _ in range(10):
            if name in documents:
                return documents[name].encode("utf-8", "surrogateescape")
            if name not in links:
                break
            name = links[name]
        raise BadArchive(f"the archive does not hold {name}, which it speaks of")

    if "manifest.json" in documents:
        return _docker_images(document)
    if "index.json" in documents:
        return _oci_images(document)
    if "repositories" in documents:
        raise BadArchive("the archive is in the format of Docker before 1.10, which is not supported")
    return []


def _docker_images(document: Callable[[str], bytes]) -> list[_Wanted]:
    listed = load_json(document("manifest.json"), what="manifest.json")
    wanted: list[_Wanted] = []
    for item in listed if isinstance(listed, list) else []:
        if not isinstance(item, dict):
            raise BadArchive("manifest.json is not a list of objects")
        layers, names = item.get("Layers") or [], item.get("RepoTags") or []
        if not isinstance(layers, list) or not isinstance(names, list):
            raise BadArchive("manifest.json has Layers or RepoTags that are no lists")
        config = document(str(item.get("Config")))
        wanted.append(_Wanted(config, tuple(str(x) for x in layers), tuple(str(n) for n in names)))
    return wanted


def _oci_images(document: Callable[[str], bytes]) -> list[_Wanted]:
    index = parse_manifest(document("index.json"), what="index.json")
    if not isinstance(index, Index):
        raise BadArchive("index.json is not an index")
    wanted: list[_Wanted] = []
    for descriptor in index.manifests:
        data = document(_blob(str(descriptor.digest)))
        manifest = parse_manifest(data, descriptor.media_type)
        if isinstance(manifest, Index):
            continue  # an index of platforms: its images stand beside it where the archive holds them
        if not manifest.is_image:
            continue
        names = _names(descriptor)
        layers = tuple(_blob(str(layer.digest)) for layer in manifest.layers)
        wanted.append(_Wanted(document(_blob(str(manifest.config.digest))), layers, names, data))
    return wanted


def _names(descriptor: Descriptor) -> tuple[str, ...]:
    name = descriptor.annotations.get("io.containerd.image.name", "")
    if not name:
        short = descriptor.annotations.get("org.opencontainers.image.ref.name", "")
        name = short if "/" in short or ":" in short else ""
    return (name,) if name else ()
