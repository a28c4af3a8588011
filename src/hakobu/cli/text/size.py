"""Sizes as docker prints them: decimal units with few digits, or binary ones."""

from __future__ import annotations

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")


def _scaled(size: float, base: float, units: tuple[str, ...], digits: int) -> str:
    index = 0
    while size >= base and index < len(units) - 1:
        size /= base
        index += 1
    return f"{significant(size, digits)}{units[index]}"


def significant(value: float, digits: int) -> str:
    """C's `%.<digits>g`."""
    return f"{value:.{digits}g}"


def decimal(size: float, digits: int = 4) -> str:
    """`1.986MB`; with three digits `1.99MB`, as `images` and `ps -s` have it."""
    return _scaled(float(size), 1000.0, _DECIMAL, digits)


def binary(size: float) -> str:
    """`23.54GiB`."""
    return _scaled(float(size), 1024.0, _BINARY, 4)
