"""Digests: the names of content. A value that exists is well-formed, so it may become part of a path.

Only SHA-256 and SHA-512 exist here, as in the OCI image specification.
"""

import hashlib
import re
from dataclasses import dataclass

from hakobu.errors import Invalid

_LENGTHS = {"sha256": 64, "sha512": 128}
_SHAPE = re.compile(r"(sha256|sha512):([0-9a-f]+)\Z", re.ASCII)
_HEX_ID = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)


class BadDigest(Invalid):
    """A text is not a digest of a kind that is known."""

    def __init__(self, text: str, field: str = "digest") -> None:
        super().__init__(f"invalid checksum digest format: {text[:100]!r}", field=field)


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """`algorithm:hex`. Made by `parse` and `of`; both prove the shape, and so does the constructor."""

    text: str

    def __post_init__(self) -> None:
        matched = _SHAPE.match(self.text)
        if matched is None or len(matched[2]) != _LENGTHS[matched[1]]:
            raise BadDigest(self.text)

    @classmethod
    def parse(cls, text: str, field: str = "digest") -> "Digest":
        try:
            return cls(text)
        except BadDigest:
            raise BadDigest(text, field) from None

    @classmethod
    def of(cls, data: bytes) -> "Digest":
        return cls(f"sha256:{hashlib.sha256(data).hexdigest()}")

    @classmethod
    def from_hex(cls, text: str) -> "Digest":
        return cls(f"sha256:{text}")

    @property
    def algorithm(self) -> str:
        return self.text.partition(":")[0]

    @property
    def hex(self) -> str:
        return self.text.partition(":")[2]

    def __str__(self) -> str:
        return self.text


def is_digest(text: str) -> bool:
    matched = _SHAPE.match(text)
    return matched is not None and len(matched[2]) == _LENGTHS[matched[1]]


def is_hex_id(text: str) -> bool:
    """A full id of an image or a container without its algorithm."""
    return _HEX_ID.match(text) is not None


def chain_id(diff_ids: tuple[Digest, ...]) -> Digest | None:
    """The OCI chain ID of a stack of layers, bottom first; None for none."""
    chain: Digest | None = None
    for diff_id in diff_ids:
        chain = diff_id if chain is None else Digest.of(f"{chain} {diff_id}".encode())
    return chain
