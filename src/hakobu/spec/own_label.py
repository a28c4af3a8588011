"""Labels by which a container asks for what Docker's API has no field for: any client can set them. Pure.

| label | value |
|---|---|
| `hakobu.timeout` | a duration: how long a run may last |
| `hakobu.on-unhealthy` | `keep`, `restart`, `stop` or `kill` |
| `hakobu.bandwidth` | a rate in tc's notation, for both directions |
| `hakobu.bandwidth-in`, `hakobu.bandwidth-out` | for one direction, as the container sees it |
| `hakobu.idmap` | mounts' targets, each alone or with ids: `/data,/srv=1000:33,/x=1000:33/1000:100` |
| `hakobu.publish-mode` | `proxy`, `kernel`, or for single ports `80/tcp=proxy,53/udp=proxy` |

Only labels of the create request count: an image's are read by nobody here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hakobu.errors import Invalid

PREFIX = "hakobu."
TIMEOUT = PREFIX + "timeout"
ON_UNHEALTHY = PREFIX + "on-unhealthy"
BANDWIDTH = PREFIX + "bandwidth"
BANDWIDTH_IN = PREFIX + "bandwidth-in"
BANDWIDTH_OUT = PREFIX + "bandwidth-out"
PUBLISH_MODE = PREFIX + "publish-mode"
IDMAP = PREFIX + "idmap"
KNOWN = (TIMEOUT, ON_UNHEALTHY, BANDWIDTH, BANDWIDTH_IN, BANDWIDTH_OUT, PUBLISH_MODE, IDMAP)

Reaction = Literal["keep", "restart", "stop", "kill"]
_REACTIONS: tuple[Reaction, ...] = ("keep", "restart", "stop", "kill")
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+\Z", re.ASCII)
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kmgt]?)(i?)(bit|bps)\Z", re.ASCII)
_PORT = re.compile(r"([0-9]{1,5})/(tcp|udp|sctp)\Z", re.ASCII)
_IDS = re.compile(r"([0-9]{1,10}):([0-9]{1,10})(?:/([0-9]{1,10}):([0-9]{1,10}))?\Z", re.ASCII)
_LAST_ID = (1 << 32) - 2
IdPairs = tuple[tuple[int, int], tuple[int, int]] | tuple[()]
"""On disk and as seen, of users and of groups; empty: the owner of what is mounted, and the container's user."""
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_LEAST_BYTES_S = 1000


@dataclass(frozen=True, slots=True)
class Rates:
    """Bytes a second that a container may receive and send; 0 is without a limit."""

    incoming: int = 0
    outgoing: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What the labels ask for. `proxied` are ports such as `80/tcp`, or `*` for all; `idmaps` by target."""

    timeout_s: float = 0.0
    on_unhealthy: Reaction = "keep"
    rates: Rates = Rates()
    proxied: frozenset[str] = frozenset()
    idmaps: Mapping[str, IdPairs] = field(default_factory=dict[str, IdPairs])

    def is_proxied(self, port: int, protocol: str) -> bool:
        return "*" in self.proxied or f"{port}/{protocol}" in self.proxied


def asked(labels: Mapping[str, str]) -> Asked:
    """Raises `Invalid` with the label's name where a value means nothing."""
    both = _rate(BANDWIDTH, labels.get(BANDWIDTH, ""))
    return Asked(
        timeout_s=_duration_s(labels.get(TIMEOUT, "")),
        on_unhealthy=_reaction(labels.get(ON_UNHEALTHY, "keep")),
        rates=Rates(
            incoming=_rate(BANDWIDTH_IN, labels[BANDWIDTH_IN]) if BANDWIDTH_IN in labels else both,
            outgoing=_rate(BANDWIDTH_OUT, labels[BANDWIDTH_OUT]) if BANDWIDTH_OUT in labels else both,
        ),
        proxied=_proxied(labels.get(PUBLISH_MODE, "")),
        idmaps=_idmaps(labels.get(IDMAP, "")),
    )


def unknown(labels: Mapping[str, str]) -> tuple[str, ...]:
    """Labels of ours that mean nothing: probably a slip."""
    return tuple(sorted(name for name in labels if name.startswith(PREFIX) and name not in KNOWN))


def _bad(label: str, value: str, expected: str) -> Invalid:
    return Invalid(f"label {label}={value}: expected {expected}", field=label)


def _duration_s(text: str) -> float:
    if not text or text == "0":
        return 0.0
    if not _DURATION.match(text):
        raise _bad(TIMEOUT, text, "a duration such as 90s or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def _reaction(text: str) -> Reaction:
    for reaction in _REACTIONS:
        if reaction == text:
            return reaction
    raise _bad(ON_UNHEALTHY, text, "keep, restart, stop or kill")


def _rate(label: str, text: str) -> int:
    """tc's notation: `10mbit` are bits, `10mbps` bytes a second, decimal unless there is an i."""
    if not text:
        return 0
    found = _RATE.match(text.lower())
    if found is None:
        raise _bad(label, text, "a rate such as 10mbit or 512kbps")
    number, power, binary, unit = found.groups()
    rate = int(float(number) * (1024 if binary else 1000) ** _POWERS[power] / (8 if unit == "bit" else 1))
    if rate < _LEAST_BYTES_S:
        raise _bad(label, text, "at least 8kbit")
    return rate


def _proxied(text: str) -> frozenset[str]:
    if text in ("", "kernel"):
        return frozenset()
    if text == "proxy":
        return frozenset("*")
    found: set[str] = set()
    for part in text.split(","):
        port, equals, mode = part.strip().partition("=")
        if not equals or mode not in ("proxy", "kernel") or not _PORT.match(port):
            raise _bad(PUBLISH_MODE, text, "proxy, kernel, or PORT/PROTOCOL=proxy")
        if mode == "proxy":
            found.add(port)
    return frozenset(found)


def _idmaps(text: str) -> dict[str, IdPairs]:
    return dict(_idmap(part, text) for part in text.split(",") if part)


def _idmap(part: str, whole: str) -> tuple[str, IdPairs]:
    target, equals, ids = part.partition("=")
    found = _IDS.match(ids)
    if not target.startswith("/") or (equals and found is None):
        raise _bad(IDMAP, whole, "TARGET, or TARGET=ON_DISK:SEEN, or TARGET=UID:UID/GID:GID")
    if found is None:
        return target, ()
    numbers = [int(number) for number in found.groups() if number]
    if max(numbers) > _LAST_ID:
        raise _bad(IDMAP, whole, f"ids up to {_LAST_ID}")
    users = (numbers[0], numbers[1])
    return target, (users, (numbers[2], numbers[3]) if len(numbers) == 4 else users)
