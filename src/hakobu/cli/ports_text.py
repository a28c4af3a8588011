"""Published ports in one line, neighbours joined to ranges, as `ps` shows them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.codec import Json


class _Run:
    """A range of ports that go up together."""

    def __init__(self, first: int, last: int) -> None:
        self.first = first
        self.last = last


def _order(port: Json) -> tuple[int, str, int, str]:
    return (
        int(port.get("PrivatePort", 0)),
        str(port.get("IP", "")),
        int(port.get("PublicPort", 0)),
        str(port.get("Type", "")),
    )


def ports_text(ports: list[Json]) -> str:
    """`0.0.0.0:8080->80/tcp, 443/tcp`: first what cannot be joined or is not published, ranges last."""
    groups: dict[str, _Run] = {}
    order: list[str] = []
    mapped: list[str] = []
    for port in sorted(ports, key=_order):
        private, public = int(port.get("PrivatePort", 0)), int(port.get("PublicPort", 0))
        address, kind = str(port.get("IP", "")), str(port.get("Type", ""))
        key = kind
        if address:
            if public != private:
                mapped.append(f"{_host(address)}:{public}->{private}/{kind}")
                continue
            key = f"{address}/{kind}"
        run = groups.get(key)
        if run is None:
            groups[key] = _Run(private, private)
            order.append(key)
        elif private == run.last + 1:
            run.last = private
        else:
            order.append(key + f"\0{len(order)}")
            groups[order[-1]] = _Run(run.first, run.last)
            groups[key] = _Run(private, private)
    texts = [_group(key.partition("\0")[0], groups[key]) for key in _finished(order, groups)]
    return ", ".join(texts + mapped)


def _finished(order: list[str], groups: dict[str, _Run]) -> list[str]:
    """Runs that ended before others of their kind come first."""
    return sorted(order, key=lambda key: "\0" not in key)


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _group(key: str, run: _Run) -> str:
    address, slash, kind = key.rpartition("/")
    span = str(run.first) if run.first == run.last else f"{run.first}-{run.last}"
    return f"{_host(address)}:{span}->{span}/{kind}" if slash else f"{span}/{kind}"
