"""Keeping the database's file alive: is it sound, three rotated backups, and putting the newest good one back.

A damaged file is moved aside, never deleted: `state.db.damaged-<time>`. Everything here takes paths of the engine's
own data root, never of a container.
"""

import contextlib
import os
import sqlite3
import time
from typing import Final

BACKUPS: Final = 3


def is_sound(path: str) -> bool:
    """Whether SQLite finds nothing wrong with the file. A file that is locked counts as sound: it is in use."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{_uri(path)}?mode=rw", uri=True, timeout=15)) as raw:
            return [row[0] for row in raw.execute("PRAGMA quick_check(1)")] == ["ok"]
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    except sqlite3.DatabaseError:
        return False


def _uri(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def touch(path: str) -> None:
    """An empty file that SQLite fills, and gives its mode to those beside it: its owner's alone.

    Not by umask, which is the whole process's: directories of containers are made meanwhile.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))


def copy(raw: sqlite3.Connection, target: str) -> None:
    """A consistent copy that appears whole under its name."""
    temporary = f"{target}.tmp"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    touch(temporary)
    raw.execute("VACUUM INTO ?", (temporary,))
    fd = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(temporary, target)


def rotate_backup(raw: sqlite3.Connection, path: str, *, in_transaction: bool = False) -> None:
    """`.backup-1` is the newest. VACUUM INTO cannot run inside a transaction, so one that is open is ended."""
    if in_transaction:
        raw.execute("COMMIT")
    try:
        copy(raw, f"{path}.backup-0")
        for number in range(BACKUPS, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.rename(f"{path}.backup-{number - 1}", f"{path}.backup-{number}")
    finally:
        if in_transaction:
            raw.execute("BEGIN IMMEDIATE")


def restore(path: str) -> tuple[str, ...]:
    """Moves the damaged file aside and puts the newest good backup in its place; says so in sentences."""
    aside = f"{path}.damaged-{time.time_ns()}"
    os.rename(path, aside)
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.rename(path + suffix, aside + suffix)
    told = [f"the state database was damaged and is kept as {aside}"]
    for number in range(1, BACKUPS + 1):
        backup = f"{path}.backup-{number}"
        if os.path.isfile(backup) and is_sound(backup):
            with contextlib.closing(sqlite3.connect(backup)) as raw:
                copy(raw, path)
            return (*told, f"its backup {backup} of {time.ctime(os.stat(backup).st_mtime)} was put in its place")
    return (*told, "no backup of it could be read; what the mirrors hold is put back")
