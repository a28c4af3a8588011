"""`hakobu quadlet install|list|print|remove`: the command lines."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable

from hakobu.client.endpoint import Endpoint
from hakobu.compose.disk import Disk
from hakobu.compose.failure import BadComposeFile, Mark, raise_mistakes
from hakobu.errors import HakobuError, Invalid
from hakobu.formats.quadlet import install as installing
from hakobu.formats.quadlet.key import EXTENSIONS
from hakobu.formats.quadlet.service import Program, Service, make_service
from hakobu.formats.quadlet.unit import Unit
from hakobu.formats.source import files_text, tell, units_in

_SYSTEMD_RUNS = "/run/systemd/system"


def main(argv: list[str], endpoint: Endpoint | str) -> int:
    """`hakobu quadlet VERB`."""
    try:
        options = parser().parse_args(argv)
    except SystemExit as e:
        return int(e.code or 0)
    run: Callable[[argparse.Namespace, Endpoint | str], int] = options.run
    try:
        return run(options, endpoint)
    except HakobuError as e:
        print(e, file=sys.stderr)
        if e.hint:
            print(f"({e.hint})", file=sys.stderr)
        return 1
    except OSError as e:
        print(f"{e.filename}: {e.strerror}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """The command line of `hakobu quadlet`."""
    found = argparse.ArgumentParser(
        prog="hakobu quadlet", description="Containers, pods and files as systemd services."
    )
    verbs = found.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    placed = argparse.ArgumentParser(add_help=False)
    placed.add_argument("--user", action="store_true", help="services of this user, not of the machine")
    placed.add_argument("--root", default="", metavar="DIR", help="a machine's file system below this folder")
    making = argparse.ArgumentParser(add_help=False)
    making.add_argument("--program", default="", metavar="PATH", help="the program that services call (this one)")
    line = "make services of quadlets"
    adding = verbs.add_parser("install", parents=[placed, making], help=line, description=line.capitalize())
    adding.add_argument("--replace", action="store_true", help="take the place of services made of other quadlets")
    adding.add_argument("files", nargs="+", metavar="FILE", help="a quadlet, or a folder of them")
    adding.set_defaults(run=_install)
    line = "list the quadlets that are installed"
    listing = verbs.add_parser("list", parents=[placed], help=line, description=line.capitalize())
    listing.add_argument("-q", "--quiet", action="store_true", help="names only")
    listing.set_defaults(run=_list)
    line = "show the services of files, or of installed quadlets"
    showing = verbs.add_parser("print", parents=[placed, making], help=line, description=line.capitalize())
    showing.add_argument("names", nargs="+", metavar="FILE|NAME", help="quadlets, or names of installed services")
    showing.set_defaults(run=_print)
    line = "take services away; containers and volumes stay as they are"
    removing = verbs.add_parser("remove", parents=[placed], help=line, description=line.capitalize())
    removing.add_argument("names", nargs="+", metavar="NAME", help="services, or their quadlets")
    removing.set_defaults(run=_remove)
    return found


def _folder(options: argparse.Namespace) -> str:
    return installing.unit_folder(options.root, user=options.user, environment=dict(os.environ))


def _program(options: argparse.Namespace, endpoint: Endpoint | str) -> Program:
    """This program by its absolute path, with the engine it was told to use where that is not its own."""
    path = options.program or shutil.which("hakobu") or os.path.abspath(sys.argv[0])
    if not os.path.isabs(path) or not os.access(path, os.X_OK):
        raise Invalid(f"is no program that a service can call: {path!r}", hint="name one with --program")
    is_own = isinstance(endpoint, Endpoint) and endpoint.own
    url = endpoint.url if isinstance(endpoint, Endpoint) else endpoint
    return Program((path,) if is_own else (path, "-H", url))


def _units(paths: list[str]) -> list[Unit]:
    """The units of files and folders."""
    disk, found = Disk(), list[Unit]()
    for path in paths:
        files = [path]
        if os.path.isdir(path):
            names = sorted(os.listdir(path))
            files = [os.path.join(path, name) for name in names if name.rpartition(".")[2] in EXTENSIONS]
            if not files:
                raise BadComposeFile(Mark(path), "holds no quadlets")
        for file in files:
            found += units_in(file, disk.read(file))
    return found


def _services(paths: list[str], program: Program) -> list[Service]:
    units = {unit.name: unit for unit in _units(paths)}
    found: list[Service] = []
    mistakes: list[BadComposeFile] = []
    for unit in units.values():
        try:
            found.append(make_service(unit, units, program))
        except BadComposeFile as e:
            mistakes.append(e)
    raise_mistakes(mistakes)
    tell(note for service in found for note in service.notes)
    return found


def _install(options: argparse.Namespace, endpoint: Endpoint | str) -> int:
    services = _services(options.files, _program(options, endpoint))
    installing.install(services, _folder(options), replace=options.replace)
    for service in services:
        print(service.name)
    _reload(options)
    return 0


def _reload(options: argparse.Namespace) -> None:
    """Tells a systemd that runs what has changed."""
    argv = ["systemctl", *(["--user"] if options.user else []), "daemon-reload"]
    if options.root or not os.path.isdir(_SYSTEMD_RUNS):
        return
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode:
        print(f"{' '.join(argv)}: {done.stderr.strip()}", file=sys.stderr)


def _list(options: argparse.Namespace, endpoint: Endpoint | str) -> int:
    found = installing.installed(_folder(options))
    if options.quiet:
        sys.stdout.write("".join(f"{service.name}\n" for service in found))
        return 0
    rows = [("SERVICE", "STARTS BY ITSELF", "QUADLET")]
    rows += [(s.name, "yes" if s.enabled else "no", s.source) for s in found]
    widths = [max(len(row[i]) for row in rows) for i in range(2)]
    for row in rows:
        print(f"{row[0]:{widths[0]}}   {row[1]:{widths[1]}}   {row[2]}")
    return 0


def _print(options: argparse.Namespace, endpoint: Endpoint | str) -> int:
    texts: dict[str, str] = {}
    files = [name for name in options.names if os.path.exists(name)]
    if files:
        texts = {service.name: service.text for service in _services(files, _program(options, endpoint))}
    for name in options.names:
        if name not in files:
            service = installing.find(_folder(options), name)
            texts[service.name] = installing.text_of(_folder(options), service)
    sys.stdout.write(files_text(texts))
    return 0


def _remove(options: argparse.Namespace, endpoint: Endpoint | str) -> int:
    folder = _folder(options)
    for service in [installing.find(folder, name) for name in options.names]:
        installing.remove(folder, service)
        print(service.name)
    _reload(options)
    return 0
