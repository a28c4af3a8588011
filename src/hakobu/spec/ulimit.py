"""One of setrlimit(2)'s limits. Apart from the container, because the engine has defaults of them, too."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Ulimit:
    name: str
    soft: int
    hard: int
