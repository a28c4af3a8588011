"""Volumes: one method a route of `/volumes`."""

from __future__ import annotations

from hakobu.client.container import encode_filters
from hakobu.client.url import quote_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.codec import Json
    from hakobu.client.container import Filters
    from hakobu.client.transport import Transport


class Volumes:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, filters: Filters | None = None) -> list[Json]:
        answer = self._transport.call("GET", "/volumes", {"filters": encode_filters(filters)})
        return answer.get("Volumes") or []

    def inspect(self, volume: str) -> Json:
        return self._transport.call("GET", f"/volumes/{quote_path(volume)}")

    def create(self, config: Json) -> Json:
        """Creates from `Name`, `Driver`, `DriverOpts`, `Labels`; gives the volume."""
        return self._transport.call("POST", "/volumes/create", None, config)

    def remove(self, volume: str, *, force: bool = False) -> None:
        self._transport.call("DELETE", f"/volumes/{quote_path(volume)}", {"force": force})

    def prune(self, filters: Filters | None = None) -> Json:
        return self._transport.call("POST", "/volumes/prune", {"filters": encode_filters(filters)})
