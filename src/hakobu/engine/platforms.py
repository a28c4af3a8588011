"""Which image a name means for a platform, and all that the index of an image lists.

An image is one platform's. Those that came from the same index stay together by it: a name leads to the one pulled
last, and with a platform to any of them.
"""

import os
from collections.abc import Callable

from hakobu.engine.services import ImageManifest
from hakobu.errors import HakobuError, Kind
from hakobu.spec.descriptor import Descriptor
from hakobu.spec.digest import Digest
from hakobu.spec.manifest import Index, parse_manifest
from hakobu.spec.platform import Platform, best_match
from hakobu.store.content import Content
from hakobu.store.imagebook import ImageBook, ImageRecord

_ATTESTATION = "vnd.docker.reference.type"
_ATTESTED = "vnd.docker.reference.digest"


class WrongPlatform(HakobuError):
    """An image is there, but not for the platform that was asked for."""

    kind = Kind.NOT_FOUND

    def __init__(self, ref: str, wanted: Platform, actual: Platform) -> None:
        super().__init__(
            f"image with reference {ref} was found but its platform ({actual}) does not match the specified platform "
            f"({wanted})",
            hint=f"pull it with --platform {wanted}",
        )


def image_for(images: ImageBook, ref: str, platform: str) -> ImageRecord:
    """What `ref` names; with a platform, that image or another of its index. Raises `WrongPlatform`."""
    record = images.get(ref)
    if not platform:
        return record
    wanted = Platform.parse(platform, Platform.from_machine(os.uname().machine).architecture)
    actual = images.config(record.id).platform
    if wanted.rank(actual) is not None:
        return record
    others = [i for i in images.all() if record.index and i.index == record.index]
    picked = best_match(wanted, [images.config(i.id).platform for i in others])
    if picked is None:
        raise WrongPlatform(ref, wanted, actual)
    return others[picked]


def target_of(content: Content, record: ImageRecord) -> Descriptor | None:
    """The index an image came from, else its manifest; None where there is no manifest."""
    for text in (record.index, record.manifest):
        if text and content.has(Digest.parse(text)):
            digest = Digest.parse(text)
            media_type = parse_manifest(content.read(digest)).media_type
            return Descriptor(media_type=media_type, digest=digest, size=content.size(digest))
    return None


def manifests_of(
    content: Content, images: ImageBook, record: ImageRecord, users: Callable[[str], tuple[str, ...]]
) -> tuple[ImageManifest, ...]:
    """Every manifest of the image's index, here or not; `users` gives the containers of an image."""
    target = target_of(content, record)
    if target is None:
        return ()
    found = parse_manifest(content.read(target.digest))
    listed = found.manifests if isinstance(found, Index) else (target,)
    held = {i.manifest: i for i in images.all() if i.manifest}
    return tuple(_summary(content, images, item, held.get(str(item.digest)), users) for item in listed)


def _summary(
    content: Content,
    images: ImageBook,
    item: Descriptor,
    image: ImageRecord | None,
    users: Callable[[str], tuple[str, ...]],
) -> ImageManifest:
    attested = item.annotations.get(_ATTESTED, "") if _ATTESTATION in item.annotations else ""
    if image is None:
        return ImageManifest(descriptor=item, available=False, platform=item.platform, attested=attested)
    blobs = [Digest.parse(d) for d in (image.manifest, image.id, *image.layers) if d]
    return ImageManifest(
        descriptor=item,
        available=True,
        platform=item.platform or images.config(image.id).platform,
        content_bytes=sum(content.size(d) for d in blobs if content.has(d)),
        unpacked_bytes=image.size_bytes,
        containers=users(image.id),
        attested=attested,
    )
