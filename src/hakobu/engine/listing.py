"""Which containers a list shows: Docker's filters, each a pure test of one record."""

import re
from collections.abc import Callable, Iterable, Sequence

from hakobu.engine.records import Records
from hakobu.engine.services import Filters
from hakobu.engine.when import parse_when_ns
from hakobu.errors import Invalid
from hakobu.spec.container import Container, Status

_KEYS = frozenset(
    {"ancestor", "before", "exited", "expose", "health", "id", "isolation", "is-task", "label", "name"}
    | {"network", "publish", "since", "status", "volume"}
)
_ALWAYS_SHOWN = frozenset({Status.RUNNING, Status.PAUSED, Status.RESTARTING})
Ancestors = Callable[[str], frozenset[str]]
"""Image ids that count as having this reference as their ancestor."""


def select(records: Records, *, all: bool, limit: int, filters: Filters, ancestors: Ancestors) -> Sequence[Container]:
    """Newest first. `limit` > 0 shows the last created ones, whatever their state."""
    check_filters(filters, _KEYS)
    chosen = sorted(records, key=lambda c: c.created_ns, reverse=True)
    shows_stopped = all or limit > 0 or bool(filters.get("status")) or bool(filters.get("exited"))
    if not shows_stopped:
        chosen = [c for c in chosen if c.state.status in _ALWAYS_SHOWN]
    test = _test(records, filters, ancestors)
    chosen = [c for c in chosen if test(c)]
    return chosen[:limit] if limit > 0 else chosen


def check_filters(filters: Filters, keys: frozenset[str]) -> None:
    """Docker's refusal of a filter it does not know."""
    for key in filters:
        if key not in keys:
            raise Invalid(f"invalid filter '{key}'", field="filters")


def has_labels(labels: "dict[str, str]", wanted: Iterable[str]) -> bool:
    """All of `name` or `name=value` must hold."""
    for text in wanted:
        name, equals, value = text.partition("=")
        if name not in labels or (equals and labels[name] != value):
            return False
    return True


def _test(records: Records, filters: Filters, ancestors: Ancestors) -> Callable[[Container], bool]:
    before = [records.get(ref).created_ns for ref in filters.get("before", ())]
    since = [records.get(ref).created_ns for ref in filters.get("since", ())]
    wanted_images = [ancestors(ref) for ref in filters.get("ancestor", ())]
    for status in filters.get("status", ()):
        if status not in tuple(Status):
            raise Invalid(f"invalid filter 'status={status}'", field="filters")
    for code in filters.get("exited", ()):
        if not code.lstrip("-").isdigit():
            raise Invalid(f"invalid filter 'exited={code}'", field="filters")

    def test(c: Container) -> bool:
        return (
            all(c.created_ns < t for t in before)
            and all(c.created_ns > t for t in since)
            and (not wanted_images or any(c.image_id in ids for ids in wanted_images))
            and _matches_plain(c, filters)
            and _matches_network(c, filters)
        )

    return test


def _any(values: Sequence[str], test: Callable[[str], bool]) -> bool:
    return not values or any(test(v) for v in values)


def _matches_plain(c: Container, filters: Filters) -> bool:
    health = c.state.health.status if c.state.health else "none"
    ended = c.state.status is Status.EXITED
    return (
        _any(filters.get("id", ()), lambda v: c.id.startswith(v))
        and _any(filters.get("name", ()), lambda v: _name_matches(c.name, v))
        and has_labels(c.labels, filters.get("label", ()))
        and _any(filters.get("status", ()), lambda v: c.state.status.value == v)
        and _any(filters.get("exited", ()), lambda v: ended and c.state.exit_code == int(v))
        and _any(filters.get("health", ()), lambda v: health == v)
        and _any(filters.get("is-task", ()), lambda v: v.lower() in ("false", "0"))
        and _any(filters.get("isolation", ()), lambda v: v in ("", "default"))
        and _any(filters.get("volume", ()), lambda v: any(v in (m.volume, m.target, m.source) for m in c.mounts))
    )


def _name_matches(name: str, pattern: str) -> bool:
    """Docker takes a regular expression that may match anywhere, with or without the leading slash."""
    try:
        compiled = re.compile(pattern)
    except re.error:
        return False
    return compiled.search(name) is not None or compiled.search(f"/{name}") is not None


def _matches_network(c: Container, filters: Filters) -> bool:
    names = {e.network_name for e in c.endpoints} | {e.network_id for e in c.endpoints} or {c.spec.network_mode}
    published = {f"{p.container_port}/{p.protocol}" for p in c.ports}
    exposed = published | set(c.exposed_ports)
    return (
        _any(filters.get("network", ()), lambda v: v in names or any(n.startswith(v) for n in names if len(n) == 64))
        and _any(filters.get("publish", ()), lambda v: _port_matches(published, v))
        and _any(filters.get("expose", ()), lambda v: _port_matches(exposed, v))
    )


def _port_matches(ports: "set[str]", wanted: str) -> bool:
    """`80`, `80/tcp` or `80-90/udp`."""
    numbers, _, protocol = wanted.partition("/")
    low, _, high = numbers.partition("-")
    if not low.isdigit() or (high and not high.isdigit()):
        raise Invalid(f"invalid port filter '{wanted}'", field="filters")
    wanted_range = range(int(low), int(high or low) + 1)
    for port in ports:
        number, _, kind = port.partition("/")
        if kind == (protocol or "tcp") and int(number) in wanted_range:
            return True
    return False


def prunable(created_ns: int, labels: dict[str, str], filters: Filters) -> bool:
    """Docker's filters of the prune calls: `until` (a time or a duration), `label`, `label!`."""
    if any(created_ns > parse_when_ns(until) for until in filters.get("until", ())):
        return False
    if not has_labels(labels, filters.get("label", ())):
        return False
    return not any(has_labels(labels, (unwanted,)) for unwanted in filters.get("label!", ()))
