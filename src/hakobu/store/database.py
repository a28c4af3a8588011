"""The database of what exists: one SQLite file, one connection, one thread that owns it.

Invariant: whatever `call` or a future of `submit` has answered is on the disk (WAL, synchronous=FULL). Of each job
all is done or, when it raises, nothing; jobs that wait together share one commit, and with it one fsync. A moment
after the commit each changed document is mirrored as a file, best effort, so that a damaged database costs little;
see `recovery`.
Must not: be used from a job already running on its thread (`call` there would wait for itself).
"""

import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from hakobu.errors import HakobuError, Kind
from hakobu.store import recovery
from hakobu.store.mirror import Mirror
from hakobu.store.schema import DOCUMENT_TABLES, MIGRATIONS

T = TypeVar("T")

MIRROR_DELAY_S = 0.2
"""How long a mirror may lag behind: what a start or an end changes several times is written once."""


class DatabaseTooNew(HakobuError):
    kind = Kind.CONFLICT

    def __init__(self, path: str, found: int, known: int) -> None:
        super().__init__(
            f"{path} has schema version {found}; this release knows versions up to {known}",
            hint="start the release that wrote it, or a newer one",
        )
        self.found, self.known = found, known


class DatabaseClosed(HakobuError):
    kind = Kind.UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("the state database is closed")


class DatabaseFailed(HakobuError):
    """SQLite could not do it: mostly a full disk. The transaction was undone; what was there is still there."""

    def __init__(self, path: str, error: sqlite3.OperationalError) -> None:
        full = "full" in str(error) or "disk I/O" in str(error)
        super().__init__(
            f"the state database {path} cannot be written or read: {error}",
            hint="is its disk full? `df` tells" if full else "",
        )
        self.kind = Kind.EXHAUSTED if full else Kind.INTERNAL


@dataclass(frozen=True, slots=True)
class Document:
    id: str
    name: str
    text: str


class Connection:
    """What a job is given: statements, and documents by table. Notes which documents it changed."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw
        self.changed: dict[tuple[str, str], str | None] = {}

    def execute(self, statement: str, values: tuple[str | int, ...] = ()) -> sqlite3.Cursor:
        return self.raw.execute(statement, values)

    def put(self, table: str, id: str, name: str, text: str) -> None:
        """Inserts or replaces. A name that another row holds raises `sqlite3.IntegrityError`."""
        self.raw.execute(
            f"INSERT INTO {_known(table)} (id, name, document) VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET name = excluded.name, document = excluded.document",
            (id, name, text),
        )
        self.changed[table, id] = text

    def get(self, table: str, id: str) -> Document | None:
        row = self.raw.execute(f"SELECT id, name, document FROM {_known(table)} WHERE id = ?", (id,)).fetchone()
        return None if row is None else Document(*row)

    def all(self, table: str) -> list[Document]:
        rows = self.raw.execute(f"SELECT id, name, document FROM {_known(table)}").fetchall()
        return [Document(*row) for row in rows]

    def delete(self, table: str, id: str) -> bool:
        self.changed[table, id] = None
        return self.raw.execute(f"DELETE FROM {_known(table)} WHERE id = ?", (id,)).rowcount > 0

    def get_meta(self, key: str) -> str | None:
        row = self.raw.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        self.raw.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _known(table: str) -> str:
    if table not in DOCUMENT_TABLES:
        raise ValueError(f"no table of documents: {table}")
    return table


class _Job(NamedTuple):
    """`alone` is for what ends the transaction it is given."""

    run: Callable[[Connection], Any]
    future: "Future[Any]"
    alone: bool = False


class Database:
    """Opened by the constructor, which migrates or recovers the file first; `lost` says what recovery cost."""

    def __init__(self, path: str, mirror_root: str = "") -> None:
        self._path = path
        self._mirror = Mirror(mirror_root or os.path.dirname(path))
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._mirror_due_s: float | None = None
        self._opened: Future[tuple[str, ...]] = Future()
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="hakobu-database", daemon=True)
        self._thread.start()
        self.lost: tuple[str, ...] = self._opened.result()

    def submit(self, job: Callable[[Connection], T]) -> Future[T]:
        """Queues a job; jobs run in the order in which they were submitted, each all or nothing."""
        return self._submit(job, alone=False)

    def _submit(self, job: Callable[[Connection], T], *, alone: bool) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise DatabaseClosed
            self._jobs.put(_Job(job, future, alone))
        return future

    def call(self, job: Callable[[Connection], T]) -> T:
        return self.submit(job).result()

    def backup(self) -> Future[None]:
        """Rotates the backups and makes a new one, behind whatever is queued."""
        return self._submit(
            lambda connection: recovery.rotate_backup(connection.raw, self._path, in_transaction=True), alone=True
        )

    def close(self) -> None:
        """Finishes what is queued. Idempotent."""
        with self._lock:
            already, self._closed = self._closed, True
            if not already:
                self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            raw, lost, reimport = _open(self._path)
            if reimport:
                with _transaction(raw):
                    lost += self._mirror.restore(raw)
        except BaseException as error:
            self._opened.set_exception(self._translated(error))
            return
        self._raw = raw
        self._opened.set_result(lost)
        with contextlib.suppress(OSError, sqlite3.Error):
            recovery.rotate_backup(raw, self._path)
        while (jobs := self._take()) is not None:
            for group in _groups(jobs):
                self._perform(group)
        self._mirror.flush()
        raw.close()

    def _take(self) -> list[_Job] | None:
        """Waits for jobs: all that are queued, or None at the end. Writes the mirrors that are due meanwhile."""
        while True:
            try:
                job = self._jobs.get(timeout=self._flush_due())
                break
            except queue.Empty:
                continue
        jobs: list[_Job] = []
        while job is not None:
            jobs.append(job)
            if self._jobs.empty():
                return jobs
            job = self._jobs.get()
        self._jobs.put(None)  # found again once these are done
        return jobs or None

    def _flush_due(self) -> float | None:
        """Seconds until mirrors are to be written; None where there are none. Those that are due are written now."""
        if self._mirror_due_s is None:
            return None
        if (left_s := self._mirror_due_s - time.monotonic()) > 0:
            return left_s
        self._mirror.flush()
        self._mirror_due_s = None
        return None

    def _translated(self, error: BaseException) -> BaseException:
        """Broken constraints are the caller's to understand; the rest becomes words."""
        if not isinstance(error, sqlite3.OperationalError):
            return error
        failed = DatabaseFailed(self._path, error)
        failed.__cause__ = error
        return failed

    def _perform(self, jobs: list[_Job]) -> None:
        """One transaction for all of them. A job that raises is undone alone; a commit that fails fails them all."""
        done: list[tuple[_Job, Connection, Any]] = []
        try:
            with _transaction(self._raw):
                for number, job in enumerate(jobs):
                    if not job.future.set_running_or_notify_cancel():
                        continue
                    connection = Connection(self._raw)
                    try:
                        result = job.run(connection) if len(jobs) == 1 else self._nested(job, connection)
                    except BaseException as error:
                        job.future.set_exception(self._translated(error))
                        if not self._raw.in_transaction:  # the whole of it was undone, as on a full disk
                            raise _Undone(number) from error
                        if len(jobs) == 1:
                            raise
                        continue
                    done.append((job, connection, result))
        except BaseException as error:
            cause = error.__cause__ if isinstance(error, _Undone) else error
            for job, _, _ in done:
                job.future.set_exception(self._translated(cause or error))
            if isinstance(error, _Undone) and (rest := jobs[error.number + 1 :]):
                self._perform(rest)
            return
        for job, connection, result in done:
            self._note(connection.changed)
            job.future.set_result(result)

    def _nested(self, job: _Job, connection: Connection) -> Any:
        self._raw.execute("SAVEPOINT job")
        try:
            result = job.run(connection)
        except BaseException:
            if self._raw.in_transaction:
                self._raw.execute("ROLLBACK TO job")
                self._raw.execute("RELEASE job")
            raise
        self._raw.execute("RELEASE job")
        return result

    def _note(self, changed: dict[tuple[str, str], str | None]) -> None:
        if changed:
            self._mirror.note(changed)
            if self._mirror_due_s is None:
                self._mirror_due_s = time.monotonic() + MIRROR_DELAY_S


class _Undone(Exception):
    """SQLite ended the transaction by itself at the job of this number."""

    def __init__(self, number: int) -> None:
        self.number = number


def _groups(jobs: list[_Job]) -> Iterator[list[_Job]]:
    """What may share a transaction, in order."""
    group: list[_Job] = []
    for job in jobs:
        if job.alone and group:
            yield group
            group = []
        group.append(job)
        if job.alone:
            yield group
            group = []
    if group:
        yield group


@contextlib.contextmanager
def _transaction(raw: sqlite3.Connection) -> Generator[None, None, None]:
    raw.execute("BEGIN IMMEDIATE")
    try:
        yield
        raw.execute("COMMIT")
    except BaseException:
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        raise


def _open(path: str) -> tuple[sqlite3.Connection, tuple[str, ...], bool]:
    """The connection, what was lost, and whether the mirrors must be read back."""
    os.makedirs(os.path.dirname(path), mode=0o710, exist_ok=True)
    lost: tuple[str, ...] = ()
    fresh = not os.path.lexists(path)
    damaged = not fresh and not recovery.is_sound(path)
    if damaged:
        lost = recovery.restore(path)
    raw = _connect(path)
    try:
        _migrate(raw, path)
    except BaseException:
        raw.close()
        raise
    return raw, lost, damaged


def _connect(path: str) -> sqlite3.Connection:
    recovery.touch(path)
    raw = sqlite3.connect(path, isolation_level=None, timeout=15)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
        raw.execute(f"PRAGMA {pragma}").fetchall()
    return raw


def _migrate(raw: sqlite3.Connection, path: str) -> None:
    version = int(raw.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise DatabaseTooNew(path, version, len(MIGRATIONS))
    for number in range(version + 1, len(MIGRATIONS) + 1):
        if version:
            recovery.copy(raw, f"{path}.before-{number}")
        with _transaction(raw):
            for statement in MIGRATIONS[number - 1].split(";"):
                if statement.strip():
                    raw.execute(statement)
            raw.execute(f"PRAGMA user_version = {number}")
