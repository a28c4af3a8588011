"""What a check found."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "optional"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`missing` keeps an engine from its work, `optional` from some of it; `mend` is a command or a setting."""

    subject: str
    state: State
    told: str
    mend: str = ""


def found(subject: str, told: str) -> Finding:
    return Finding(subject, "ok", told)


def lacks(subject: str, told: str, mend: str, *, needed: bool = True) -> Finding:
    return Finding(subject, "missing" if needed else "optional", told, mend)
