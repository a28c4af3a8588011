"""Networks: one method a route of `/networks`."""

from __future__ import annotations

from hakobu.client.container import encode_filters
from hakobu.client.url import quote_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.codec import Json
    from hakobu.client.container import Filters
    from hakobu.client.transport import Transport


class Networks:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, filters: Filters | None = None) -> list[Json]:
        return self._transport.call("GET", "/networks", {"filters": encode_filters(filters)})

    def inspect(self, network: str, *, verbose: bool = False) -> Json:
        return self._transport.call("GET", _path(network), {"verbose": "true" if verbose else None})

    def create(self, config: Json) -> Json:
        """Creates from `Name`, `Driver`, `IPAM`, …; gives `Id` and `Warning`."""
        return self._transport.call("POST", "/networks/create", None, config)

    def remove(self, network: str) -> None:
        self._transport.call("DELETE", _path(network))

    def connect(self, network: str, container: str, endpoint: Json | None = None) -> None:
        body: Json = {"Container": container}
        if endpoint is not None:
            body["EndpointConfig"] = endpoint
        self._transport.call("POST", _path(network, "/connect"), None, body)

    def disconnect(self, network: str, container: str, *, force: bool = False) -> None:
        body = {"Container": container, "Force": force}
        self._transport.call("POST", _path(network, "/disconnect"), None, body)

    def prune(self, filters: Filters | None = None) -> Json:
        return self._transport.call("POST", "/networks/prune", {"filters": encode_filters(filters)})


def _path(network: str, action: str = "") -> str:
    return f"/networks/{quote_path(network)}{action}"
