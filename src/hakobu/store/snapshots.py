"""Snapshots: one short-named directory a layer, shared by all images, and one a container, for overlayfs.

    snapshots/<n>/fs          a layer, read-only once it is recorded
    snapshots/<n>/{fs,work}   a container's upper and work directories

Invariant: a directory exists for good only when the database knows it; what it does not know is removed at the
daemon's start. Nothing is mounted here: the overlay is made in the container's own mount namespace.
"""

import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hakobu.errors import HakobuError, Kind
from hakobu.spec.digest import Digest
from hakobu.spec.rootfs import InitEntry, Rootfs
from hakobu.store.database import Connection, Database

MAX_LAYERS = 125
_INIT_KEY = "init"


class NoSuchLayer(HakobuError):
    kind = Kind.DATA_LOSS

    def __init__(self, diff_id: str) -> None:
        super().__init__(f"layer {diff_id} is not in the store", hint="pull or load the image again")
        self.diff_id = diff_id


class TooManyLayers(HakobuError):
    kind = Kind.INVALID

    def __init__(self, count: int) -> None:
        super().__init__(f"the image has {count} layers; {MAX_LAYERS} can be mounted")


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What unpacking found out: where it lies for now, what it is."""

    directory: str
    diff_id: Digest
    size: int


class Snapshots:
    """Thread-safe: every change is one job of the database's thread."""

    def __init__(self, directory: str, database: Database) -> None:
        self._directory, self._database = directory, database
        os.makedirs(directory, mode=0o711, exist_ok=True)

    @property
    def directory(self) -> str:
        return self._directory

    # Layers

    def known_layers(self) -> dict[str, tuple[str, int]]:
        """Diff id to (directory, bytes)."""
        rows = self._database.call(lambda c: c.execute("SELECT key, directory, size FROM layers").fetchall())
        return {str(k): (str(d), int(s)) for k, d, s in rows}

    def add_layer(self, facts: LayerFacts) -> None:
        """Gives an unpacked layer its place; one that is there already wins, and the new copy goes."""

        def job(connection: Connection) -> None:
            key = str(facts.diff_id)
            if connection.execute("SELECT 1 FROM layers WHERE key = ?", (key,)).fetchone():
                self._discard(facts.directory)
                return
            number = _next(connection)
            os.rename(f"{self._directory}/{facts.directory}", f"{self._directory}/{number}")
            connection.execute("INSERT INTO layers VALUES (?, ?, ?, '')", (key, number, facts.size))

        self._database.call(job)

    def remove_layers(self, unused: Iterable[str]) -> int:
        """Forgets layers by diff id; bytes freed."""
        freed, gone = 0, list[str]()

        def job(connection: Connection) -> None:
            nonlocal freed
            for key in unused:
                row = connection.execute("SELECT directory, size FROM layers WHERE key = ?", (key,)).fetchone()
                if row is not None:
                    connection.execute("DELETE FROM layers WHERE key = ?", (key,))
                    gone.append(str(row[0]))
                    freed += int(row[1])

        self._database.call(job)
        for name in gone:
            self._discard(name)
        return freed

    def layer_paths(self, diff_ids: Sequence[Digest]) -> tuple[str, ...]:
        """Directories relative to the snapshots', from top to bottom."""
        if len(diff_ids) > MAX_LAYERS:
            raise TooManyLayers(len(diff_ids))
        known = self.known_layers()
        found: list[str] = []
        for diff_id in reversed(diff_ids):
            layer = known.get(str(diff_id))
            if layer is None:
                raise NoSuchLayer(str(diff_id))
            found.append(f"{layer[0]}/fs")
        return tuple(found)

    # Containers

    def prepare(
        self, container_id: str, image_id: str, diff_ids: Sequence[Digest], init_layer: Sequence[InitEntry]
    ) -> None:
        """Directories of a new container; the init layer is made once and shared."""
        self._ensure_init(init_layer)

        def job(connection: Connection) -> int:
            number = _next(connection)
            connection.execute("INSERT INTO snapshots VALUES (?, ?, ?, ?)", (container_id, number, image_id, _INIT_KEY))
            for name in ("fs", "work"):
                os.makedirs(f"{self._directory}/{number}/{name}", mode=0o711 if name == "work" else 0o755)
            return number

        self.layer_paths(diff_ids)
        self._database.call(job)

    def rootfs(self, container_id: str, diff_ids: Sequence[Digest]) -> Rootfs:
        def job(connection: Connection) -> tuple[str, str]:
            row = connection.execute(
                "SELECT directory FROM snapshots WHERE container_id = ?", (container_id,)
            ).fetchone()
            init = connection.execute("SELECT directory FROM layers WHERE key = ?", (_INIT_KEY,)).fetchone()
            if row is None or init is None:
                raise NoSuchLayer(f"of container {container_id[:12]}")
            return str(row[0]), str(init[0])

        own, init = self._database.call(job)
        lower = (f"{init}/fs", *self.layer_paths(diff_ids))
        return Rootfs(self._directory, lower, f"{own}/fs", f"{own}/work")

    def remove(self, container_id: str) -> None:
        def job(connection: Connection) -> str:
            row = connection.execute(
                "SELECT directory FROM snapshots WHERE container_id = ?", (container_id,)
            ).fetchone()
            connection.execute("DELETE FROM snapshots WHERE container_id = ?", (container_id,))
            return "" if row is None else str(row[0])

        if name := self._database.call(job):
            self._discard(name)

    def containers(self) -> dict[str, str]:
        """Container id to image id, of every snapshot."""
        rows = self._database.call(lambda c: c.execute("SELECT container_id, image_id FROM snapshots").fetchall())
        return {str(k): str(v) for k, v in rows}

    def clean(self) -> int:
        """Removes directories that the database does not know; only at the daemon's start. How many."""

        def known(connection: Connection) -> set[str]:
            rows = connection.execute("SELECT directory FROM layers UNION SELECT directory FROM snapshots")
            return {str(row[0]) for row in rows.fetchall()}

        unknown = set(os.listdir(self._directory)) - self._database.call(known)
        for name in unknown:
            self._discard(name)
        return len(unknown)

    def _ensure_init(self, entries: Sequence[InitEntry]) -> None:
        if self._database.call(lambda c: c.execute("SELECT 1 FROM layers WHERE key = ?", (_INIT_KEY,)).fetchone()):
            return
        name = f"new-{secrets.token_hex(6)}"
        root = f"{self._directory}/{name}/fs"
        os.makedirs(root, mode=0o755)
        for entry in entries:
            _make(root, entry)

        def job(connection: Connection) -> None:
            if connection.execute("SELECT 1 FROM layers WHERE key = ?", (_INIT_KEY,)).fetchone():
                self._discard(name)
                return
            number = _next(connection)
            os.rename(f"{self._directory}/{name}", f"{self._directory}/{number}")
            connection.execute("INSERT INTO layers VALUES (?, ?, 0, '')", (_INIT_KEY, number))

        self._database.call(job)

    def _discard(self, name: str) -> None:
        shutil.rmtree(f"{self._directory}/{name}", ignore_errors=True)


def _make(root: str, entry: InitEntry) -> None:
    """Into a directory of our own that nobody else sees yet: path strings are harmless here."""
    path = root + entry.path
    os.makedirs(path if entry.kind == "directory" else os.path.dirname(path), mode=0o755, exist_ok=True)
    if entry.kind == "file":
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o755))
    elif entry.kind == "link":
        os.symlink(entry.target, path)


def _next(connection: Connection) -> int:
    number = int(connection.get_meta("next_snapshot") or "1")
    connection.set_meta("next_snapshot", str(number + 1))
    return number
