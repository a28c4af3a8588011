"""Shapes of `/volumes/...` requests."""

from typing import Any, TypedDict

from hakobu.wire.container import StringMap


class VolumeCreate(TypedDict, total=False):
    Name: str | None
    Driver: str | None
    DriverOpts: StringMap
    Labels: StringMap
    ClusterVolumeSpec: dict[str, Any] | None
