"""Archives of images: reading Docker's two formats and the OCI layout, writing one that both sides read.

What an archive says is checked against what it holds: a configuration names its layers by diff id, and a layer
that is not what it should be is refused with its name.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from hakobu.errors import HakobuError, Kind
from hakobu.spec.bounded import load_json
from hakobu.spec.descriptor import Descriptor
from hakobu.spec.digest import Digest
from hakobu.spec.download import Outlet
from hakobu.spec.image_config import ImageConfig
from hakobu.spec.manifest import Index, Manifest, parse_manifest
from hakobu.spec.platform import Platform, best_match
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


class NoSuchPlatformInArchive(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, platform: Platform) -> None:
        super().__init__(f"the archive has no image for the specified platform ({platform})")


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
    index: bytes = b""


class Archives:
    """Loads and saves; synchronous, called from threads."""

    def __init__(
        self, content: Content, snapshots: Snapshots, images: ImageBook, pool: WorkerPool, arrivals: Arrivals
    ) -> None:
        self._content, self._snapshots, self._images, self._pool = content, snapshots, images, pool
        self._arrivals = arrivals

    def load(
        self,
        fds: Sequence[int],
        on_progress: Callable[[Any], None] | None = None,
        platform: Platform | None = None,
    ) -> tuple[Loaded, ...]:
        """From a descriptor to read until its end, or from the two of an upload (`spec/upload.py`).

        With a platform only its images are recorded; what else came is for the next collection.
        """
        with self._arrivals.arriving():
            return self._load(fds, on_progress, platform)

    def _load(
        self, fds: Sequence[int], on_progress: Callable[[Any], None] | None, platform: Platform | None
    ) -> tuple[Loaded, ...]:
        args = {
            "oci_dir": self._content_dir,
            "snapshots_dir": self._snapshots.directory,
            "known": (known := self._known_blobs()),
        }
        found = self._pool.run("load", args, fds, on_progress, paced=True)
        layers = cast("dict[str, dict[str, Any]]", found["layers"])
        for facts in layers.values():
            if "directory" in facts:
                diff_id = Digest.parse(facts["diff_id"])
                self._snapshots.add_layer(LayerFacts(facts["directory"], diff_id, facts["size"]))
        wanted = _images_of(found["documents"], found["links"])
        if not wanted:
            raise BadArchive("the archive holds no image: neither manifest.json nor index.json is in it")
        wanted = _chosen(wanted, platform)
        self._arrivals.owed = self._arrivals.owed or platform is not None
        return tuple(self._record(w, _held(w, layers, found["links"], known)) for w in wanted)

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

    def _record(self, wanted: _Wanted, facts: list[dict[str, Any]]) -> Loaded:
        config = ImageConfig.parse(wanted.config)
        for diff_id, fact in zip(config.diff_ids, facts, strict=True):
            if str(diff_id) != fact["diff_id"]:
                raise LayerMismatch(", ".join(wanted.names) or "the image", str(diff_id), fact["diff_id"])
        image_id = self._content.put(wanted.config)
        digests = tuple(str(f["digest"]) for f in facts)
        manifest = str(self._content.put(wanted.manifest)) if _describes(wanted.manifest, digests) else ""
        index = str(self._content.put(wanted.index)) if manifest and wanted.index else ""
        sizes = tuple(int(f["size"]) for f in facts)
        record = ImageRecord(
            id=str(image_id),
            created_ns=config.created_ns,
            diff_ids=tuple(str(d) for d in config.diff_ids),
            layers=digests,
            size_bytes=sum(sizes),
            layer_sizes=sizes,
            manifest=manifest,
            index=index,
        )
        self._images.put(record, tuple(Reference.parse(n) for n in wanted.names))
        return Loaded(str(image_id), wanted.names)

    # Saving

    def save(
        self, chosen: Sequence[tuple[ImageRecord, tuple[str, ...]]], outlet: Outlet, *, whole: bool = True
    ) -> None:
        """`chosen` are images with the full references to write for each; `whole` takes their indexes along."""
        files: list[tuple[str, dict[str, str]]] = []
        docker: list[dict[str, Any]] = []
        found: list[Descriptor] = []
        seen: set[str] = set()
        for image, references in chosen:
            manifest, data = self.manifest(image)
            digest = Digest.of(data)
            familiar = [Reference.parse(r).familiar for r in references]
            docker.append(
                {
                    "Config": _blob(image.id),
                    "RepoTags": familiar or None,
                    "Layers": [_blob(str(layer.digest)) for layer in manifest.layers],
                }
            )
            index = self._index(image) if whole else None
            named = index or Descriptor(media_type=manifest.media_type, digest=digest, size=len(data))
            found += descriptors(named.digest, named.size, named.media_type, references)
            if str(digest) not in seen:
                seen.add(str(digest))
                files.append((_blob(str(digest)), {"text": data.decode()}))
            for blob in (image.id, *(str(layer.digest) for layer in manifest.layers), *self._beside(image, index)):
                if blob not in seen:
                    seen.add(blob)
                    files.append((_blob(blob), {"path": self._content.path(Digest.parse(blob))}))
        files += [
            ("index.json", {"text": Index(manifests=tuple(found)).to_bytes().decode()}),
            ("manifest.json", {"text": json.dumps(docker, separators=(",", ":"))}),
            ("oci-layout", {"text": '{"imageLayoutVersion":"1.0.0"}'}),
        ]
        directories = ["blobs", "blobs/sha256"]
        args = {"directories": directories, "files": files, "chunked": outlet.chunked}
        self._pool.run("save", args, (outlet.fd,), paced=True)

    def _index(self, image: ImageRecord) -> Descriptor | None:
        """The index the image came through, where it still lists the image's manifest."""
        if not image.index or not self._content.has(Digest.parse(image.index)):
            return None
        digest = Digest.parse(image.index)
        found = parse_manifest(self._content.read(digest))
        if not isinstance(found, Index) or image.manifest not in (str(m.digest) for m in found.manifests):
            return None
        return Descriptor(media_type=found.media_type, digest=digest, size=self._content.size(digest))

    def _beside(self, image: ImageRecord, index: Descriptor | None) -> list[str]:
        """Blobs of the index and of the other images that came through it."""
        if index is None:
            return []
        others = [i for i in self._images.all() if i.index == image.index and i.id != image.id and all(i.layers)]
        return [image.index, *(blob for i in others for blob in (i.manifest, i.id, *i.layers) if blob)]

    def manifest(self, image: ImageRecord) -> tuple[Manifest, bytes]:
        """The stored one with its very bytes, or one made of what there is."""
        if image.manifest and self._content.has(Digest.parse(image.manifest)):
            data = self._content.read(Digest.parse(image.manifest))
            found = parse_manifest(data)
            if isinstance(found, Manifest):
                return found, data
        made = manifest_of(self._content, Digest.parse(image.id), map(Digest.parse, image.layers))
        return made, made.to_bytes()


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _describes(manifest: bytes, digests: tuple[str, ...]) -> bool:
    """Whether a manifest names these very blobs: in an archive of two formats they may be others."""
    found = parse_manifest(manifest) if manifest else None
    return isinstance(found, Manifest) and tuple(str(layer.digest) for layer in found.layers) == digests


def _held(
    wanted: _Wanted, layers: dict[str, dict[str, Any]], links: dict[str, str], known: dict[str, Any]
) -> list[dict[str, Any]]:
    """What is known of an image's layers. One that the store has already need not be in the archive, as with
    Docker: docker-squash writes such archives."""
    diff_ids = ImageConfig.parse(wanted.config).diff_ids
    if len(wanted.layers) != len(diff_ids):
        raise BadArchive(f"the archive has {len(wanted.layers)} layers where {len(diff_ids)} are described")
    stored = {facts["diff_id"]: facts for facts in known.values()}
    return [
        _layer(name, layers, links, stored.get(str(diff_id)))
        for name, diff_id in zip(wanted.layers, diff_ids, strict=True)
    ]


def _layer(
    name: str, layers: dict[str, dict[str, Any]], links: dict[str, str], stored: dict[str, Any] | None
) -> dict[str, Any]:
    missing = name
    for _ in range(10):
        if name in layers:
            return layers[name]
        if name not in links:
            break
        name = links[name]
    if stored is not None:
        return stored
    raise BadArchive(f"the archive does not hold the layer {missing} that it speaks of")


def _images_of(documents: dict[str, str], links: dict[str, str]) -> list[_Wanted]:
    """By `manifest.json` where there is one (it also names), and what the OCI index beside it adds; else by that."""

    def document(name: str) -> bytes:
        for _ in range(10):
            if name in documents:
                return documents[name].encode("utf-8", "surrogateescape")
            if name not in links:
                break
            name = links[name]
        raise BadArchive(f"the archive does not hold {name}, which it speaks of")

    if "manifest.json" in documents:
        named = _docker_images(document)
        return _joined(named, _oci_images(document)) if "index.json" in documents else named
    if "index.json" in documents:
        return _oci_images(document)
    if "repositories" in documents:
        raise BadArchive("the archive is in the format of Docker before 1.10, which is not supported")
    return []


def _joined(named: list[_Wanted], described: list[_Wanted]) -> list[_Wanted]:
    """An image's manifest and index are in the OCI part alone, and so are the other platforms of its index."""
    by_config = {image.config: image for image in described}
    found = [
        replace(image, manifest=twin.manifest, index=twin.index) if (twin := by_config.get(image.config)) else image
        for image in named
    ]
    indexes, configs = {image.index for image in found if image.index}, {image.config for image in named}
    others = [replace(i, names=()) for i in described if i.index in indexes and i.config not in configs]
    return found + others


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
        found = parse_manifest(data, descriptor.media_type)
        if isinstance(found, Manifest):
            wanted += _oci_image(document, found, data, _names(descriptor), b"")
        else:
            wanted += _platforms(document, found, data, _names(descriptor))
    return wanted


def _platforms(document: Callable[[str], bytes], index: Index, data: bytes, names: tuple[str, ...]) -> list[_Wanted]:
    """The images of an index that the archive holds; the one that fits this machine best has the names."""
    found: list[_Wanted] = []
    offered: list[Platform | None] = []
    for descriptor in index.manifests:
        if descriptor.platform is not None and descriptor.platform.os == "unknown":
            continue  # an attestation
        try:
            inner = document(_blob(str(descriptor.digest)))
        except BadArchive:
            continue  # of a platform that was not saved
        manifest = parse_manifest(inner, descriptor.media_type)
        if isinstance(manifest, Manifest):
            images = _oci_image(document, manifest, inner, (), data)
            found += images
            offered += [descriptor.platform for _ in images]
    best = best_match(Platform.from_machine(os.uname().machine), offered)
    return [replace(image, names=names) if n == (best or 0) else image for n, image in enumerate(found)]


def _oci_image(
    document: Callable[[str], bytes], manifest: Manifest, data: bytes, names: tuple[str, ...], index: bytes
) -> list[_Wanted]:
    if not manifest.is_image:
        return []
    layers = tuple(_blob(str(layer.digest)) for layer in manifest.layers)
    return [_Wanted(document(_blob(str(manifest.config.digest))), layers, names, data, index)]


def _chosen(wanted: list[_Wanted], platform: Platform | None) -> list[_Wanted]:
    """Those for a platform, where one is asked for. Names go with the index they were given to."""
    if platform is None:
        return wanted
    names = {image.index: image.names for image in wanted if image.index and image.names}
    fitting = [w for w in wanted if platform.rank(ImageConfig.parse(w.config).platform) is not None]
    if not fitting:
        raise NoSuchPlatformInArchive(platform)
    return [replace(w, names=names.get(w.index, w.names)) for w in fitting]


def _names(descriptor: Descriptor) -> tuple[str, ...]:
    name = descriptor.annotations.get("io.containerd.image.name", "")
    if not name:
        short = descriptor.annotations.get("org.opencontainers.image.ref.name", "")
        name = short if "/" in short or ":" in short else ""
    return (name,) if name else ()
