"""From a command line's choices to a `Project`: which files, which name, which variables; then read, merge, build.

The one module below `apply` that reads the disk. Precedence of variables: the environment, then `--env-file` or
the project directory's `.env`. Files named by `env_file` are read here too, and land in `environment`.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from hakobu.compose.disk import Disk
from hakobu.compose.env_file import parse_env
from hakobu.compose.failure import BadComposeFile, Mark, NoConfigurationFile
from hakobu.compose.interpolation import interpolate
from hakobu.compose.model.build import build_project
from hakobu.compose.model.project import Project
from hakobu.compose.model.reading import read_string
from hakobu.compose.model.service import EnvFile, Service
from hakobu.compose.node import MappingNode
from hakobu.compose.path import Base
from hakobu.compose.source import Unit, read_documents, read_unit, variables_of
from hakobu.errors import Invalid
from hakobu.spec.step import Json

FILE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = tuple(f"{stem}.override.{ending}" for stem in ("compose", "docker-compose") for ending in ("yml", "yaml"))
_VERSION = "the attribute `version` is obsolete, it will be ignored, please remove it to avoid potential confusion"
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
    interpolate: bool = True
    resolve_paths: bool = True
    resolve_env_files: bool = True
    consistent: bool = True
    warn: Callable[[str], None] = lambda _: None
    disk: Disk = field(default_factory=Disk)


def load(selection: Selection, *, lenient: bool = False) -> Project:
    """The project, complete; `BadComposeFile` and its kin for what is wrong with it.

    `lenient` is for looking and for taking away: a missing env file is then no error.
    """
    source = read_source(selection)
    project = Project(
        name=source.name,
        directory=source.directory,
        files=source.files,
        env_files=source.env_files,
        environment=source.variables,
    )
    profiles = _profiles(selection, source.variables)
    built = build_project(source.document, project, profiles, consistent=selection.consistent)
    return _with_files(built, selection.disk, lenient) if selection.resolve_env_files else built


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The files as one document, before anything is made of it."""

    name: str
    directory: str
    files: tuple[str, ...]
    env_files: tuple[str, ...]
    variables: dict[str, str]
    document: MappingNode


def read_source(selection: Selection) -> Source:
    """Files, name and variables found, read and merged."""
    files = find_files(selection)
    here = os.path.abspath(selection.working_directory)
    first = os.path.dirname(files[0]) if files[0] != "-" else here
    directory = os.path.abspath(os.path.join(here, selection.directory or first))
    environment, env_files = _environment(selection, directory)
    documents = {file: read_documents(file, selection.disk) for file in files}
    written = [document for some in documents.values() for document in some]
    name = project_name(selection, written, directory, environment)
    variables = {**environment, "COMPOSE_PROJECT_NAME": name}
    if any("version" in document.entries for document in written):
        selection.warn(_VERSION)
    unit = Unit(
        base=Base(directory, environment.get("HOME", "/root")),
        variables=variables,
        warn=_once(selection.warn),
        disk=selection.disk,
        interpolate=selection.interpolate,
        resolve_paths=selection.resolve_paths,
    )
    return Source(
        name=name,
        directory=directory,
        files=files,
        env_files=tuple(selection.env_files and env_files),
        variables=variables,
        document=read_unit(documents, unit),
    )


def _once(warn: Callable[[str], None]) -> Callable[[str], None]:
    """Each variable is warned of once."""
    told: set[str] = set()

    def warn_unset(name: str) -> None:
        if name not in told:
            told.add(name)
            warn(f'The "{name}" variable is not set. Defaulting to a blank string.')

    return warn_unset


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
            if selection.disk.has(path := os.path.join(directory, name)):
                overrides = [os.path.join(directory, o) for o in _OVERRIDES]
                return (path, *[o for o in overrides if selection.disk.has(o)][:1])
        parent = os.path.dirname(directory)
        if parent == directory:
            raise NoConfigurationFile
        directory = parent


def _environment(selection: Selection, directory: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """The variables to interpolate with, and the files they came from."""
    own = dict(selection.environment)
    here = os.path.abspath(selection.working_directory)
    files = [os.path.join(here, file) for file in selection.env_files]
    if not files and selection.disk.has_file(default := os.path.join(directory, ".env")):
        files = [default]
    return {**variables_of(files, own, selection.disk), **own}, tuple(files)


def project_name(
    selection: Selection, documents: list[MappingNode], directory: str, environment: Mapping[str, str]
) -> str:
    """`-p`, COMPOSE_PROJECT_NAME, the files' `name` (the last one's), or the directory's name made fit."""
    given = selection.name or environment.get("COMPOSE_PROJECT_NAME", "")
    for document in reversed(documents):
        node = document.get("name")
        if not given and node is not None:
            given = _fit_name(read_string(interpolate(node, environment.get), "name"))
    if given:
        if not _NAME.fullmatch(given):
            raise BadProjectName(given)
        return given
    name = _fit_name(os.path.basename(directory))
    if not name:
        raise Invalid("project name must not be empty", hint="give one with -p, or `name:` in the file")
    return name


def _fit_name(text: str) -> str:
    """A project name made of any text."""
    return re.sub(r"[^a-z0-9_-]", "", text.lower()).lstrip("_-")


def _with_files(project: Project, disk: Disk, lenient: bool) -> Project:
    """Services with what their env and label files say, and with values for the variables that had none."""
    services = {
        name: _resolve(service, project.environment, disk, lenient) for name, service in project.services.items()
    }
    disabled = {name: _resolve(service, project.environment, disk, True) for name, service in project.disabled.items()}
    return replace(project, services=services, disabled=disabled)


def _resolve(service: Service, variables: Mapping[str, str], disk: Disk, lenient: bool) -> Service:
    found: dict[str, str | None] = {}
    for env_file in service.env_file:
        found |= _read_env_file(env_file, service.name, variables, found, disk, lenient)
    own = {name: variables.get(name) if value is None else value for name, value in service.environment.items()}
    return replace(
        service,
        environment=dict(sorted({**found, **own}.items())),
        env_file=(),
        labels=_labels(service, variables, disk, lenient),
        label_file=(),
        read_label_files=service.label_file,
        build=_with_arguments(service.build, variables),
    )


def _labels(service: Service, variables: Mapping[str, str], disk: Disk, lenient: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in service.label_file:
        if not disk.has(file):
            if lenient:
                continue
            raise BadComposeFile(Mark(file), f"label file {file} not found, needed by {service.name}")
        values = parse_env(disk.read(file), file, variables.get)
        found |= {name: value for name, value in values.items() if value is not None}
    return dict(sorted({**found, **service.labels}.items()))


def _with_arguments(build: dict[str, Json], variables: Mapping[str, str]) -> dict[str, Json]:
    """A build's arguments without a value take the variable's; one that is set nowhere is left out."""
    arguments = build.get("args")
    if not isinstance(arguments, dict):
        return build
    resolved = {name: variables.get(name) if value is None else value for name, value in arguments.items()}
    return {**build, "args": {name: value for name, value in resolved.items() if value is not None}}


def _read_env_file(
    env_file: EnvFile,
    service: str,
    variables: Mapping[str, str],
    before: Mapping[str, str | None],
    disk: Disk,
    lenient: bool,
) -> dict[str, str | None]:
    if not disk.has(env_file.path):
        if env_file.required and not lenient:
            raise BadComposeFile(Mark(env_file.path), f"env file {env_file.path} not found, needed by {service}")
        return {}
    text = disk.read(env_file.path)
    if env_file.format == "raw":
        lines = [line.partition("=") for line in text.splitlines() if line.strip() and not line.startswith("#")]
        return {name.strip(): value for name, _, value in lines}
    values = parse_env(text, env_file.path, variables.get, before)
    return {name: value for name, value in values.items() if value is not None}
