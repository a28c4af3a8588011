"""A plan as the engine tells it: the steps, and for those that ran how long they took."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hakobu.spec.step import Place, Step


@dataclass(frozen=True, slots=True)
class ToldStep:
    """`took_ns` is None where the step has not run."""

    step: Step
    started_ns: int = 0
    took_ns: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """`name` and `pid` of the container, where there is one; pid 0 while nothing runs."""

    steps: tuple[ToldStep, ...]
    container_id: str = ""
    name: str = ""
    pid: int = 0

    @property
    def has_run(self) -> bool:
        return any(told.took_ns is not None for told in self.steps)

    @property
    def span_ns(self) -> int:
        """From the first step's start to the last one's end: places run side by side, so times do not add up."""
        ran = [told for told in self.steps if told.took_ns is not None]
        if not ran:
            return 0
        return max(t.started_ns + (t.took_ns or 0) for t in ran) - min(t.started_ns for t in ran)


def parse_trace(document: Mapping[str, Any], *, name: str = "", pid: int = 0) -> Trace:
    """From the engine's `{"steps": […]}`; ValueError where it is none."""
    try:
        steps = tuple(_parse_step(step) for step in document["steps"])
    except (KeyError, TypeError) as e:
        raise ValueError(f"not a plan: {e}") from e
    id_ = str(document.get("id") or document.get("container_id") or "")
    return Trace(steps=steps, container_id=id_, name=name, pid=pid)


def _parse_step(document: Mapping[str, Any]) -> ToldStep:
    step = Step(
        name=str(document["name"]),
        place=Place(document["place"]),
        args=dict(document.get("args") or {}),
        syscalls=tuple(document.get("syscalls") or ()),
    )
    took = document.get("took_ns")
    return ToldStep(step, int(document.get("started_ns") or 0), took, str(document.get("error") or ""))
