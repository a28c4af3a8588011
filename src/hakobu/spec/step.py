"""A step: one thing the engine does to the world, as a value.

Pure code computes steps; the place that owns a step executes it through a table from `name` to a function;
the same values, with their results, are what `hakobu explain` shows. Names are stable: tests, traces and
translations depend on them. Arguments are JSON values, because steps cross process boundaries.

Invariant: whatever a start changes in the kernel is named by a step; nothing is done beside the list.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

from hakobu.spec.dataclass import dataclass, field

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What a step's argument may be: exactly what JSON can carry."""


class Place(StrEnum):
    """Which process executes a step."""

    DAEMON = "daemon"
    SHIM = "shim"
    CHILD = "child"


@dataclass(frozen=True, slots=True)
class Step:
    """`name` selects the executor, `args` is all it gets, `syscalls` are the kernel's own words for it.

    `syscalls` lists, in order, the system calls by which the step takes effect (not the reads around them);
    the tests compare them with what strace saw.
    """

    name: str
    place: Place
    args: Mapping[str, Json] = field(default_factory=dict[str, Json])
    syscalls: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        return {
            "name": self.name,
            "place": self.place.value,
            "args": dict(self.args),
            "syscalls": list(self.syscalls),
        }


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step went: index into the plan, CLOCK_MONOTONIC start and duration in ns, errno text or empty."""

    index: int
    started_ns: int
    took_ns: int
    error: str = ""
