"""Descriptors: media type, digest and size of a piece of content, and the media types there are.

A descriptor that exists names content that may be fetched: its digest is well-formed and its size not negative.
`urls` (foreign layers) are kept as data and never followed.
"""

from dataclasses import dataclass, field

from hakobu.spec.bounded import BadDocument, Fields
from hakobu.spec.digest import Digest
from hakobu.spec.platform import Platform
from hakobu.spec.step import Json

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_V1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"

INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
LAYERS = frozenset({OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, DOCKER_LAYER, DOCKER_LAYER_GZIP})
MAX_BLOB_BYTES = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    media_type: str
    digest: Digest
    size: int
    annotations: dict[str, str] = field(default_factory=dict[str, str])
    platform: Platform | None = None
    urls: tuple[str, ...] = ()
    artifact_type: str = ""

    @classmethod
    def from_fields(cls, fields: Fields) -> "Descriptor":
        fields.require("digest")
        fields.require("size")
        platform = fields.fields("platform")
        media_type = fields.string("mediaType")
        if len(media_type) > 255 or not media_type.isascii():
            raise BadDocument(f"{fields.at('mediaType')} is not a media type", field=fields.at("mediaType"))
        return cls(
            media_type=media_type,
            digest=Digest.parse(fields.string("digest"), fields.at("digest")),
            size=fields.integer("size", high=MAX_BLOB_BYTES),
            annotations=fields.string_map("annotations"),
            platform=None if platform is None else Platform.from_fields(platform),
            urls=fields.strings("urls", 100),
            artifact_type=fields.string("artifactType"),
        )

    def to_json(self) -> dict[str, Json]:
        found: dict[str, Json] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.urls:
            found["urls"] = list(self.urls)
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        if self.platform is not None:
            found["platform"] = self.platform.to_json()
        if self.artifact_type:
            found["artifactType"] = self.artifact_type
        return found
