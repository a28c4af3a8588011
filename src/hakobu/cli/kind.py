"""The kinds of flags, with Go's error texts: what docker's users see when a value is wrong."""

from __future__ import annotations

from hakobu.cli.table import Kind

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def parse_bool(text: str) -> bool:
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"strconv.ParseBool: parsing {quoted(text)}: invalid syntax")


def quoted(text: str) -> str:
    """Go's `%q` of ordinary text."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def integer(bits: int, *, signed: bool = True, prefix: bool = True) -> Kind:
    """Whole numbers of so many bits, as Go's strconv reads them (0x and underscores with base 0)."""
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    function = "ParseInt" if signed else "ParseUint"

    def parse(text: str) -> int:
        try:
            if text != text.strip() or (not signed and text[:1] in ("-", "+")):
                raise ValueError
            value = int(text, 0 if prefix and not text.lstrip("+-").lstrip("0").isdigit() else 10)
        except ValueError:
            raise ValueError(f"strconv.{function}: parsing {quoted(text)}: invalid syntax") from None
        if not low <= value <= high:
            raise ValueError(f"strconv.{function}: parsing {quoted(text)}: value out of range")
        return value

    return Kind("int" if signed else f"uint{bits}", parse, 0)


_UNITS = {"b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def parse_bytes(text: str) -> int:
    """`512m`, `1.5GiB`, `100`: bytes, units being powers of 1024."""
    number = text.lower().rstrip("bkmgtpi ")
    unit = text[len(number) :].strip().lower()
    head = number.strip()
    bad = ValueError(f"invalid size: '{text}'")
    if unit not in ("", "b") and not (unit[0] in _UNITS and unit[1:] in ("", "b", "ib") and unit[0] != "b"):
        raise ValueError(f"invalid suffix: '{unit}'") if _is_decimal(head) else bad
    if not _is_decimal(head):
        raise bad
    return int(float(head) * 1024 ** _UNITS[unit[:1] or "b"])


def _is_decimal(text: str) -> bool:
    whole, _, part = text.partition(".")
    return (whole + part).isdigit() and text.isascii()


def parse_swap_bytes(text: str) -> int:
    """Bytes, or -1 for no limit."""
    return -1 if text == "-1" else parse_bytes(text)


_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def parse_duration(text: str) -> int:
    """Go's durations (`1h30m`, `1.5s`, `0`) in nanoseconds."""
    bad = ValueError(f"time: invalid duration {quoted(text)}")
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0
    total, position = 0, 0
    if not rest:
        raise bad
    while position < len(rest):
        start = position
        while position < len(rest) and (rest[position].isdigit() or rest[position] == "."):
            position += 1
        number, start = rest[start:position], position
        while position < len(rest) and not (rest[position].isdigit() or rest[position] == "."):
            position += 1
        unit = rest[start:position]
        if not _is_decimal(number):
            raise bad
        if not unit:
            raise ValueError(f"time: missing unit in duration {quoted(text)}")
        if unit not in _NANOSECONDS:
            raise ValueError(f"time: unknown unit {quoted(unit)} in duration {quoted(text)}")
        whole, _, part = number.partition(".")
        scale = _NANOSECONDS[unit]
        total += int(whole or "0") * scale + (int(part) * scale // 10 ** len(part) if part else 0)
    return -total if text.startswith("-") else total


def parse_cpus(text: str) -> int:
    """`--cpus 1.5` as nano-CPUs."""
    try:
        from fractions import Fraction

        nano = Fraction(text) * 10**9
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"failed to parse {text} as a rational number") from None
    if nano.denominator != 1:
        raise ValueError("value is too precise")
    return int(nano)


def parse_filter(text: str) -> str:
    if "=" not in text:
        raise ValueError("bad format of filter (expected name=value)")
    return text


def parse_map_item(text: str) -> str:
    if "=" not in text:
        raise ValueError(f"{text} must be formatted as key=value")
    return text


BOOL = Kind("", parse_bool, False, bare="true")
STRING = Kind("string", str, "")
LIST = Kind("list", str, (), repeats=True)
STRINGS = Kind("strings", str, (), repeats=True)
INT = integer(64)
UINT16 = integer(16, signed=False)
BYTES = Kind("bytes", parse_bytes, 0)
SWAP_BYTES = Kind("bytes", parse_swap_bytes, 0)
DURATION = Kind("duration", parse_duration, 0)
CPUS = Kind("decimal", parse_cpus, 0)
FILTER = Kind("filter", parse_filter, (), repeats=True)
MAP = Kind("map", parse_map_item, (), repeats=True)
