"""`hakobu convert FILE… --to quadlet|kube|run|compose`: an application in another form.

What the new form has no words for, and what the reader passed over, is named on standard error.
"""

import argparse
import os
import sys

from hakobu.client.endpoint import Endpoint
from hakobu.compose.config import to_yaml
from hakobu.compose.model.project import Project
from hakobu.errors import HakobuError
from hakobu.formats.commands import write_commands
from hakobu.formats.kube.writer import write_kube
from hakobu.formats.note import Note
from hakobu.formats.quadlet.writer import write_quadlets
from hakobu.formats.source import files_text, read_application, tell, with_contents

TARGETS = ("quadlet", "kube", "run", "compose")


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="hakobu convert",
        description="Write a Compose file, a Kubernetes file or quadlet units in another form.",
        epilog="What the new form cannot say is named on standard error; --strict makes that a failure.",
    )
    found.add_argument("--to", required=True, choices=TARGETS, help="the form to write")
    found.add_argument("-o", "--output", default="", metavar="PATH", help="a file; for quadlets, a folder")
    found.add_argument("-p", "--project-name", default="", metavar="NAME", help="what the application is called")
    found.add_argument("--strict", action="store_true", help="write nothing where something would be lost")
    found.add_argument("files", nargs="+", metavar="FILE", help="a file, or - for standard input; several units")
    return found


def main(argv: list[str], endpoint: Endpoint | str) -> int:
    try:
        options = parser().parse_args(argv)
    except SystemExit as e:
        return int(e.code or 0)
    try:
        return _convert(options)
    except HakobuError as e:
        print(e, file=sys.stderr)
        if e.hint:
            print(f"({e.hint})", file=sys.stderr)
        return 1
    except OSError as e:
        print(f"{e.filename}: {e.strerror}", file=sys.stderr)
        return 1


def _convert(options: argparse.Namespace) -> int:
    found = read_application(options.files, options.project_name, lambda text: print(text, file=sys.stderr))
    texts, lost = write(with_contents(found.project), options.to)
    notes = [*found.notes, *lost]
    tell(notes)
    if options.strict and notes:
        return 1
    if not options.output:
        sys.stdout.write(files_text(texts))
        return 0
    if options.to != "quadlet":
        with open(options.output, "w", encoding="utf-8") as file:
            file.write(files_text(texts))
        return 0
    os.makedirs(options.output, exist_ok=True)
    for name, text in texts.items():
        with open(os.path.join(options.output, name), "w", encoding="utf-8") as file:
            file.write(text)
    return 0


def write(project: Project, target: str) -> tuple[dict[str, str], list[Note]]:
    """Files by their names (one without a name where the form is one text), and what they do not say."""
    if target == "compose":
        return {"": to_yaml(project)}, []
    if target == "kube":
        text, notes = write_kube(project)
        return {"": text}, notes
    if target == "run":
        text, notes = write_commands(project)
        return {"": text}, notes
    files = write_quadlets(project)
    return files.texts, files.notes
