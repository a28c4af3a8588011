"""A diagram as SVG: boxes in columns from the ports on the left to the volumes on the right, lines between them. Pure.

One file without scripts, fonts or links; it follows the reader's light or dark colours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from hakobu.compose.diagram import Box, Diagram, Line

_WIDTH, _HEIGHT, _COLUMN, _ROW, _EDGE = 150, 44, 240, 76, 30
_CHARACTERS = 21
_STYLE = """
  text { font: 12px sans-serif; fill: #222; text-anchor: middle }
  .small { font-size: 10px; fill: #666 }
  rect { stroke: #555; fill: #fff }
  .service rect { fill: #dbeafe } .network rect { fill: #dcfce7 } .volume rect { fill: #fef3c7 }
  path { fill: none; stroke: #555 } .link { stroke: #16a34a } .mount { stroke: #b45309; stroke-dasharray: 4 3 }
  marker path { fill: #555; stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #eee } .small { fill: #aaa } rect { fill: #222; stroke: #999 } path { stroke: #999 }
    .service rect { fill: #1e3a5f } .network rect { fill: #14432a } .volume rect { fill: #4a3410 }
  }
"""
_ROUND = {"port": 22, "service": 4, "network": 12, "volume": 0}


@dataclass(frozen=True, slots=True)
class _Placed:
    """A box with its left upper corner."""

    box: Box
    x: int
    y: int


def svg(diagram: Diagram) -> str:
    """The whole document."""
    placed = {p.box.id: p for p in _places(diagram)}
    width = max((p.x for p in placed.values()), default=0) + _WIDTH + _EDGE
    height = max((p.y for p in placed.values()), default=0) + _HEIGHT + _EDGE
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    parts = [head, f"<title>{escape(diagram.title)}</title>", f"<style>{_STYLE}</style>", _ARROW_HEAD]
    parts += [part for line in diagram.lines for part in _draw_line(line, placed[line.start], placed[line.end])]
    parts += [_draw_box(p) for p in placed.values()]
    return "\n".join([*parts, "</svg>"]) + "\n"


_ARROW_HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0L8 4L0 8z"/></marker></defs>'
)


def _places(diagram: Diagram) -> Iterator[_Placed]:
    """Each column that has boxes, from the left; a column's boxes below each other, in the middle of the height."""
    columns = sorted({box.column for box in diagram.boxes})
    rows = [[box for box in diagram.boxes if box.column == column] for column in columns]
    tallest = max((len(boxes) for boxes in rows), default=0)
    for i, boxes in enumerate(rows):
        above = (tallest - len(boxes)) * _ROW // 2
        for j, box in enumerate(boxes):
            yield _Placed(box, _EDGE + i * _COLUMN, _EDGE + above + j * _ROW)


def _short(text: str) -> str:
    return text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"


def _draw_box(placed: _Placed) -> str:
    box, middle = placed.box, placed.x + _WIDTH // 2
    base = placed.y + _HEIGHT // 2 + (4 if len(box.lines) == 1 else -3)
    texts = [
        f'<text class="{"small" if i else "name"}" x="{middle}" y="{base + 16 * i}">{escape(_short(text))}</text>'
        for i, text in enumerate(box.lines)
    ]
    shape = f'<rect x="{placed.x}" y="{placed.y}" width="{_WIDTH}" height="{_HEIGHT}" rx="{_ROUND[box.kind]}"/>'
    whole = f"<title>{escape(' '.join(box.lines))}</title>"
    return f'<g class="{box.kind}" id={quoteattr(box.id)}>{whole}{shape}{"".join(texts)}</g>'


def _draw_line(line: Line, start: _Placed, end: _Placed) -> Iterator[str]:
    """From a box's right edge to the other's left one; to a box of the same column, around its right."""
    x1, y1 = start.x + _WIDTH, start.y + _HEIGHT // 2
    x2, y2 = (end.x if end.x > start.x else end.x + _WIDTH), end.y + _HEIGHT // 2
    bend = 60
    curve = f"M{x1} {y1}C{x1 + bend} {y1} {x2 + (-bend if end.x > start.x else bend)} {y2} {x2} {y2}"
    head = ' marker-end="url(#head)"' if line.kind == "arrow" else ""
    yield f'<path class="{line.kind}" d="{curve}"{head}/>'
    if line.label:
        yield f'<text class="small" x="{(x1 + x2) // 2}" y="{(y1 + y2) // 2 - 4}">{escape(_short(line.label))}</text>'
