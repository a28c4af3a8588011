"""Reading an application in whichever form it comes: a Compose file, a Kubernetes file, quadlet units.

The one place of the conversions that reads the disk, with the contents that a Compose file refers to.
"""

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from hakobu.compose.disk import Disk
from hakobu.compose.failure import BadComposeFile, Mark
from hakobu.compose.load import Selection, load
from hakobu.compose.model.project import FileObject, Project
from hakobu.compose.node import Scalar
from hakobu.compose.yaml import parse_all
from hakobu.formats.document import project_of
from hakobu.formats.kube.reader import is_kube, read_kube, whole_document
from hakobu.formats.note import Note
from hakobu.formats.quadlet.key import EXTENSIONS
from hakobu.formats.quadlet.reader import read_units
from hakobu.formats.quadlet.unit import Unit, parse_unit

FORMS = ("compose", "kube", "quadlet")
_HEADER = "# FileName="


@dataclass(frozen=True, slots=True)
class Application:
    """A project, the form it came in, and what its reader passed over."""

    project: Project
    form: str
    notes: tuple[Note, ...] = ()


def read_application(files: list[str], name: str, warn: Callable[[str], None]) -> Application:
    """What the files describe; several are quadlet units, or Compose files to be merged."""
    disk = Disk()
    texts = {file: disk.read(file) for file in files}
    form = form_of(files[0], texts[files[0]])
    if form == "compose":
        return Application(_compose(files, name, warn, disk), form)
    if form == "kube":
        if len(files) > 1:
            raise BadComposeFile(Mark(files[1]), "a Kubernetes file is converted on its own")
        found = read_kube(texts[files[0]], files[0])
        document = whole_document(found.pods)
        return Application(project_of(document, name or _stem(files[0]), files=tuple(files)), form, found.notes)
    units = [unit for file, text in texts.items() for unit in units_in(file, text)]
    document, notes = read_units(units)
    return Application(project_of(document, name or _stem(files[0]), files=tuple(files)), form, tuple(notes))


def form_of(file: str, text: str) -> str:
    """Which form a file has: by its name where that says it, else by what it begins with."""
    if file.rpartition(".")[2] in EXTENSIONS:
        return "quadlet"
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if lines and lines[0].startswith("[") and lines[0].rstrip().endswith("]"):
        return "quadlet"
    nodes = [n for n in parse_all(text, file) if not (isinstance(n, Scalar) and n.is_null)]
    return "kube" if nodes and is_kube(nodes[0]) else "compose"


def _stem(file: str) -> str:
    """A name for what has none of its own."""
    import re

    stem = "app" if file == "-" else os.path.basename(os.path.abspath(file)).partition(".")[0]
    return re.sub(r"[^a-z0-9_-]", "", stem.lower()).lstrip("_-") or "app"


def units_in(file: str, text: str) -> list[Unit]:
    """The units of a file; several of them are told apart by lines `# FileName=web.container`."""
    directory = os.getcwd() if file == "-" else os.path.dirname(os.path.abspath(file))
    if _HEADER not in text:
        name = "app.container" if file == "-" else os.path.basename(file)
        return [parse_unit(text, name, file=file, directory=directory)]
    units: list[Unit] = []
    lines: list[str] = []
    name = ""
    for line in [*text.rstrip("\n").split("\n"), _HEADER]:
        if line.startswith(_HEADER):
            if name and name.rpartition(".")[2] in EXTENSIONS:
                units.append(parse_unit("\n".join(lines), name, file=f"{file} ({name})", directory=directory))
            name, lines = line.removeprefix(_HEADER).strip(), []
        elif line != "---":
            lines.append(line)
    return units


def files_text(texts: dict[str, str]) -> str:
    """Several files as one text, each behind a line with its name."""
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "---\n".join(f"{_HEADER}{name}\n{text}" for name, text in texts.items())


def _compose(files: list[str], name: str, warn: Callable[[str], None], disk: Disk) -> Project:
    selection = Selection(files=tuple(files), name=name, environment=dict(os.environ), warn=warn, disk=disk)
    return load(selection)


def with_contents(project: Project) -> Project:
    """The project with what its configs and secrets hold, wherever that is kept."""
    return replace(
        project,
        secrets={key: _filled(project, o) for key, o in project.secrets.items()},
        configs={key: _filled(project, o) for key, o in project.configs.items()},
    )


def _filled(project: Project, source: FileObject) -> FileObject:
    if source.file:
        return replace(source, content=Disk().read(source.file))
    if source.environment:
        return replace(source, content=project.environment.get(source.environment, ""))
    return source


def tell(notes: Iterable[object], head: str = "") -> None:
    """Each note once, on standard error."""
    for text in dict.fromkeys(f"{head}{note}" for note in notes):
        print(text, file=sys.stderr)
