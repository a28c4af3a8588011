"""Snapshots: one short-named directory a layer, shared by all images, and one a container, for overlayfs.

    snapshots/<n>/fs          a layer, read-only once it is recorded
    snapshots/<n>/{fs,work}   a container's upper and work directories
    snapshots/<n>/merged      a container's whole tree, where overlayfs is refused (layers/native.py)
    snapshots/<n>/owner.json  whose it is: read only after the database was lost

Invariant: a directory exists for good only when the database knows it; what it does not know is removed at the
daemon's start. Nothing is mounted here: the overlay is made in the container's own mount namespace.
"""

import contextlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from hakobu.errors import HakobuError, Kind
from hakobu.kernel.inode_flags import FS_TOPDIR_FL, add_flags
from hakobu.spec.bounded import Fields, load_json
from hakobu.spec.digest import Digest
from hakobu.spec.rootfs import InitEntry, Rootfs
from hakobu.spec.step import Json
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

    def __init__(self, directory: str, database: Database, *, native: bool = False) -> None:
        self._directory, self._database, self._native = directory, database, native
        os.makedirs(directory, mode=0o700, exist_ok=True)
        _spread(directory)
        if database.lost:
            database.call(self._restore)
        # what the tables hold, so that a start reads memory: written behind each job's success
        self._layers, self._own = database.call(_read)

    @property
    def directory(self) -> str:
        return self._directory

    @property
    def is_native(self) -> bool:
        """Whether new containers get a copy of their image instead of an overlay."""
        return self._native

    # Layers

    def known_layers(self) -> dict[str, tuple[str, int]]:
        """Diff id to (directory, bytes)."""
        return dict(self._layers)

    def add_layer(self, facts: LayerFacts) -> None:
        """Gives an unpacked layer its place; one that is there already wins, and the new copy goes."""

        self._add(str(facts.diff_id), facts.directory, facts.size)

    def _add(self, key: str, directory: str, size: int) -> None:
        def job(connection: Connection) -> int | None:
            if connection.execute("SELECT 1 FROM layers WHERE key = ?", (key,)).fetchone():
                return None
            number = _next(connection)
            self._sign(directory, {"layer": key, "size": size})
            os.rename(f"{self._directory}/{directory}", f"{self._directory}/{number}")
            connection.execute("INSERT INTO layers VALUES (?, ?, ?, '')", (key, number, size))
            return number

        number = self._database.call(job)
        if number is None:
            self._discard(directory)
        else:
            self._layers[key] = (str(number), size)

    def remove_layers(self, unused: Iterable[str]) -> int:
        """Forgets layers by diff id; bytes freed."""
        freed, gone, wanted = 0, list[str](), tuple(unused)

        def job(connection: Connection) -> None:
            nonlocal freed
            for key in wanted:
                row = connection.execute("SELECT directory, size FROM layers WHERE key = ?", (key,)).fetchone()
                if row is not None:
                    connection.execute("DELETE FROM layers WHERE key = ?", (key,))
                    gone.append(str(row[0]))
                    freed += int(row[1])

        self._database.call(job)
        for key in wanted:
            self._layers.pop(key, None)
        for name in gone:
            self._discard(name)
        return freed

    def layer_paths(self, diff_ids: Sequence[Digest]) -> tuple[str, ...]:
        """Directories relative to the snapshots', from top to bottom.

        Of equal layers the upper one says all that the lower did, and overlayfs takes no directory twice.
        """
        if len(diff_ids) > MAX_LAYERS:
            raise TooManyLayers(len(diff_ids))
        found: list[str] = []
        for diff_id in dict.fromkeys(reversed(diff_ids)):
            layer = self._layers.get(str(diff_id))
            if layer is None:
                raise NoSuchLayer(str(diff_id))
            found.append(f"{layer[0]}/fs")
        return tuple(found)

    # Containers

    def prepare(self, container_id: str, image_id: str, diff_ids: Sequence[Digest]) -> Future[None]:
        """Queues the making of a new container's directories; waits for nothing. `ensure_init` was called before."""

        def job(connection: Connection) -> None:
            number = _next(connection)
            connection.execute("INSERT INTO snapshots VALUES (?, ?, ?, ?)", (container_id, number, image_id, _INIT_KEY))
            top = f"{self._directory}/{number}"
            for path, mode in ((top, 0o755), (f"{top}/fs", 0o755), (f"{top}/work", 0o711)):
                os.mkdir(path, mode)
            if self._native:
                os.mkdir(f"{top}/merged", 0o755)
            self._sign(str(number), {"container": container_id, "image": image_id})
            self._own[container_id] = (str(number), image_id)

        self.layer_paths(diff_ids)
        made = self._database.submit(job)
        made.add_done_callback(lambda done: self._own.pop(container_id, None) if has_failed(done) else None)
        return made

    def rootfs(self, container_id: str, diff_ids: Sequence[Digest]) -> Rootfs:
        own, init = self._own.get(container_id), self._layers.get(_INIT_KEY)
        if own is None or init is None:
            raise NoSuchLayer(f"of container {container_id[:12]}")
        lower = (f"{init[0]}/fs", *self.layer_paths(diff_ids))
        merged = f"{own[0]}/merged"
        is_native = self._native or os.path.isdir(f"{self._directory}/{merged}")
        return Rootfs(self._directory, lower, f"{own[0]}/fs", f"{own[0]}/work", merged if is_native else "")

    def remove(self, container_id: str) -> None:
        self._database.call(lambda c: self.forget(c, container_id))
        self.discard(container_id)

    def forget(self, connection: Connection, container_id: str) -> None:
        """The row alone, in a transaction of the caller's; `discard` follows, or `clean` at the daemon's start."""
        connection.execute("DELETE FROM snapshots WHERE container_id = ?", (container_id,))

    def discard(self, container_id: str) -> None:
        """The directories of a container whose row is gone."""
        if (own := self._own.pop(container_id, None)) is not None:
            self._discard(own[0])

    def containers(self) -> dict[str, str]:
        """Container id to image id, of every snapshot."""
        return {container_id: image_id for container_id, (_, image_id) in self._own.items()}

    def _sign(self, name: str, owner: dict[str, Json]) -> None:
        fd = os.open(f"{self._directory}/{name}/owner.json", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(fd, "w") as file:
            json.dump(owner, file)

    def _restore(self, connection: Connection) -> None:
        """After the database was lost: every signed directory is what it was, so that `clean` does not take it."""
        numbers = sorted(int(n) for n in os.listdir(self._directory) if n.isascii() and n.isdigit())
        for number in numbers:
            with contextlib.suppress(OSError, HakobuError):
                self._restore_one(connection, number)
        connection.set_meta("next_snapshot", str(max([0, *numbers]) + 1))

    def _restore_one(self, connection: Connection, number: int) -> None:
        with open(f"{self._directory}/{number}/owner.json", "rb") as file:
            owner = Fields.of(load_json(file.read(4096), what="owner"), "owner")
        if layer := owner.string("layer"):
            values = (layer, number, owner.integer("size"))
            connection.execute("INSERT OR IGNORE INTO layers VALUES (?, ?, ?, '')", values)
        elif container := owner.string("container"):
            row = (container, number, owner.string("image"), _INIT_KEY)
            connection.execute("INSERT OR IGNORE INTO snapshots VALUES (?, ?, ?, ?)", row)

    def clean(self) -> int:
        """Removes directories that the database does not know; only at the daemon's start. How many."""

        known = {name for name, _ in (*self._layers.values(), *self._own.values())}
        unknown = set(os.listdir(self._directory)) - known
        for name in unknown:
            self._discard(name)
        return len(unknown)

    @property
    def has_init(self) -> bool:
        return _INIT_KEY in self._layers

    def ensure_init(self, entries: Sequence[InitEntry]) -> None:
        """The layer below every container's own, made once and shared."""
        if self.has_init:
            return
        name = f"new-{secrets.token_hex(6)}"
        root = f"{self._directory}/{name}/fs"
        os.makedirs(root, mode=0o755)
        for entry in entries:
            _make(root, entry)

        self._add(_INIT_KEY, name, 0)

    def _discard(self, name: str) -> None:
        shutil.rmtree(f"{self._directory}/{name}", ignore_errors=True)


def _spread(directory: str) -> None:
    """Tells ext4 that what lies in this directory is unrelated, so that it takes inodes for each part elsewhere.

    Side by side, a new layer or container meets the inodes of those removed a moment ago, which ext4 steps over one by
    one, for minutes, at every file that is made: loading an image after removing one took four times as long. A
    file system without the flag says EOPNOTSUPP or ENOTTY.
    """
    with contextlib.suppress(OSError):
        add_flags(directory, FS_TOPDIR_FL)


def has_failed(done: Future[None]) -> bool:
    return done.cancelled() or done.exception() is not None


def _make(root: str, entry: InitEntry) -> None:
    """Into a directory of our own that nobody else sees yet: path strings are harmless here."""
    path = root + entry.path
    os.makedirs(path if entry.kind == "directory" else os.path.dirname(path), mode=0o755, exist_ok=True)
    if entry.kind == "file":
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o755))
    elif entry.kind == "link":
        os.symlink(entry.target, path)


def _read(connection: Connection) -> tuple[dict[str, tuple[str, int]], dict[str, tuple[str, str]]]:
    layers = connection.execute("SELECT key, directory, size FROM layers").fetchall()
    own = connection.execute("SELECT container_id, directory, image_id FROM snapshots").fetchall()
    return {str(k): (str(d), int(n)) for k, d, n in layers}, {str(c): (str(d), str(i)) for c, d, i in own}


def _next(connection: Connection) -> int:
    number = int(connection.get_meta("next_snapshot") or "1")
    connection.set_meta("next_snapshot", str(number + 1))
    return number
