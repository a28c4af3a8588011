"""Of our own routes: a list of manifests that is pushed, and what came of it."""

from typing import TypedDict


class PushedManifest(TypedDict, total=False):
    """`Document` is the manifest's bytes in base64, `Ref` where its layers are."""

    Ref: str
    MediaType: str
    Document: str


class ManifestPush(TypedDict, total=False):
    """`Document` is the list's own bytes in base64."""

    Document: str
    MediaType: str
    Manifests: list[PushedManifest]
