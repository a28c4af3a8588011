"""Volumes of the local driver: a directory each, records in memory and in the database.

Options of the local driver (type, device, o) are kept as data and mounted when a container uses the volume.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, replace

from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.spec.volume import Volume
from hakobu.store.database import Connection, Database, Document

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z", re.ASCII)
_RENAMED = "renamed-from"
"""A file beside `_data` for the time of a rename; holds the name that the volume had."""
_OPTIONS = frozenset({"type", "device", "o", "size"})
_NEEDED = {"device": ("type",), "type": ("device",), "o": ("device", "type")}
"""Option to those without which it means nothing."""


class NoSuchVolume(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, name: str) -> None:
        super().__init__(f"get {name}: no such volume")
        self.name = name


class VolumeNameInUse(HakobuError):
    kind = Kind.CONFLICT

    def __init__(self, name: str) -> None:
        super().__init__(f"a volume named {name} exists already")
        self.name = name


def _check_name(name: str) -> None:
    if not _NAME.match(name):
        raise Invalid(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
            field="Name",
        )


class Volumes:
    """Synchronous; changes are one job of the database's thread each."""

    def __init__(self, directory: str, database: Database) -> None:
        self._directory, self._database = directory, database
        os.makedirs(directory, mode=0o700, exist_ok=True)
        os.chmod(directory, 0o700)  # what containers put there may be set-id, as in an image
        self.broken: list[str] = []
        self._volumes = {d.name: self._decoded(d) for d in database.call(lambda c: c.all("volumes"))}
        self._undo_renames()

    def _decoded(self, document: Document) -> Volume:
        """A record that cannot be read costs its labels and options; the volume can be used and removed."""
        try:
            return Volume(**json.loads(document.text))
        except (ValueError, TypeError) as error:
            self.broken.append(f"the record of volume {document.name} is broken: {error}")
            mountpoint = f"{self._directory}/{document.name}/_data"
            return Volume(name=document.name, created_ns=0, mountpoint=mountpoint)

    def all(self) -> tuple[Volume, ...]:
        return tuple(self._volumes.values())

    def get(self, name: str) -> Volume:
        try:
            return self._volumes[name]
        except KeyError:
            raise NoSuchVolume(name) from None

    def create(
        self, name: str, driver: str, options: Mapping[str, str], labels: Mapping[str, str]
    ) -> tuple[Volume, bool]:
        """The volume and whether it is new: one of this name that exists is given back as it is."""
        if driver not in ("", "local"):
            raise Invalid(f'error looking up volume plugin {driver}: plugin "{driver}" not found', field="Driver")
        for key in options:
            if key not in _OPTIONS:
                raise Invalid(f'create {name}: invalid option: "{key}"', field="DriverOpts")
            for needed in _NEEDED.get(key, ()):
                if not options.get(needed):
                    raise Invalid(f'create {name}: missing required option: "{needed}"', field="DriverOpts")
        if "size" in options:
            raise Invalid(f"create {name}: quota size requested but no quota support", field="DriverOpts")
        anonymous = not name
        name = name or secrets.token_hex(32)
        _check_name(name)
        if name in self._volumes:
            return self._volumes[name], False
        volume = Volume(
            name=name,
            created_ns=time.time_ns(),
            mountpoint=f"{self._directory}/{name}/_data",
            options=dict(options),
            labels=dict(labels),
            anonymous=anonymous,
        )
        os.makedirs(volume.mountpoint, mode=0o755, exist_ok=True)
        self._database.call(lambda c: c.put("volumes", name, name, json.dumps(asdict(volume))))
        self._volumes[name] = volume
        return volume, True

    def rename(self, name: str, new: str) -> Volume:
        """The volume under another name, its directory too; whoever calls has made sure that nobody uses it."""
        volume = self.get(name)
        _check_name(new)
        if new in self._volumes:
            raise VolumeNameInUse(new)
        renamed = replace(volume, name=new, mountpoint=f"{self._directory}/{new}/_data", anonymous=False)

        def move(connection: Connection) -> None:
            connection.delete("volumes", name)
            connection.put("volumes", new, new, json.dumps(asdict(renamed)))
            # Last: where it fails, nothing of this is committed.
            os.rename(f"{self._directory}/{name}", f"{self._directory}/{new}")

        self._note_rename(name)
        try:
            self._database.call(move)
        finally:
            for place in (new, name):
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    os.unlink(f"{self._directory}/{place}/{_RENAMED}")
        self._volumes.pop(name, None)
        self._volumes[new] = renamed
        return renamed

    def _note_rename(self, name: str) -> None:
        """Beside the volume's data, before its directory moves: no commit spans both the directory and the record."""
        fd = os.open(
            f"{self._directory}/{name}/{_RENAMED}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
        )
        try:
            os.write(fd, name.encode())
            os.fsync(fd)
        finally:
            os.close(fd)

    def _undo_renames(self) -> None:
        """Where a rename was cut off the record decides: its directory goes back to the name that is recorded."""
        for place in os.listdir(self._directory):
            note = f"{self._directory}/{place}/{_RENAMED}"
            try:
                with open(note, encoding="utf-8") as file:
                    name = file.read()
            except (OSError, UnicodeError):
                continue
            os.unlink(note)
            if place not in self._volumes and name in self._volumes and not os.path.exists(f"{self._directory}/{name}"):
                os.rename(f"{self._directory}/{place}", f"{self._directory}/{name}")

    def remove(self, name: str) -> None:
        volume = self.get(name)
        self._database.call(lambda c: c.delete("volumes", volume.name))
        self._volumes.pop(name, None)
        shutil.rmtree(f"{self._directory}/{name}", ignore_errors=True)
