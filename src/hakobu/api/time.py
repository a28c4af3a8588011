"""Times as Docker writes them: RFC 3339 with nanoseconds, and the rough human spans of `docker ps`."""

from datetime import UTC, datetime, timedelta

NEVER = "0001-01-01T00:00:00Z"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_NS = 1_000_000_000


def rfc3339_nano(ns: int) -> str:
    """As Go's RFC3339Nano in UTC (trailing zeros of the fraction fall away); 0 is Go's zero time."""
    if ns == 0:
        return NEVER
    seconds, fraction = divmod(ns, _SECOND_NS)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:09d}".rstrip("0") + "Z" if fraction else text + "Z"


def human_span(ns: int) -> str:
    """`Less than a second`, `3 seconds`, `About a minute`, `5 hours`, … as Docker says a duration."""
    seconds = max(ns, 0) // _SECOND_NS
    minutes, hours = seconds // 60, (seconds + 1800) // 3600
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return "1 second" if seconds == 1 else f"{seconds} seconds"
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    return _days(seconds // 3600)


def _days(hours: int) -> str:
    days = hours // 24
    if hours < 24 * 7 * 2:
        return f"{days} days"
    if hours < 24 * 30 * 2:
        return f"{days // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{days // 30} months"
    return f"{days // 365} years"
