"""Times as text: RFC 3339 with nanoseconds, as Go prints and image documents carry them.

Inside, a time is an integer of nanoseconds since the epoch; 0 stands for Go's zero time (0001-01-01T00:00:00Z).
"""

import re
from datetime import UTC, datetime, timedelta

from hakobu.spec.bounded import BadDocument

ZERO = "0001-01-01T00:00:00Z"
_SHAPE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))\Z", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_timestamp(text: str, field: str = "time") -> int:
    """Nanoseconds since the epoch; 0 for an empty text and for Go's zero time."""
    if not text or text.startswith("0001-01-01T00:00:00"):
        return 0
    matched = _SHAPE.match(text)
    if matched is None:
        raise BadDocument(f"{field} is not a time: {text[:60]!r}", field=field)
    year, month, day, hour, minute, second = (int(part) for part in matched.groups()[:6])
    sign = -1 if matched[8] == "-" else 1
    offset = sign * timedelta(hours=int(matched[9] or 0), minutes=int(matched[10] or 0))
    try:
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC) - offset
    except (ValueError, OverflowError) as error:
        raise BadDocument(f"{field} is not a time: {text[:60]!r}", field=field) from error
    since = moment - _EPOCH
    whole = since.days * 86400 + since.seconds + max(second - 59, 0)
    return whole * 1_000_000_000 + int((matched[7] or "0").ljust(9, "0"))


def format_timestamp(time_ns: int) -> str:
    """As Go's RFC3339Nano: no trailing zeros in the fraction, always UTC."""
    if time_ns == 0:
        return ZERO
    whole, fraction = divmod(time_ns, 1_000_000_000)
    text = (_EPOCH + timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f"{fraction:09d}".rstrip("0")
    return f"{text}.{digits}Z" if digits else f"{text}Z"
