"""The engine's two clocks: the wall's for what users read, the monotonic one for every duration."""

import time


def now_ns() -> int:
    """Nanoseconds since the epoch."""
    return time.time_ns()


def monotonic_s() -> float:
    return time.monotonic()
