"""Layers as they travel to a registry: what is stored as a plain tar is sent as gzip.

Deterministic (no time, no name in the header), so that a second push finds the blob already there.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol, cast

from hakobu.spec.descriptor import OCI_LAYER, OCI_LAYER_GZIP, Descriptor
from hakobu.store.content import Content

_BLOCK = 1 << 20


class _Packer(Protocol):
    """What the library's untyped object does."""

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


_LEVEL = 2
_DEFLATED, _GZIP_WINDOW = 8, 31  # zlib's names: the one method there is, and a window with gzip's header


def _packer() -> _Packer:
    """Loaded with the first push: a daemon that never pushes does not carry the library."""
    from isal import isal_zlib

    make = isal_zlib.compressobj  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return cast("_Packer", make(_LEVEL, _DEFLATED, _GZIP_WINDOW))


@contextmanager
def compressed(content: Content, layer: Descriptor) -> Generator[tuple[Descriptor, str], None, None]:
    """The descriptor to push and the file that holds its bytes, until the block is left."""
    if layer.media_type != OCI_LAYER:
        yield layer, content.path(layer.digest)
        return
    with content.ingest() as outgoing:
        packer = _packer()
        with open(content.open(layer.digest), "rb", buffering=0) as source:
            while block := source.read(_BLOCK):
                outgoing.write(packer.compress(block))
        outgoing.write(packer.flush())
        outgoing.flush()
        yield Descriptor(media_type=OCI_LAYER_GZIP, digest=outgoing.digest, size=outgoing.size), outgoing.path
