"""When images go by themselves: the operator's limits, off by default. A value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GcPolicy:
    """0 is no limit: nanoseconds since an image's last use, bytes of all unpacked layers, nanoseconds between looks."""

    age_ns: int = 0
    size_bytes: int = 0
    interval_ns: int = 3600 * 10**9

    @property
    def is_on(self) -> bool:
        return bool(self.age_ns or self.size_bytes)
