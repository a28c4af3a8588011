"""Docker's sizes. A module without imports: the daemon's configuration needs it before anything else is there."""

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def parse_size(text: str) -> int:
    """A number with k, m, g (1024-based), optionally followed by b; -1 for none."""
    if text == "-1":
        return -1
    lowered = text.strip().lower().removesuffix("b") if text.lower() != "b" else ""
    number, unit = (lowered[:-1], lowered[-1]) if lowered and lowered[-1] in _UNITS else (lowered, "")
    return int(float(number) * _UNITS[unit])
