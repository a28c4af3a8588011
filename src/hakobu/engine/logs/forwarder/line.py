"""What is sent: a line and the container it comes from. Pure."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Line:
    """`text` without its line feed; `partial` where the line goes on in the next one. `time_ns` since the epoch."""

    text: str
    stream: str
    time_ns: int
    partial: bool

    @property
    def severity(self) -> int:
        """syslog's: what comes from stderr is an error (3), else information (6)."""
        return 3 if self.stream == "stderr" else 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A container as its lines tell of it; `extra` are the labels and variables that were asked for."""

    id: str
    name: str
    image_id: str
    image_name: str
    created_ns: int
    command: str
    hostname: str
    tag: str
    extra: dict[str, str] = field(default_factory=dict[str, str])
