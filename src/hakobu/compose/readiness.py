"""Waiting for containers: until a condition is met, and for some time after it was."""

import time
from typing import Any

from hakobu.client.engine import Engine
from hakobu.compose.action import READY, Action
from hakobu.compose.condition import condition_word, is_settled
from hakobu.compose.failure import ActionFailed
from hakobu.compose.listing import epoch_of
from hakobu.compose.model.dependency import HEALTHY
from hakobu.compose.progress import Progress

_POLL_S = (0.05, 0.1, 0.2, 0.5)


def _age_s(state: dict[str, Any]) -> float:
    return time.time() - epoch_of(str(state["StartedAt"]))


class _Running:
    """Since when one and the same run of a container has been looked at."""

    def __init__(self) -> None:
        self._run = ""
        self._since = 0.0

    def for_s(self, state: dict[str, Any]) -> float:
        if state["StartedAt"] != self._run:
            self._run, self._since = str(state["StartedAt"]), time.monotonic()
        return time.monotonic() - self._since


class Readiness:
    """Asks the engine; `wait_s` bounds each wait, None for ever. Called from several threads."""

    def __init__(self, engine: Engine, progress: Progress, wait_s: float | None) -> None:
        self._engine = engine
        self._progress = progress
        self._wait_s = wait_s

    def wait(self, action: Action, container: str, *, first_run: bool = False) -> None:
        """Until the container meets the action's condition; `ActionFailed` where it cannot any more, or not in time.

        With `first_run` one that ends has failed, also where its restart policy starts it again.
        """
        state = self._engine.containers.inspect(container)
        name = str(state["Name"]).lstrip("/")
        self._progress.tell(action, "Waiting", name)
        started, step = time.monotonic(), 0
        seen = _Running()
        while not (word := self._word(action, name, state["State"], seen)):
            if self._wait_s is not None and time.monotonic() - started > self._wait_s:
                raise ActionFailed(f"timed out waiting for container {name}")
            if first_run and state["RestartCount"]:
                raise ActionFailed(f"container {name} has ended, and was restarted")
            time.sleep(_POLL_S[min(step, len(_POLL_S) - 1)])
            step += 1
            state = self._engine.containers.inspect(container)
        self._progress.tell(action, word, name)

    def _word(self, action: Action, name: str, state: dict[str, Any], seen: "_Running") -> str:
        word = condition_word(action.condition, name, action.service, state)
        is_early = action.condition == READY and not is_settled(state, seen.for_s(state), _age_s(state))
        return "" if is_early else word

    def watch(self, container: str, name: str, monitor_ns: int) -> None:
        """That a container still runs, and is healthy, for some time after it was ready."""
        until = time.monotonic() + monitor_ns / 1e9
        while time.monotonic() < until:
            state = self._engine.containers.inspect(container)["State"]
            condition_word(HEALTHY, name, name, state)
            if state["Status"] != "running":
                raise ActionFailed(f"container {name} is {state['Status']}")
            time.sleep(min(0.5, max(0.0, until - time.monotonic())))
