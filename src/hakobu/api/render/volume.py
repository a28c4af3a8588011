"""Volumes as list and inspect show them."""

from typing import Any

from hakobu.api.time import rfc3339_nano
from hakobu.spec.volume import Volume

_SECOND_NS = 1_000_000_000


def volume(value: Volume, usage: tuple[int, int] | None = None) -> dict[str, Any]:
    """`usage` is (bytes, containers that refer to it), shown by `/system/df` only."""
    shown: dict[str, Any] = {
        "CreatedAt": rfc3339_nano(value.created_ns // _SECOND_NS * _SECOND_NS),
        "Driver": value.driver,
        "Labels": dict(sorted(value.labels.items())) or None,
        "Mountpoint": value.mountpoint,
        "Name": value.name,
        "Options": dict(value.options) or None,
        "Scope": "local",
    }
    if usage is not None:
        shown["UsageData"] = {"Size": usage[0], "RefCount": usage[1]}
    return shown
