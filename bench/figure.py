"""What a row is: a name, a goal, and the figures that were measured."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; `raw` holds every single measurement, in the unit its name ends with."""

    name: str
    value: float
    goal: float
    unit: str
    direction: Literal["at most", "at least"] = "at most"
    detail: str = ""
    raw: dict[str, list[float]] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        return self.value <= self.goal if self.direction == "at most" else self.value >= self.goal

    def line(self) -> str:
        sign = "≤" if self.direction == "at most" else "≥"
        verdict = "pass" if self.met else "MISS"
        return f"{verdict}  {self.name:<58} {self.value:8.3g} {self.unit:<3} {sign} {self.goal:<5g} {self.detail}"


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def p99(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]


def in_turns(rounds: int, **rivals: Callable[[int], float]) -> dict[str, list[float]]:
    """Runs each rival once a round, in changing order; the argument numbers the run, for distinct names."""
    found: dict[str, list[float]] = {name: [] for name in rivals}
    for number in range(-1, rounds):
        order = list(rivals.items())
        for name, run in order if number % 2 else reversed(order):
            value = run(number)
            if number >= 0:  # the first round warms caches
                found[name].append(value)
    return found
