"""Progress in the form of Docker's streams: one JSON object a message, a bar for those who want text. Pure."""

import time
from collections.abc import Callable

from hakobu.spec.step import Json

Tell = Callable[[dict[str, Json]], None]
_INTERVAL_S = 0.1
_BAR_WIDTH = 50


def units(count: int) -> str:
    """As docker prints sizes: four significant digits, powers of a thousand."""
    size, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.4g}{unit}"


def bar(current: int, total: int) -> str:
    if total <= 0:
        return units(current)
    done = min(_BAR_WIDTH, _BAR_WIDTH * current // total)
    head = "=" * done + ">" if done < _BAR_WIDTH else "=" * (_BAR_WIDTH - 1) + ">"
    return f"[{head:<{_BAR_WIDTH}.{_BAR_WIDTH}}] {units(current):>7}/{units(total)}"


class Meter:
    """Messages about one layer (`id` is its short digest); those about bytes come at most ten times a second."""

    def __init__(self, tell: Tell, id: str) -> None:
        self._tell, self._id = tell, id
        self._next_s = 0.0

    def say(self, status: str) -> None:
        self._tell({"status": status, "progressDetail": {}, "id": self._id})

    def move(self, status: str, current: int, total: int, *, always: bool = False) -> None:
        now = time.monotonic()
        if not always and now < self._next_s:
            return
        self._next_s = now + _INTERVAL_S
        detail: dict[str, Json] = {"current": current}
        if total > 0:
            detail["total"] = total
        self._tell({"status": status, "progressDetail": detail, "progress": bar(current, total), "id": self._id})
