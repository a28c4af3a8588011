"""What a volume is, as the engine keeps it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """`mountpoint` is the directory on the host that containers see; `anonymous` volumes have a 64-hex name."""

    name: str
    created_ns: int
    mountpoint: str
    driver: str = "local"
    options: dict[str, str] = field(default_factory=dict[str, str])
    labels: dict[str, str] = field(default_factory=dict[str, str])
    anonymous: bool = False
