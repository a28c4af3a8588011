"""Times as docker prints them: rounded durations, local dates, and timestamps read with nanoseconds."""

from __future__ import annotations

import time


def duration(seconds: float) -> str:
    """`About a minute`, `3 weeks`."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < 60:
        return f"{whole} seconds"
    minutes = int(seconds / 60)
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    return f"{hours} hours" if hours < 48 else _days(hours, seconds)


def _days(hours: int, seconds: float) -> str:
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{int(seconds / 3600) // 24 // 365} years"


def ago(unix: float, now: float | None = None) -> str:
    """`3 years ago`."""
    return f"{duration((time.time() if now is None else now) - unix)} ago"


def local(unix: float) -> str:
    """`2023-11-14 22:13:20 +0000 UTC`, in the caller's time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(int(unix)))


def parse_rfc3339(text: str) -> tuple[int, int]:
    """Seconds since the epoch and nanoseconds of `2023-11-14T22:13:20.5Z`; ValueError otherwise."""
    date, separator, rest = text.partition("T")
    if not separator:
        raise ValueError(f"not a time: {text}")
    offset = 0
    if rest.endswith(("Z", "z")):
        rest = rest[:-1]
    else:
        cut = max(rest.rfind("+"), rest.rfind("-"))
        if cut < 0:
            raise ValueError(f"not a time with a zone: {text}")
        hours, _, minutes = rest[cut + 1 :].partition(":")
        offset = (int(hours) * 3600 + int(minutes or "0") * 60) * (-1 if rest[cut] == "-" else 1)
        rest = rest[:cut]
    clock, _, fraction = rest.partition(".")
    year, month, day = (int(part) for part in date.split("-"))
    hour, minute, second = (int(part) for part in clock.split(":"))
    nanoseconds = int(fraction[:9].ljust(9, "0")) if fraction else 0
    return _timegm(year, month, day, hour, minute, second) - offset, nanoseconds


def _timegm(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    """Seconds since the epoch by the proleptic Gregorian calendar, the year 1 as well."""
    shifted = year - (month <= 2)
    era, in_era = divmod(shifted, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = era * 146097 + in_era * 365 + in_era // 4 - in_era // 100 + day_of_year - 719468
    return days * 86400 + hour * 3600 + minute * 60 + second


def go_time(text: str) -> str:
    """How Go prints a timestamp of the wire: `2026-11-24 12:18:25.09715678 +0000 UTC`."""
    try:
        seconds, nanoseconds = parse_rfc3339(text)
    except ValueError:
        return text
    fraction = f".{nanoseconds:09d}".rstrip("0").rstrip(".")
    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
    return f"{clock}{fraction} +0000 UTC"
