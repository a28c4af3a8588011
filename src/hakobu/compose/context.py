"""What every verb is given: the options, the engine and the project, each made when first asked for."""

import argparse
import os
import sys
from dataclasses import replace
from typing import cast

from hakobu.client.endpoint import Endpoint
from hakobu.client.engine import Engine
from hakobu.compose.apply import ApplyOptions
from hakobu.compose.disk import Disk
from hakobu.compose.failure import ActionFailed, NoConfigurationFile, NoSuchService
from hakobu.compose.load import Selection, load, project_name
from hakobu.compose.model.project import Project
from hakobu.compose.observed import ObservedContainer, observe_containers
from hakobu.compose.progress import Progress


class Context:
    """One call of `hakobu compose`; `argv` is the command line that `options` came from."""

    def __init__(self, options: argparse.Namespace, endpoint: Endpoint | str, argv: list[str] | None = None) -> None:
        self.options = options
        self.argv = argv or []
        self.disk = Disk()
        self.has_warned = False
        self._given: tuple[str, ...] | None = None
        self._endpoint = endpoint
        self._engine: Engine | None = None
        self._project: Project | None = None
        self._lenient: Project | None = None
        ansi = self.text("ansi") or "auto"
        self.colour = None if ansi == "auto" else ansi == "always"
        self.dry = self.on("dry_run")
        self.progress = self._make_progress(self.text("progress"))

    def _make_progress(self, style: str) -> Progress:
        """A tree where a terminal can draw one, else a line for each thing that happens."""
        can_draw = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb" and self.colour is not False
        if not self.dry and (style == "tty" or (style in ("", "auto") and can_draw)):
            from hakobu.compose.live import LiveProgress

            return LiveProgress(colour=self.colour is not False)
        is_quiet, is_json = style == "quiet", style == "json"
        colour = False if style == "plain" else self.colour
        return Progress(quiet=is_quiet, colour=colour, dry=self.dry, as_json=is_json)

    def text(self, name: str) -> str:
        return cast("str", getattr(self.options, name, "") or "")

    def on(self, name: str) -> bool:
        return bool(getattr(self.options, name, False))

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(cast("list[str]", getattr(self.options, name, None) or []))

    def number(self, name: str) -> int | None:
        return cast("int | None", getattr(self.options, name, None))

    @property
    def services(self) -> tuple[str, ...]:
        return self.texts("services")

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            self._engine = Engine(self._endpoint)
        return self._engine

    @property
    def selection(self) -> Selection:
        return Selection(
            files=self._files(),
            name=self.text("project_name"),
            directory=self.text("project_directory"),
            env_files=self.texts("env_file"),
            profiles=self.texts("profile"),
            environment=dict(os.environ),
            warn=self._warn,
            disk=self.disk,
        )

    def _files(self) -> tuple[str, ...]:
        """The files that were given; of an application in a registry those it consists of."""
        if self._given is None:
            found: list[str] = []
            for file in self.texts("file"):
                if file.startswith("oci://"):
                    from hakobu.compose.published_project import bring

                    found += bring(file, os.environ)
                else:
                    found.append(file)
            self._given = tuple(found)
        return self._given

    def _warn(self, text: str) -> None:
        self.has_warned = True
        self.progress.warn(text)

    @property
    def project(self) -> Project:
        """The project as the files have it; a service named on the command line is active whatever its profiles."""
        if self._project is None:
            self._project = load(self.selection)
            self.activate(*self.services)
        return self._project

    def take(self, project: Project) -> Project:
        """The project as it is from now on."""
        self._project = project
        return project

    def activate(self, *names: str) -> None:
        """Services named on the command line are active whatever their profiles."""
        project = self._project or load(self.selection)
        named = {name: project.disabled[name] for name in names if name in project.disabled}
        services = dict(sorted({**project.services, **named}.items()))
        disabled = {name: service for name, service in project.disabled.items() if name not in named}
        self._project = replace(project, services=services, disabled=disabled)

    @property
    def project_or_name(self) -> tuple[Project | None, str]:
        """For verbs that need no files: the project where there is one, else its name alone."""
        try:
            project = self._project or self._lenient or load(self.selection, lenient=True)
            self._lenient = project
            return project, project.name
        except NoConfigurationFile:
            given = self.text("project_name") or os.environ.get("COMPOSE_PROJECT_NAME", "")
            if not given:
                raise
            return None, project_name(self.selection, [], os.getcwd(), dict(os.environ))

    def containers(self, *, all: bool = True, oneoff: bool = False) -> tuple[ObservedContainer, ...]:
        """The project's containers, of the named services where some are named; an unknown service is an error."""
        project, name = self.project_or_name
        for service in self.services:
            if project:
                project.service(service)
        found = [c for c in observe_containers(self.engine, name) if (all or c.is_running) and (oneoff or not c.oneoff)]
        if not project:
            for service in self.services:
                if all and service not in {c.service for c in found}:
                    raise NoSuchService(service)
        if self.services:
            found = [c for c in found if c.service in self.services]
        return tuple(sorted(found, key=lambda c: (c.service, c.number)))

    def apply_options(self, *, volumes: bool = False, signal: str = "") -> ApplyOptions:
        """How plans are carried out, as far as the command line says it."""
        limit = self.number("parallel") or -1
        if limit < 0:
            text = os.environ.get("COMPOSE_PARALLEL_LIMIT", "")
            limit = int(text) if text.isdigit() else -1
        options = ApplyOptions(
            timeout_s=self.number("timeout"),
            wait_s=self.number("wait_timeout"),
            volumes=volumes,
            signal=signal,
            dry=self.dry,
            renew_volumes=self.on("renew_anon_volumes"),
        )
        return replace(options, width=limit) if limit > 0 else options

    def container_of(self, service: str, *, running: bool = True) -> ObservedContainer:
        """The service's container that `--index` names, the first where it names none."""
        project, name = self.project_or_name
        if project:
            project.service(service)
        index = self.number("index")
        every = [c for c in observe_containers(self.engine, name) if c.service == service and not c.oneoff]
        wanted = [c for c in every if index in (None, 0, c.number) and (c.is_running or not running)]
        if not wanted:
            raise ActionFailed(f'service "{service}" is not running' + (f" container #{index}" if index else ""))
        return min(wanted, key=lambda c: c.number)
