"""Making containers of the files' services, with all that is put into them."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from hakobu.client.engine import Engine
from hakobu.client.error import EngineError
from hakobu.compose import label
from hakobu.compose.action import CONFIG_CHANGED, Action, Kind, Plan
from hakobu.compose.body import container_body, endpoints
from hakobu.compose.change import changes
from hakobu.compose.failure import ActionFailed
from hakobu.compose.file_archive import archives_of
from hakobu.compose.label import container_name
from hakobu.compose.model.project import Project
from hakobu.compose.model.service import Service
from hakobu.compose.observed import Observed, image_id
from hakobu.compose.wanted import Wanted
from hakobu.spec.step import Json


class Maker:
    """For one project; `ids` are the containers known so far, by service and number. Called from several threads."""

    def __init__(self, engine: Engine, project: Project, observed: Observed, *, renew_volumes: bool = False) -> None:
        self._engine = engine
        self._project = project
        self._renew_volumes = renew_volumes
        self.ids = {(c.service, c.number): c.id for c in observed.containers if not c.oneoff}
        self._images = dict(observed.images)

    def create(self, action: Action, name: str, *, replaces: str = "") -> str:
        """One of the service's containers, under this name; `replaces` is the number and name of the one it follows."""
        service = self._project.service(action.service)
        image = self._project.image_of(service)
        if image not in self._images:
            self._images[image] = image_id(self._engine, image)
        if not self._images[image]:
            raise ActionFailed(f"No such image: {image}", hint="pull it, or leave pull_policy at missing")
        wanted = self._wanted(action, replaces)
        return self._make(wanted, container_body(wanted), name)

    def _make(self, wanted: Wanted, body: dict[str, Json], name: str) -> str:
        """A container with all that is put into it; half a one is removed, as its hash would say that it is whole."""
        containers = self._engine.containers
        archives = archives_of(self._project, wanted.service)
        created = str(containers.create(body, name=name, platform=wanted.service.platform)["Id"])
        try:
            self._connect_rest(created, wanted)
            for archive in archives:
                containers.put_archive(created, "/", archive)
        except BaseException:
            containers.remove(created, force=True, volumes=True)
            raise
        return created

    def _wanted(self, action: Action, replaces: str = "") -> Wanted:
        service = self._project.service(action.service)
        return Wanted(
            project=self._project,
            service=service,
            number=action.number,
            name=container_name(self._project.name, service, action.number),
            image_id=self._images.get(self._project.image_of(service), ""),
            replaces=replaces,
            inherited=action.container.anonymous if action.container and not self._renew_volumes else {},
            container_of=self._container_of,
            names_of=self._names_of,
            socket=self._engine.endpoint.url.removeprefix("unix://"),
            read_file=self._read_file,
            all_networks=self._engine.transport.at_least("1.44"),
        )

    def body_of(self, action: Action) -> dict[str, Json]:
        """The create body an action would send; whose namespace it shares is told by name where it is not made yet."""
        wanted = self._wanted(action)
        names = {service: f"{self._project.name}-{service}-1" for service in self._project.services}
        names |= {service: id_ for (service, _), id_ in self.ids.items()}
        return container_body(replace(wanted, container_of=names.__getitem__))

    def with_changes(self, plan: Plan) -> Plan:
        """The plan with what exactly is different about containers whose configuration has changed."""
        return tuple(tuple(self._with_changes(action) for action in wave) for wave in plan)

    def _with_changes(self, action: Action) -> Action:
        if action.kind not in (Kind.RECREATE, Kind.ROLL) or not action.container:
            return action
        if not action.reason.startswith(CONFIG_CHANGED):
            return action
        made = self._engine.containers.inspect(action.container.id)
        image: dict[str, Any] = {}
        with contextlib.suppress(EngineError):  # the image may be gone
            image = self._engine.images.inspect(made["Image"])["Config"]
        found = changes(self.body_of(action), made, image)
        told = f"{CONFIG_CHANGED}: {'; '.join(found)}" if found else CONFIG_CHANGED
        return replace(action, reason=action.reason.replace(CONFIG_CHANGED, told, 1))

    def create_oneoff(
        self, service: Service, name: str, slug: str, *, stdin: bool, auto_remove: bool, aliases: bool = False
    ) -> str:
        """A container of its own for one command (`run`); it has no number and is no part of the service.

        With `aliases` it answers to the service's names on its networks.
        """
        wanted = replace(
            self._wanted(Action(kind=Kind.CREATE, name=name, service=service.name, number=1)),
            name=name,
            service=service,
            aliases=aliases,
            image_id=image_id(self._engine, self._project.image_of(service)),
        )
        body = container_body(wanted)
        labels, host = body["Labels"], body["HostConfig"]
        assert isinstance(labels, dict) and isinstance(host, dict)
        del labels[label.NUMBER]
        labels |= {label.ONEOFF: "True", label.SLUG: slug}
        host["AutoRemove"] = auto_remove
        body |= {"AttachStdin": stdin, "OpenStdin": stdin, "StdinOnce": stdin}
        return self._make(wanted, body, name)

    def _connect_rest(self, container: str, wanted: Wanted) -> None:
        """Networks beyond the first, for engines whose create takes only one."""
        if not wanted.all_networks:
            for network, endpoint in [*endpoints(wanted).items()][1:]:
                self._engine.networks.connect(
                    network, container, dict(endpoint) if isinstance(endpoint, dict) else None
                )

    def _container_of(self, service: str) -> str:
        found = [id_ for (name, _), id_ in sorted(self.ids.items()) if name == service]
        if not found:
            raise ActionFailed(f"no container of service {service!r} to share with")
        return found[0]

    def _names_of(self, service: str) -> dict[int, str]:
        wanted = self._project.service(service)
        numbers = [number for name, number in sorted(self.ids) if name == service]  # others of the wave add to it
        return {number: container_name(self._project.name, wanted, number) for number in numbers}

    def _read_file(self, path: str) -> str:
        try:
            return (Path(self._project.directory) / path).read_text()
        except OSError as e:
            raise ActionFailed(f"{path}: {e.strerror}") from e
