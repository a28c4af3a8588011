"""What a plan has come to, as a tree for a terminal: services with ports, below them containers, with times. Pure.

Imported by the quick way of `up` as well, so it loads nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_COLOURS = {"✔": "32", "✘": "31", "!": "33"}
_BAD = {"Error": "✘", "Warning": "!", "Resource": "!"}


class Item:
    """One thing that something is done with; `ended_s` is None while it is being done. Times are monotonic seconds."""

    __slots__ = ("began_s", "ended_s", "group", "subject", "word")

    def __init__(self, group: str, subject: str, word: str, began_s: float, ended_s: float | None = None) -> None:
        self.group, self.subject, self.word = group, subject, word
        self.began_s, self.ended_s = began_s, ended_s

    def mark(self, now_s: float) -> str:
        if self.ended_s is None:
            return _FRAMES[int(now_s * 10) % len(_FRAMES)]
        return _BAD.get(self.word.partition(" ")[0], "✔")


def render(
    items: list[Item], notes: Mapping[str, str], now_s: float, *, columns: int, rows: int, colour: bool
) -> list[str]:
    """The lines: a head, networks and the like, then each service (`group`) with `notes` about it and its containers.

    Cut to the terminal's width; where there are more lines than rows, what is done already goes first.
    """
    done = sum(item.ended_s is not None for item in items)
    lines = [("", f"[+] {done}/{len(items)}")]
    width = max((len(item.subject) for item in items), default=0)
    for group in dict.fromkeys(item.group for item in items):
        mine = [item for item in items if item.group == group]
        lines += _group(group, mine, notes.get(group, ""), now_s, width)
    if len(lines) > rows:
        busy = [line for line in lines if line[0] not in ("✔", "")]
        lines = [lines[0], *(busy or lines[1:])][: max(1, rows)]
    return [_painted(mark, text[:columns], colour) for mark, text in lines]


def _group(name: str, items: list[Item], note: str, now_s: float, width: int) -> Iterator[tuple[str, str]]:
    if not name:
        for item in items:
            yield item.mark(now_s), f" {item.mark(now_s)} {_state(item, now_s, width + 4)}"
        return
    marks = [item.mark(now_s) for item in items]
    whole = next((m for m in marks if m != "✔"), "✔")
    yield whole, f" {whole} {name}  {note}".rstrip()
    for i, item in enumerate(items):
        branch = "└" if i == len(items) - 1 else "├"
        yield marks[i], f"   {branch} {marks[i]} {_state(item, now_s, width)}"


def _state(item: Item, now_s: float, width: int) -> str:
    spent_s = (now_s if item.ended_s is None else item.ended_s) - item.began_s
    return f"{item.subject:<{width}}  {item.word:<10} {f'{spent_s:.1f}s' if spent_s >= 0.05 else '':>6}".rstrip()


def _painted(mark: str, text: str, colour: bool) -> str:
    if not colour or not mark or mark not in text:
        return text
    return text.replace(mark, f"\x1b[{_COLOURS.get(mark, '36')}m{mark}\x1b[0m", 1)
