"""Kubernetes' quantities: `500m`, `1.5`, `64Mi`, `1G`, `2e3`. Pure."""

import re
from decimal import Decimal

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.reading import read_text
from hakobu.compose.node import Node

_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:([eE][+-]?[0-9]+)|(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)"
)
_BINARY = {f"{letter}i": 1 << (10 * (i + 1)) for i, letter in enumerate("KMGTPE")}
_DECIMAL = {letter: 10 ** (3 * (i + 1)) for i, letter in enumerate("kMGTPE")}
_FACTORS = {"": Decimal(1), "m": Decimal("0.001")} | {k: Decimal(v) for k, v in (_BINARY | _DECIMAL).items()}


def read_quantity(node: Node, path: str) -> Decimal:
    """The number a quantity stands for."""
    text = read_text(node, path)
    match = _QUANTITY.fullmatch(text)
    if not match:
        raise BadComposeFile(node.mark, f"is not a quantity: {text!r}", path=path, hint="write 500m, 64Mi or 2")
    return Decimal(match[1] + (match[2] or "")) * _FACTORS[match[3] or ""]


def read_cpus(node: Node, path: str) -> float:
    return float(read_quantity(node, path))


def read_bytes(node: Node, path: str) -> int:
    return int(read_quantity(node, path))


def write_cpus(cpus: float) -> str:
    """`500m` for half a processor."""
    milli = round(cpus * 1000)
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def write_bytes(size: int) -> str:
    """In the largest binary unit that divides it."""
    for unit, factor in reversed(_BINARY.items()):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
