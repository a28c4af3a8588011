"""What the last start of each container did, for explain, and its OCI configuration as it was started.

Both are written beside the container's other files a moment after the start, so that they outlive the daemon and cost
it no memory; a container that is gone by then has left nothing to explain.
"""

import asyncio
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass

from hakobu.engine.background import Background
from hakobu.spec.plan import Plan
from hakobu.spec.runtime_config import RuntimeConfig
from hakobu.spec.step import Json, StepResult

TRACE, CONFIG = "trace.json", "config.json"
WRITE_DELAY_S = 1.0  # what has just been started, and what ends at once, comes first

_log = logging.getLogger("hakobu.engine")


@dataclass(frozen=True, slots=True)
class _Start:
    config: RuntimeConfig
    plan: Plan
    results: tuple[StepResult, ...]


class Traces:
    """`told` puts a plan as explain has it (Planner.told)."""

    def __init__(
        self, directory_of: Callable[[str], str], told: Callable[[Plan], Plan], background: Background
    ) -> None:
        self._directory_of, self._told, self._background = directory_of, told, background
        self._in_memory: dict[str, _Start] = {}
        self._to_write: set[str] = set()
        self._writing = False

    def keep(self, config: RuntimeConfig, plan: Plan, results: tuple[StepResult, ...]) -> None:
        self._in_memory[plan.container_id] = _Start(config, plan, results)
        self._to_write.add(plan.container_id)
        if not self._writing:
            self._writing = True
            self._background.spawn(self._write_later(), "traces")

    def forget(self, container_id: str) -> None:
        """The container goes, and its directory with it."""
        self._in_memory.pop(container_id, None)

    def of(self, container_id: str) -> dict[str, Json] | None:
        """The steps as JSON, each with `started_ns`, `took_ns` and `error` where it ran."""
        if (last := self._in_memory.get(container_id)) is not None:
            return self._document(last)
        try:
            with open(f"{self._directory_of(container_id)}/{TRACE}", "rb") as file:
                return json.loads(file.read())
        except (FileNotFoundError, ValueError):
            return None

    def flush(self) -> None:
        """Writes what is not yet written. Blocks."""
        while self._to_write:
            container_id = self._to_write.pop()
            if (start := self._in_memory.get(container_id)) is not None and self._write(start):
                del self._in_memory[container_id]

    async def _write_later(self) -> None:
        try:
            while self._to_write:
                await asyncio.sleep(WRITE_DELAY_S)
                for container_id in tuple(self._to_write):
                    self._to_write.discard(container_id)
                    start = self._in_memory.get(container_id)
                    if start is None or not await asyncio.to_thread(self._write, start):
                        continue
                    if self._in_memory.get(container_id) is start:
                        del self._in_memory[container_id]
        finally:
            self._writing = False

    def _write(self, start: _Start) -> bool:
        """False where the disk does not take it, or the container has gone meanwhile."""
        container_id = start.plan.container_id
        try:
            directory = os.open(self._directory_of(container_id), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                _replace(directory, TRACE, self._document(start))
                _replace(directory, CONFIG, start.config.to_json())
            finally:
                os.close(directory)
        except FileNotFoundError:
            return False
        except OSError as error:
            _log.warning("how container %s was started is kept in memory alone: %s", container_id, error)
            return False
        return True

    def _document(self, start: _Start) -> dict[str, Json]:
        by_index = {r.index: r for r in start.results}
        steps: list[Json] = []
        for index, step in enumerate(self._told(start.plan).steps):
            told = step.to_json()
            if (result := by_index.get(index)) is not None:
                told |= {"started_ns": result.started_ns, "took_ns": result.took_ns, "error": result.error}
            steps.append(told)
        return {"id": start.plan.container_id, "steps": steps}


def _replace(directory: int, name: str, document: dict[str, Json]) -> None:
    """Whole or not at all, and for root alone: an environment may hold secrets."""
    new = f".{name}.new"
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600, dir_fd=directory)
    with open(fd, "wb", buffering=0) as file:
        file.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())
    os.rename(new, name, src_dir_fd=directory, dst_dir_fd=directory)
