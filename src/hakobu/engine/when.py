"""Points in time as Docker's clients give them: seconds with decimals, RFC 3339, or a duration before now."""

import re
from datetime import UTC, datetime

from hakobu.engine.clock import now_ns
from hakobu.errors import Invalid

_UNIX = re.compile(r"(-?[0-9]{1,12})(?:\.([0-9]{1,9}))?\Z", re.ASCII)
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h))+\Z")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)")
_UNIT_NS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def parse_duration_ns(text: str) -> int:
    """Go's notation of a duration: `1h30m`, `250ms`."""
    if text == "0":
        return 0
    if not _DURATION.match(text):
        raise Invalid(f"invalid duration: {text}")
    return sum(int(float(number) * _UNIT_NS[unit]) for number, unit in _PART.findall(text))


def parse_when_ns(text: str) -> int:
    """Nanoseconds since the epoch."""
    if found := _UNIX.match(text):
        seconds, fraction = found.groups()
        return int(seconds) * 10**9 + int((fraction or "").ljust(9, "0"))
    if _DURATION.match(text):
        return now_ns() - parse_duration_ns(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"failed to parse value as time or duration: {text}") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 10**9)
