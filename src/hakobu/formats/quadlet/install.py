"""Services of quadlets in systemd's folders: written, listed, taken away. The one place here that writes files.

A file is ours by its first line; no other is overwritten or removed. What [Install] says is linked as `systemctl
enable` links it, so that an installed quadlet starts with the machine without a further command.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass

from hakobu.errors import HakobuError, Kind
from hakobu.formats.quadlet.service import Service

_HEAD = "# Made by `hakobu quadlet install` of "


class UnitTaken(HakobuError):
    """A service of somebody else's, or made of another quadlet."""

    kind = Kind.CONFLICT

    def __init__(self, path: str, source: str) -> None:
        whose = f"it was made of {source}" if source else "it is not hakobu's"
        hint = "--replace takes its place" if source else "name the quadlet otherwise, or set ServiceName="
        super().__init__(f"{path} is there already, and {whose}", hint=hint)
        self.path = path


class NoSuchUnit(HakobuError):
    """No installed quadlet of that name."""

    kind = Kind.NOT_FOUND

    def __init__(self, name: str) -> None:
        super().__init__(f"no such quadlet: {name}", hint="`hakobu quadlet list` shows those that are installed")
        self.name = name


@dataclass(frozen=True, slots=True)
class Installed:
    """A service that is there: its name, the quadlet it was made of, and whether it starts by itself."""

    name: str
    source: str
    enabled: bool


def unit_folder(root: str, *, user: bool, environment: dict[str, str]) -> str:
    """Where systemd looks for units of the machine's, or of the user's."""
    if user:
        home = environment.get("XDG_CONFIG_HOME") or os.path.join(environment.get("HOME", "/root"), ".config")
        return os.path.join(root, home.lstrip("/") if root else home, "systemd/user")
    return os.path.join(root or "/", "etc/systemd/system")


def install(services: Iterable[Service], folder: str, *, replace: bool) -> None:
    """Writes all services, or none where one of them is somebody else's."""
    wanted = list(services)
    for service in wanted:
        path = os.path.join(folder, service.name)
        source = source_of(path)
        if source is not None and source != service.source and not (replace and source):
            raise UnitTaken(path, source)
    os.makedirs(folder, exist_ok=True)
    for service in wanted:
        _remove_links(folder, service.name)
        _write(os.path.join(folder, service.name), service.text)
        for below, name in service.links:
            _link(folder, below, name, service.name)


def _write(path: str, text: str) -> None:
    """Whole or not at all."""
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _link(folder: str, below: str, name: str, service: str) -> None:
    place = os.path.join(folder, below, name)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    target = service if not below else f"../{service}"
    if not os.path.islink(place) or os.readlink(place) != target:
        if os.path.lexists(place):
            raise UnitTaken(place, "")
        os.symlink(target, place)


def source_of(path: str) -> str | None:
    """The quadlet a service was made of; empty for a file that is not ours, None where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            first = file.readline().rstrip("\n")
    except FileNotFoundError:
        return None
    return first.removeprefix(_HEAD) if first.startswith(_HEAD) else ""


def installed(folder: str) -> list[Installed]:
    """Every quadlet's service in the folder, by name."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    services = [n for n in names if n.endswith(".service") and not os.path.islink(os.path.join(folder, n))]
    found = [(name, source_of(os.path.join(folder, name))) for name in services]
    return [Installed(name, source, bool(_links_to(folder, name))) for name, source in found if source]


def find(folder: str, name: str) -> Installed:
    """By the service's name, with or without its ending, or by the quadlet's file name."""
    for service in installed(folder):
        if name in (service.name, service.name.removesuffix(".service"), os.path.basename(service.source)):
            return service
    raise NoSuchUnit(name)


def text_of(folder: str, service: Installed) -> str:
    """The service's file."""
    with open(os.path.join(folder, service.name), encoding="utf-8") as file:
        return file.read()


def remove(folder: str, service: Installed) -> None:
    """The service and its links; what the engine has is left."""
    _remove_links(folder, service.name)
    os.unlink(os.path.join(folder, service.name))


def _links_to(folder: str, name: str) -> list[str]:
    """Links to a service: in folders of targets, and aliases beside it."""
    found: list[str] = []
    for entry in os.scandir(folder):
        if entry.is_symlink() and os.readlink(entry.path) == name:
            found.append(entry.path)
        elif entry.is_dir(follow_symlinks=False) and entry.name.endswith((".wants", ".requires", ".upholds")):
            place = os.path.join(entry.path, name)
            found += [place] if os.path.islink(place) and os.readlink(place) == f"../{name}" else []
    return found


def _remove_links(folder: str, name: str) -> None:
    if not os.path.isdir(folder):
        return
    for link in _links_to(folder, name):
        os.unlink(link)
        below = os.path.dirname(link)
        if below != folder and not os.listdir(below):
            os.rmdir(below)
