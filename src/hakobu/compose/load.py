"""From a command line's choices to a `Project`: which files, which name, which variables; then read, merge, build.

The one module below `apply` that reads the disk. Precedence of variables: the environment, then `--env-file` or
the project directory's `.env`. Files named by `env_file` are read here too, and land in `environment`.
"""

import os
import re
import sys
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from hakobu.compose.env_file import parse_env
from hakobu.compose.failure import BadComposeFile, Mark, NoConfigurationFile
from hakobu.compose.interpolation import interpolate
from hakobu.compose.merge import merge, without_tags
from hakobu.compose.model.build import build_project
from hakobu.compose.model.project import Project
from hakobu.compose.model.reading import read_string
from hakobu.compose.model.service import EnvFile, Service
from hakobu.compose.node import MappingNode, Node, Scalar
from hakobu.compose.yaml import parse
from hakobu.errors import Invalid

FILE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = tuple(f"{stem}.override.{ending}" for stem in ("compose", "docker-compose") for ending in ("yml", "yaml"))
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class BadProjectName(Invalid):
    """A project name that docker compose would not take either."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"invalid project name {name!r}: must consist only of lowercase alphanumeric characters, hyphens, and "
            "underscores as well as start with a letter or number"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the command line says about the project; empty means: find out."""

    files: tuple[str, ...] = ()
    name: str = ""
    directory: str = ""
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    working_directory: str = "."
    warn: Callable[[str], None] = lambda _: None


def load(selection: Selection, *, lenient: bool = False) -> Project:
    """The project, complete; `BadComposeFile` and its kin for what is wrong with it."""
    files = find_files(selection)
    first = os.path.dirname(files[0]) if files[0] != "-" else os.path.abspath(selection.working_directory)
    directory = os.path.abspath(os.path.join(selection.working_directory, selection.directory or first))
    environment, env_files = _environment(selection, directory)
    documents = [_read_document(file) for file in files]
    name = project_name(selection, documents, directory, environment)
    variables = {**environment, "COMPOSE_PROJECT_NAME": name}
    document = _merged(documents, variables, selection.warn)
    project = Project(
        name=name,
        directory=directory,
        files=files,
        env_files=tuple(selection.env_files and env_files),
        environment=variables,
    )
    built = build_project(document, project, _profiles(selection, environment), lenient=lenient)
    return _with_environment(built)


def _profiles(selection: Selection, environment: Mapping[str, str]) -> frozenset[str]:
    named = [p.strip() for p in environment.get("COMPOSE_PROFILES", "").split(",")]
    return frozenset(p for p in (*selection.profiles, *named) if p)


def find_files(selection: Selection) -> tuple[str, ...]:
    """Absolute paths of the files: `-f`, COMPOSE_FILE, or the usual names here and in the parent directories."""
    here = os.path.abspath(selection.working_directory)
    given = selection.files
    if not given and (named := selection.environment.get("COMPOSE_FILE")):
        given = tuple(named.split(selection.environment.get("COMPOSE_PATH_SEPARATOR", ":")))
    if given:
        return tuple(file if file == "-" else os.path.normpath(os.path.join(here, file)) for file in given)
    directory = os.path.join(here, selection.directory) if selection.directory else here
    while True:
        for name in FILE_NAMES:
            if os.path.exists(path := os.path.join(directory, name)):
                overrides = [os.path.join(directory, o) for o in _OVERRIDES]
                return (path, *[o for o in overrides if os.path.exists(o)][:1])
        parent = os.path.dirname(directory)
        if parent == directory:
            raise NoConfigurationFile
        directory = parent


def _environment(selection: Selection, directory: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables to interpolate with, and the files they came from."""
    own = dict(selection.environment)
    here = os.path.abspath(selection.working_directory)
    files = [os.path.join(here, file) for file in selection.env_files]
    for file in files:
        if not os.path.exists(file):
            raise BadComposeFile(Mark(file), f"couldn't find env file: {file}")
    if not files and os.path.isfile(default := os.path.join(directory, ".env")):
        files = [default]
    found: dict[str, str] = {}
    for file in files:
        values = parse_env(_read_text(file), file, ChainMap(own, found).get)
        found |= {name: value for name, value in values.items() if value is not None}
    return {**found, **own}, tuple(files)


def _read_text(file: str) -> str:
    try:
        if file == "-":
            return sys.stdin.read()
        with open(file, encoding="utf-8") as stream:
            return stream.read()
    except OSError as e:
        raise BadComposeFile(Mark(file), f"cannot be read: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise BadComposeFile(Mark(file), f"is not UTF-8: {e.reason}") from e


def _read_document(file: str) -> MappingNode:
    node = parse(_read_text(file), file)
    if isinstance(node, Scalar) and node.is_null:
        raise BadComposeFile(Mark(file), "empty compose file")
    if not isinstance(node, MappingNode):
        raise BadComposeFile(node.mark, "top-level object must be a mapping")
    return node


def _merged(documents: list[MappingNode], variables: Mapping[str, str], warn: Callable[[str], None]) -> MappingNode:
    told: set[str] = set()

    def warn_unset(name: str) -> None:
        if name not in told:
            told.add(name)
            warn(f'The "{name}" variable is not set. Defaulting to a blank string.')

    if any("version" in document.entries for document in documents):
        warn("the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion")
    merged: Node = interpolate(documents[0], variables.get, warn_unset)
    for document in documents[1:]:
        merged = merge(merged, interpolate(document, variables.get, warn_unset))
    merged = without_tags(merged)
    assert isinstance(merged, MappingNode)
    return merged


def project_name(
    selection: Selection, documents: list[MappingNode], directory: str, environment: Mapping[str, str]
) -> str:
    """`-p`, COMPOSE_PROJECT_NAME, the files' `name` (the last one's), or the directory's name made fit."""
    given = selection.name or environment.get("COMPOSE_PROJECT_NAME", "")
    for document in reversed(documents):
        node = document.get("name")
        if not given and node is not None:
            given = read_string(interpolate(node, environment.get), "name")
    if given:
        if not _NAME.fullmatch(given):
            raise BadProjectName(given)
        return given
    name = re.sub(r"[^a-z0-9_-]", "", os.path.basename(directory).lower()).lstrip("_-")
    if not name:
        raise Invalid("project name must not be empty", hint="give one with -p, or `name:` in the file")
    return name


def _with_environment(project: Project) -> Project:
    """Services with the variables of their env files, and with values for the names that had none."""
    services = {name: _resolve(service, project.environment) for name, service in project.services.items()}
    disabled = {name: _resolve(service, project.environment, True) for name, service in project.disabled.items()}
    return replace(project, services=services, disabled=disabled)


def _resolve(service: Service, variables: Mapping[str, str], lenient: bool = False) -> Service:
    found: dict[str, str | None] = {}
    for env_file in service.env_file:
        found |= _read_env_file(env_file, service.name, variables, found, lenient)
    own = {name: variables.get(name) if value is None else value for name, value in service.environment.items()}
    return replace(service, environment=dict(sorted({**found, **own}.items())), env_file=())


def _read_env_file(
    env_file: EnvFile, service: str, variables: Mapping[str, str], before: Mapping[str, str | None], lenient: bool
) -> dict[str, str | None]:
    if not os.path.exists(env_file.path):
        if env_file.required and not lenient:
            raise BadComposeFile(Mark(env_file.path), f"env file {env_file.path} not found, needed by {service}")
        return {}
    text = _read_text(env_file.path)
    if env_file.format == "raw":
        lines = [line.partition("=") for line in text.splitlines() if line.strip() and not line.startswith("#")]
        return {name.strip(): value for name, _, value in lines}
    values = parse_env(text, env_file.path, lambda name: variables.get(name, before.get(name)))
    return {name: value for name, value in values.items() if value is not None}
