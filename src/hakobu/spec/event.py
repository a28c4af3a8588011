"""What the engine tells those who listen: one thing that happened to one object."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`type` is container, image, network, volume or daemon; `action` a verb of Docker's list.

    `attributes` of a container event hold `name`, `image` and its labels, as Docker's clients expect. `labels` are
    those that the object's maker gave it, without its image's; clients are not told them: scopes go by them.
    """

    type: str
    action: str
    actor_id: str
    time_ns: int
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
