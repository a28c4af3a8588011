"""`man --dir FOLDER`: writes a manual page for each command."""

from __future__ import annotations

import os

from hakobu.cli.kind import STRING
from hakobu.cli.table import Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values

MAN = Command(
    "man",
    "[OPTIONS]",
    "Write manual pages, one a command",
    flags=(Flag("dir", "", STRING, "Folder to write them to", "man1"),),
)


def man(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu import __version__
    from hakobu.cli.manual import pages

    folder = values.text("dir")
    os.makedirs(folder, exist_ok=True)
    found = pages(session.program, f"{session.program} {__version__}")
    for name, text in found.items():
        with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    session.line(f"{len(found)} pages in {folder}")
    return 0
