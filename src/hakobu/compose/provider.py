"""Services that somebody else provides: a program of the provider's makes them and tells what their users need.

It is called as docker compose calls it, `PROGRAM compose --project-name=NAME up --OPTION=VALUE… SERVICE`, and writes
JSON lines: `info`, `error`, `debug`, and `setenv`, a variable for the services that depend on this one.
`models` are no providers of this kind; they are refused.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hakobu.client.endpoint import docker_config_dir
from hakobu.compose.failure import ActionFailed
from hakobu.compose.model.project import Project
from hakobu.compose.model.service import Service
from hakobu.compose.plan import levels
from hakobu.compose.progress import Progress
from hakobu.spec.step import Json

_PLUGINS = tuple(f"/usr/{base}/docker/cli-plugins" for base in ("local/lib", "local/libexec", "lib", "libexec"))
_WORDS = {"up": ("Creating", "Created"), "down": ("Removing", "Removed")}


def find_program(kind: str, env: Mapping[str, str]) -> str:
    """docker's plugin `docker-KIND`, else the program KIND on the PATH; ActionFailed where there is neither."""
    own = f"{docker_config_dir(env)}/cli-plugins"
    places = [os.path.join(folder, f"docker-{kind}") for folder in (own, *_PLUGINS)]
    found = next((p for p in places if os.access(p, os.X_OK)), None) or shutil.which(kind, path=env.get("PATH"))
    if "/" in kind or found is None:
        raise ActionFailed(
            f"no provider {kind!r}", hint=f"install docker's plugin docker-{kind}, or {kind} on the PATH"
        )
    return found


def argv_of(program: str, verb: str, project: str, service: Service) -> list[str]:
    """A list stands for the option given several times."""
    provider = service.provider or {}
    options = provider.get("options")
    argv = [program, "compose", f"--project-name={project}", verb]
    for name, values in options.items() if isinstance(options, dict) else ():
        argv += [f"--{name}={_text(value)}" for value in (values if isinstance(values, list) else [values])]
    return [*argv, service.name]


def _text(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def call(verb: str, project: str, service: Service, progress: Progress, env: Mapping[str, str]) -> dict[str, str]:
    """The variables it sets, without the service's prefix; ActionFailed with its words where it fails."""
    program = find_program(str((service.provider or {})["type"]), env)
    begins, ends = _WORDS[verb]
    progress.line(service.name, begins)
    found: dict[str, str] = {}
    argv, null = argv_of(program, verb, project, service), subprocess.DEVNULL
    with subprocess.Popen(argv, env=dict(env), stdin=null, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            _take(line, service.name, lambda word: progress.line(service.name, word), found)
    if process.returncode:
        raise ActionFailed(f"provider of {service.name} failed with status {process.returncode}")
    progress.line(service.name, ends)
    return found


def _take(line: str, service: str, tell: Callable[[str], None], variables: dict[str, str]) -> None:
    try:
        message: dict[str, Any] = json.loads(line)
        kind, text = str(message["type"]), str(message.get("message") or "")
    except (ValueError, KeyError, TypeError):
        raise ActionFailed(f"provider of {service} wrote what is no message: {line.strip()!r}") from None
    match kind:
        case "setenv":
            name, _, value = text.partition("=")
            variables[name] = value
        case "error":
            raise ActionFailed(f"provider of {service}: {text}")
        case "info":
            tell(text)
        case _:
            pass


def provided(project: Project, names: tuple[str, ...], progress: Progress, env: Mapping[str, str]) -> Project:
    """Has the providers of these services make them; the project with what their users were told."""
    for level in levels(project, names):
        for name in level:
            if project.service(name).provider is not None:
                variables = call("up", project.name, project.service(name), progress, env)
                project = _told(project, name, variables)
    return project


def _told(project: Project, provider: str, variables: Mapping[str, str]) -> Project:
    """`URL` of the service `db` is `DB_URL` for those that depend on it."""
    mine = {f"{provider.upper()}_{name}": value for name, value in variables.items()}

    def with_mine(service: Service) -> Service:
        if provider not in service.depends_on:
            return service
        return replace(service, environment=dict(sorted({**service.environment, **mine}.items())))

    return replace(project, services={name: with_mine(service) for name, service in project.services.items()})
