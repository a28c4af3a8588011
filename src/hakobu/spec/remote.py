"""What a registry tells: documents with their digests, what a name stands for, what a search finds. Values."""

from dataclasses import dataclass

from hakobu.spec.digest import Digest
from hakobu.spec.platform import Platform


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or an index as its registry keeps it."""

    digest: Digest
    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Described:
    """What a name stands for at its registry, and the platforms behind it."""

    document: Document
    platforms: tuple[Platform, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """A repository that a search found."""

    name: str
    description: str
    stars: int
    official: bool
    automated: bool
