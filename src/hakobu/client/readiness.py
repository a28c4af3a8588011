"""Waits until started containers are ready: healthy where they have a health check, running where they have none."""

from __future__ import annotations

import time

from hakobu.client.codec import object_of
from hakobu.client.error import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.codec import Json
    from hakobu.client.container import Containers

# Between two looks; a health check is seldom faster.
_PAUSE_S = 0.1


class NotReady(ClientError):
    """A container that will not become ready, or did not in time."""


def wait_ready(
    containers: Containers, container: str, *, timeout_s: float | None = None, health_only: bool = False
) -> str:
    """Returns the container's state, `healthy` or `running`; NotReady where it ended, is unhealthy, or took too long.

    With `health_only` a container without a health check is an error: there is nothing to wait for.
    """
    deadline = float("inf") if timeout_s is None else time.monotonic() + timeout_s
    while True:
        found = containers.inspect(container)
        name, state = str(found["Name"]).lstrip("/"), object_of(found.get("State"))
        health = str(object_of(state.get("Health")).get("Status") or "none")
        if health == "none" and health_only and not _is_checked(found):
            raise NotReady(f"container {name} has no health check to wait for")
        if not state.get("Running") or state.get("Restarting"):
            if not _is_coming(state):
                raise NotReady(f"container {name} is {state['Status']} ({state['ExitCode']}) and not ready")
        elif health == "none" and not health_only:
            return "running"
        elif health == "healthy":
            return health
        elif health == "unhealthy":
            raise NotReady(f"container {name} is unhealthy")
        if time.monotonic() > deadline:
            found_state = f"{state['Status']}, health: {health}"
            raise NotReady(f"container {name} was not ready after {timeout_s:g} s ({found_state})")
        time.sleep(_PAUSE_S)


def _is_checked(container: Json) -> bool:
    """Whether it has a health check, which its state tells only when it has started."""
    test = object_of(object_of(container.get("Config")).get("Healthcheck")).get("Test") or ["NONE"]
    return test != ["NONE"]


def _is_coming(state: dict[str, object]) -> bool:
    """Not running yet, or between two runs of its restart policy."""
    return state["Status"] in ("created", "restarting")
