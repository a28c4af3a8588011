"""Manifests and indexes, OCI's and Docker's schema 2, parsed from bytes whose digest is already checked.

One document has one reading (CVE-2021-41190): something with both `layers` and `manifests`, or whose `mediaType`
contradicts its shape, is refused. Round trip: `parse(to_bytes(x)) == x`.
"""

import json
from dataclasses import dataclass, field

from hakobu.spec.bounded import MAX_MANIFEST_BYTES, BadDocument, Fields, load_json
from hakobu.spec.descriptor import (
    CONFIGS,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    INDEXES,
    MANIFESTS,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
)
from hakobu.spec.step import Json

MAX_LAYERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One image: its configuration and its layers, bottom first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = OCI_MANIFEST
    annotations: dict[str, str] = field(default_factory=dict[str, str])
    subject: Descriptor | None = None
    artifact_type: str = ""

    @property
    def is_image(self) -> bool:
        """False for an artifact that only travels in an image's clothes."""
        return self.config.media_type in CONFIGS or not self.config.media_type

    def to_bytes(self) -> bytes:
        found: dict[str, Json] = {
            "schemaVersion": 2,
            "mediaType": self.media_type,
            "config": self.config.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
        }
        if self.artifact_type:
            found["artifactType"] = self.artifact_type
        if self.subject is not None:
            found["subject"] = self.subject.to_json()
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        return _encode(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A list of manifests, usually one a platform."""

    manifests: tuple[Descriptor, ...]
    media_type: str = OCI_INDEX
    annotations: dict[str, str] = field(default_factory=dict[str, str])

    def to_bytes(self) -> bytes:
        found: dict[str, Json] = {
            "schemaVersion": 2,
            "mediaType": self.media_type,
            "manifests": [manifest.to_json() for manifest in self.manifests],
        }
        if self.annotations:
            found["annotations"] = dict(self.annotations)
        return _encode(found)


def _encode(value: dict[str, Json]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def parse_manifest(data: bytes, media_type: str = "", *, what: str = "manifest") -> Manifest | Index:
    """`media_type` is what the carrier (a registry, a descriptor) called it; empty where it said nothing."""
    fields = Fields.of(load_json(data, what=what, max_bytes=MAX_MANIFEST_BYTES), what)
    version = fields.integer("schemaVersion", 2)
    if version != 2:
        raise BadDocument(
            f"{what} has schemaVersion {version}; only version 2 is supported",
            field=fields.at("schemaVersion"),
            hint="the image must be pushed again with a current tool",
        )
    stated = fields.string("mediaType")
    if stated and media_type in INDEXES | MANIFESTS and stated != media_type:
        raise BadDocument(f"{what} calls itself {stated} but came as {media_type}", field=fields.at("mediaType"))
    kind = stated or (media_type if media_type in INDEXES | MANIFESTS else "")
    has_layers, has_manifests = (fields.values.get(key) is not None for key in ("layers", "manifests"))
    if (has_layers and has_manifests) or (fields.values.get("config") is not None and has_manifests):
        raise BadDocument(f"{what} is both a manifest and an index", field=what)
    if kind in INDEXES or (not kind and has_manifests):
        return _index(fields, kind or OCI_INDEX)
    if kind in MANIFESTS or (not kind and has_layers):
        return _manifest(fields, kind or OCI_MANIFEST)
    raise BadDocument(f"{what} has the unknown media type {kind!r}", field=fields.at("mediaType"))


def _manifest(fields: Fields, media_type: str) -> Manifest:
    if fields.values.get("manifests") is not None:
        raise BadDocument(f"{fields.place} is a manifest but lists manifests", field=fields.at("manifests"))
    config = fields.fields("config")
    if config is None:
        raise BadDocument(f"{fields.at('config')} is missing", field=fields.at("config"))
    subject = fields.fields("subject")
    return Manifest(
        config=Descriptor.from_fields(config),
        layers=tuple(Descriptor.from_fields(layer) for layer in fields.objects("layers", MAX_LAYERS)),
        media_type=media_type,
        annotations=fields.string_map("annotations"),
        subject=None if subject is None else Descriptor.from_fields(subject),
        artifact_type=fields.string("artifactType"),
    )


def _index(fields: Fields, media_type: str) -> Index:
    if fields.values.get("layers") is not None:
        raise BadDocument(f"{fields.place} is an index but lists layers", field=fields.at("layers"))
    return Index(
        manifests=tuple(Descriptor.from_fields(m) for m in fields.objects("manifests", MAX_LAYERS)),
        media_type=media_type,
        annotations=fields.string_map("annotations"),
    )


__all__ = ["DOCKER_LIST", "DOCKER_MANIFEST", "Index", "Manifest", "parse_manifest"]
