"""How a container's output is kept. Apart from the container, because the engine has a default of it, too."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """An empty driver means the engine's default."""

    driver: str = ""
    options: dict[str, str] = field(default_factory=dict[str, str])
