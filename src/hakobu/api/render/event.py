"""Events as lines of `/events`."""

from typing import Any

from hakobu.spec.event import Event
from hakobu.wire.version import ApiVersion, fit

_SECOND_NS = 1_000_000_000


def event(value: Event, version: ApiVersion) -> dict[str, Any]:
    """Containers and images also have the old form's `status`, `id` and `from`, as Docker keeps them."""
    shown: dict[str, Any] = {}
    if value.type in ("container", "image"):
        shown |= {"status": value.action, "id": value.actor_id}
    if value.type == "container":
        shown["from"] = value.attributes.get("image", "")
    shown |= {
        "Type": value.type,
        "Action": value.action,
        "Actor": {"ID": value.actor_id, "Attributes": dict(value.attributes)},
        "scope": "local",
        "time": value.time_ns // _SECOND_NS,
        "timeNano": value.time_ns,
    }
    fit("event", shown, version)
    return shown
