"""`pre_start`: commands in containers of their own before a service's new ones start, each once or per replica."""

import threading
from dataclasses import replace

from hakobu.client.engine import Engine
from hakobu.compose.action import Action
from hakobu.compose.failure import ActionFailed
from hakobu.compose.maker import Maker
from hakobu.compose.model.hook import Hook
from hakobu.compose.model.project import Project
from hakobu.compose.model.service import Service


class PreStart:
    """For one project and one plan; called from several threads, which wait for each other's commands."""

    def __init__(self, engine: Engine, project: Project, maker: Maker) -> None:
        self._engine, self._project, self._maker = engine, project, maker
        self._lock = threading.Lock()
        self._statuses: dict[tuple[str, int, int], int] = {}

    def run(self, action: Action, service: Service) -> None:
        """Before a first start alone; `ActionFailed` where a command fails, also for the service's other replicas."""
        was_made_before = action.container is not None and action.container.state == "created"
        if action.reason != "new" and not was_made_before:
            return
        for i, hook in enumerate(service.pre_start):
            key = (service.name, i, action.number if hook.per_replica else 0)
            with self._lock:
                if key not in self._statuses:
                    self._statuses[key] = self._status(service, hook, i)
                if status := self._statuses[key]:
                    raise ActionFailed(f"{service.name} pre_start hook exited with status {status}")

    def _status(self, service: Service, hook: Hook, i: int) -> int:
        name = f"{self._project.name}-{service.name}-pre_start-{i + 1}"
        changed = replace(
            service,
            image=hook.image or self._project.image_of(service),
            command=hook.command,
            entrypoint=(),
            environment={**service.environment, **hook.environment},
            user=hook.user or service.user,
            working_dir=hook.working_dir or service.working_dir,
            privileged=hook.privileged or service.privileged,
            ports=(),
            container_name="",
            restart="",
            healthcheck=None,
        )
        created = self._maker.create_oneoff(changed, name, name, stdin=False, auto_remove=False)
        try:
            self._engine.containers.start(created)
            return self._engine.containers.wait(created).result()[0]
        finally:
            self._engine.containers.remove(created, force=True, volumes=True)
