"""The store as a valid OCI image layout: a manifest for every image, and `index.json` that names them all.

The index is generated from the database and never believed over it; only when the database was lost does it give the
images their names back.
"""

from collections.abc import Iterable, Mapping, Sequence

from hakobu.errors import HakobuError
from hakobu.spec.descriptor import OCI_CONFIG, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, OCI_MANIFEST, Descriptor
from hakobu.spec.digest import Digest
from hakobu.spec.manifest import Index, Manifest, parse_manifest
from hakobu.store.content import Content
from hakobu.store.layers.compression import compression_of

_NAME = "io.containerd.image.name"
_TAG = "org.opencontainers.image.ref.name"
_MEDIA_TYPES = {"gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD}


def manifest_of(content: Content, config: Digest, layers: Iterable[Digest]) -> Manifest:
    """A manifest for an image that came without one, of what the store holds."""
    described = tuple(_layer(content, digest) for digest in layers)
    head = Descriptor(media_type=OCI_CONFIG, digest=config, size=content.size(config))
    return Manifest(config=head, layers=described)


def _layer(content: Content, digest: Digest) -> Descriptor:
    with open(content.open(digest), "rb") as file:
        media_type = _MEDIA_TYPES.get(compression_of(file.read(6)), OCI_LAYER)
    return Descriptor(media_type=media_type, digest=digest, size=content.size(digest))


def descriptors(digest: Digest, size: int, media_type: str, references: Sequence[str]) -> list[Descriptor]:
    """One for each name of an image, or one without."""
    notes = [{_NAME: r, _TAG: r.rpartition(":")[2]} for r in references] or [dict[str, str]()]
    return [Descriptor(media_type=media_type, digest=digest, size=size, annotations=note) for note in notes]


def write_index(content: Content, images: Mapping[str, Sequence[str]]) -> None:
    """`images` maps a manifest's digest to the names of its image. Manifests that are gone are left out."""
    found: list[Descriptor] = []
    for text, references in sorted(images.items()):
        digest = Digest.parse(text)
        if content.has(digest):
            found += descriptors(digest, content.size(digest), OCI_MANIFEST, references)
    content.write_index(Index(manifests=tuple(found)).to_bytes())


def names_in_index(content: Content) -> list[tuple[str, str]]:
    """(manifest's digest, full reference) of what the index on disk names; nothing where it cannot be read."""
    try:
        with open(f"{content.directory}/index.json", "rb") as file:
            index = parse_manifest(file.read((4 << 20) + 1), what="index.json")
    except (OSError, HakobuError):
        return []
    manifests = index.manifests if isinstance(index, Index) else ()
    return [(str(m.digest), m.annotations[_NAME]) for m in manifests if _NAME in m.annotations]
