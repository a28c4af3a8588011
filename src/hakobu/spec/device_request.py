"""A wish for devices by name or kind, as `--gpus` and `--device vendor/class=name` say it."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """`count` -1 is all; `capabilities` are alternatives of sets, as Docker has them."""

    driver: str = ""
    count: int = 0
    device_ids: tuple[str, ...] = ()
    capabilities: tuple[tuple[str, ...], ...] = ()
    options: dict[str, str] = field(default_factory=dict[str, str])
