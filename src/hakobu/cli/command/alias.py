"""`alias`: a link named `docker` to this program, so that scripts and fingers find it under that name."""

from __future__ import annotations

import os
import sys

from hakobu.cli.failure import Failure
from hakobu.cli.kind import BOOL, STRING
from hakobu.cli.table import Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

_DIR = Flag("dir", "", STRING, "Folder of the link (default: this program's own)")
INSTALL = Command(
    "alias install",
    "[OPTIONS]",
    "Make a link named docker to this program",
    flags=(_DIR, Flag("force", "f", BOOL, "In place of a file that is there")),
)
REMOVE = Command("alias remove", "[OPTIONS]", "Remove that link", flags=(_DIR,))


def _program() -> str:
    """The path of the console script that was called."""
    import shutil

    path = sys.argv[0] if os.sep in sys.argv[0] else shutil.which(sys.argv[0])
    if not path or not os.access(path, os.X_OK):
        raise Failure("cannot tell the path of this program: call it as an installed command, not by python -m")
    return os.path.realpath(path)


def _link(values: Values, program: str) -> str:
    return os.path.join(values.text("dir") or os.path.dirname(program), "docker")


def install(session: Session, values: Values, arguments: list[str]) -> int:
    import shutil

    program = _program()
    link = _link(values, program)
    if os.path.realpath(link) == program:
        session.line(link)
        return 0
    if os.path.lexists(link):
        if not values.on("force"):
            raise Failure(f"{link} is there already: remove it, give another folder by --dir, or use --force")
        os.unlink(link)
    os.symlink(program, link)
    session.line(link)
    found = shutil.which("docker")
    if found and os.path.realpath(found) != program:
        session.error(f"`docker` still is {found}: put {os.path.dirname(link)} before its folder in PATH")
    elif not found:
        session.error(f"{os.path.dirname(link)} is not in PATH yet")
    return 0


def remove(session: Session, values: Values, arguments: list[str]) -> int:
    link = _link(values, _program())
    if not os.path.islink(link) or os.path.realpath(link) != _program():
        raise Failure(f"{link} is no link to this program: left alone")
    os.unlink(link)
    session.line(link)
    return 0
