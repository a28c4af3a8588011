"""Times as users give them (`--since`, `--until`): a timestamp, a date, or how long ago."""

from __future__ import annotations

import time

from hakobu.cli.failure import Failure
from hakobu.cli.kind import parse_duration


def since_text(text: str, *, what: str = "", now: float | None = None) -> str:
    """Seconds since the epoch, with nanoseconds behind a dot; empty for empty."""
    if not text:
        return ""
    plain = text.removeprefix("-")
    if plain.replace(".", "", 1).isdigit() and plain.isascii():
        return text
    try:
        nanoseconds = parse_duration(text)
    except ValueError:
        return _timestamp(text, what)
    moment = int((time.time() if now is None else now) * 10**9) - nanoseconds
    return f"{moment // 10**9}.{moment % 10**9:09d}"


def _timestamp(text: str, what: str) -> str:
    from hakobu.cli.text.ago import parse_rfc3339

    day, separator, clock = text.partition("T")
    if clock.endswith("Z") or "+" in clock or "-" in clock:
        zone = ""
    else:
        # Without a zone it is the caller's own time.
        zone = _local_zone(text)
    clock_text = clock[:-1] if clock.endswith("Z") else clock
    full = clock_text if clock_text.count(":") >= 2 else clock_text + ":00" * (2 - clock_text.count(":"))
    if not separator:
        full = "00:00:00"
    elif clock_text.isdigit():
        full = f"{clock_text}:00:00"
    try:
        seconds, nanoseconds = parse_rfc3339(f"{day}T{full}{'Z' if clock.endswith('Z') else zone}")
    except ValueError:
        message = f'invalid value for "{what}": failed to parse value as time or duration: "{text}"'
        raise Failure(message if what else f'failed to parse value as time or duration: "{text}"') from None
    return f"{seconds}.{nanoseconds:09d}"


def _local_zone(text: str) -> str:
    offset = time.strftime("%z")
    return f"{offset[:3]}:{offset[3:]}"
