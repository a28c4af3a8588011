"""Platforms: which machine an image is for, and which of an index's manifests fits this one.

The vocabulary is OCI's (Go's names): os, architecture, variant. Matching follows containerd: a machine also runs older
variants of its own architecture, newest first.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hakobu.errors import Invalid
from hakobu.spec.bounded import Fields
from hakobu.spec.step import Json

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z", re.ASCII)
_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "armel": "arm",
    "i386": "386",
    "i686": "386",
}
_VARIANTS = {"arm64": ("v8",), "arm": ("v8", "v7", "v6", "v5"), "amd64": ("v1",)}


class BadPlatform(Invalid):
    """A text is not os[/architecture[/variant]]."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:100]!r} is an invalid platform specifier", field="platform")


@dataclass(frozen=True, slots=True)
class Platform:
    """`variant` is empty where the architecture's usual one is meant (arm64's v8, amd64's v1, arm's v7)."""

    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""
    os_version: str = ""

    @classmethod
    def parse(cls, text: str, default_architecture: str = "amd64") -> "Platform":
        """`linux/arm64/v8`, `linux`, or an architecture alone."""
        parts = text.split("/")
        if len(parts) > 3 or not all(_PART.match(part) for part in parts):
            raise BadPlatform(text)
        if len(parts) == 1 and parts[0].lower() not in ("linux", "windows", "darwin", "freebsd"):
            parts = ["linux", *parts]
        os, architecture, variant = (*parts, "", "")[:3]
        return cls(os.lower(), architecture or default_architecture, variant).normal()

    @classmethod
    def from_machine(cls, machine: str) -> "Platform":
        """Of `uname -m`."""
        variant = {"armv7l": "v7", "armv6l": "v6"}.get(machine, "")
        return cls("linux", "arm" if machine.startswith("armv") else machine, variant).normal()

    @classmethod
    def from_fields(cls, fields: Fields) -> "Platform":
        return cls(
            fields.string("os"), fields.string("architecture"), fields.string("variant"), fields.string("os.version")
        ).normal()

    def normal(self) -> "Platform":
        architecture = _ARCHITECTURES.get(self.architecture.lower(), self.architecture.lower())
        variant = self.variant.lower()
        if (architecture, variant) in (("arm64", "v8"), ("arm64", "8"), ("amd64", "v1"), ("arm", "v7"), ("arm", "7")):
            variant = ""
        return Platform(self.os.lower(), architecture, variant, self.os_version)

    def to_json(self) -> dict[str, Json]:
        found: dict[str, Json] = {"architecture": self.architecture, "os": self.os}
        if self.os_version:
            found["os.version"] = self.os_version
        if self.variant:
            found["variant"] = self.variant
        return found

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def rank(self, offered: "Platform") -> int | None:
        """How well what is offered runs here: 0 is exact, greater is worse, None not at all."""
        if (offered.os, offered.architecture) != (self.os, self.architecture):
            return None
        if offered.variant == self.variant:
            return 0
        order = _VARIANTS.get(self.architecture, ())
        mine, theirs = (p.variant or _usual(self.architecture) for p in (self, offered))
        if mine not in order or theirs not in order or order.index(theirs) < order.index(mine):
            return None
        return 1 + order.index(theirs)


def _usual(architecture: str) -> str:
    return {"arm": "v7", "arm64": "v8", "amd64": "v1"}.get(architecture, "")


def best_match(wanted: Platform, offered: Iterable[Platform | None]) -> int | None:
    """The index of the offer that fits best; one without a platform fits when nothing else does."""
    ranks: list[tuple[int, int]] = []
    for index, platform in enumerate(offered):
        rank = 1000 if platform is None else wanted.rank(platform)
        if rank is not None:
            ranks.append((rank, index))
    return min(ranks)[1] if ranks else None
