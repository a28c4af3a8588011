"""Whether a container meets the condition that something waits for. Pure."""

from typing import Any

from hakobu.compose.action import READY
from hakobu.compose.failure import ActionFailed
from hakobu.compose.model.dependency import COMPLETED

SETTLED_S = 0.5
"""How long a container without a health check must have run for `--wait`: one that fails at once has not started."""

LONG_S = 10.0
"""Who has run for so long has started well; more than a clock's difference between here and the engine."""


def is_settled(state: dict[str, Any], seen_s: float, age_s: float) -> bool:
    """Whether a running container may be called ready; seen running for `seen_s`, started `age_s` ago by our clock."""
    return bool(state.get("Health")) or state["Status"] != "running" or seen_s >= SETTLED_S or age_s >= LONG_S


def condition_word(condition: str, name: str, service: str, state: dict[str, Any]) -> str:
    """The word for a condition that is met, empty while it is not, `ActionFailed` when it cannot be any more."""
    if condition == COMPLETED:
        if state["Status"] not in ("exited", "dead"):
            return ""
        if state["ExitCode"] != 0:
            raise ActionFailed(f"service {service!r} didn't complete successfully: exit {state['ExitCode']}")
        return "Exited"
    health: dict[str, Any] = state.get("Health") or {}
    if condition == READY and state["Status"] in ("exited", "dead"):
        if state["ExitCode"] == 0:
            return "Exited"
        raise ActionFailed(f"container {name} exited ({state['ExitCode']})")
    if state["Status"] in ("exited", "dead"):
        raise ActionFailed(f"dependency failed to start: container {name} exited ({state['ExitCode']})")
    if not health:
        return "Healthy" if state["Status"] == "running" else ""
    if health.get("Status") == "unhealthy":
        raise ActionFailed(f"dependency failed to start: container {name} is unhealthy")
    return "Healthy" if health.get("Status") == "healthy" else ""
