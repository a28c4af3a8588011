"""How long operations took, as the histograms that a Prometheus server reads: counted always, told by `metrics.py`."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from hakobu.api.http.exchange import Answer, Request

BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The client libraries' own default buckets, which dockerd has too."""

TIMED: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("POST", "/containers/create"): ("container", "create"),
    ("POST", "/containers/{}/start"): ("container", "start"),
    ("DELETE", "/containers/{}"): ("container", "delete"),
    ("GET", "/containers/{}/changes"): ("container", "changes"),
    ("POST", "/commit"): ("container", "commit"),
    ("POST", "/networks/{}/connect"): ("network", "connect"),
    ("POST", "/images/{}/tag"): ("image", "tag"),
    ("DELETE", "/images/{}"): ("image", "delete"),
}
"""Method and path to the kind of object and the action, by dockerd's names."""

Run = Callable[[Request], Answer | Awaitable[Answer]]


class Histogram:
    """Counts by bucket (the last has no bound), and the sum in seconds."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, took_s: float) -> None:
        index = next((i for i, bound in enumerate(BOUNDS_S) if took_s <= bound), len(BOUNDS_S))
        self.counts[index] += 1
        self.sum_s += took_s


class Timings:
    """One histogram for each timed action; what fails is counted like what succeeds."""

    def __init__(self) -> None:
        self.of: dict[tuple[str, str], Histogram] = {action: Histogram() for action in TIMED.values()}

    def around(self, method: str, template: str, run: Run) -> Run:
        """`run`, measured, where that operation is one that is."""
        action = TIMED.get((method, template))
        if action is None:
            return run
        histogram = self.of[action]

        def timed(request: Request) -> Answer | Awaitable[Answer]:
            started = time.perf_counter()
            answer = run(request)
            if isinstance(answer, Awaitable):
                return _awaited(answer, histogram, started)
            histogram.add(time.perf_counter() - started)
            return answer

        return timed


async def _awaited(answer: Awaitable[Answer], histogram: Histogram, started: float) -> Answer:
    try:
        return await answer
    finally:
        histogram.add(time.perf_counter() - started)
