"""Columns, as Go's tabwriter sets them with docker's settings: three spaces between, ten wide at least.

A cell is ended by a tab; the last cell of a line belongs to no column. A column's width counts over the
lines next to each other that have the cell.
"""

from __future__ import annotations

_MIN_WIDTH = 10
_PADDING = 3


def columns(text: str, *, min_width: int = _MIN_WIDTH, padding: int = _PADDING) -> str:
    """Lines of tab-ended cells, aligned."""
    lines = [line.split("\t") for line in text.split("\n")]
    widths: list[list[int]] = [[] for _ in lines]
    _measure(lines, widths, 0, len(lines), 0, min_width, padding)
    out: list[str] = []
    for cells, sizes in zip(lines, widths, strict=True):
        aligned = [cell + " " * (size - len(cell)) for cell, size in zip(cells, sizes, strict=False)]
        out.append("".join(aligned) + cells[-1])
    return "\n".join(out)


def _measure(
    lines: list[list[str]],
    widths: list[list[int]],
    first: int,
    last: int,
    column: int,
    min_width: int,
    padding: int,
) -> None:
    """Finds the blocks of lines in [first, last) that have this column, and sets its width in each."""
    line = first
    while line < last:
        if column >= len(lines[line]) - 1:
            line += 1
            continue
        end = line
        width = min_width
        while end < last and column < len(lines[end]) - 1:
            width = max(width, len(lines[end][column]) + padding)
            end += 1
        for row in range(line, end):
            widths[row].append(width)
        _measure(lines, widths, line, end, column + 1, min_width, padding)
        line = end


def render(header: list[str], rows: list[list[str]]) -> str:
    """A table with its header, ready to print."""
    return columns("".join("\t".join(row) + "\n" for row in [header, *rows]))
