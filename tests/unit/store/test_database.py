"""The database survives what happens to its file, and a job is all or nothing."""

import json
import os
import sqlite3
import stat
import threading
import time
from pathlib import Path

import pytest

from hakobu.errors import Kind
from hakobu.store import recovery
from hakobu.store.database import Connection, Database, DatabaseClosed, DatabaseFailed, DatabaseTooNew
from hakobu.store.schema import MIGRATIONS

ID = "a" * 64


def open_at(tmp_path: Path) -> Database:
    return Database(str(tmp_path / "state.db"))


def put(connection: Connection, id: str = ID, name: str = "web") -> None:
    connection.put("containers", id, name, json.dumps({"id": id, "name": name}))


def hold(database: Database) -> threading.Event:
    """Keeps the database's thread in a job until the event is set: what comes meanwhile waits together."""
    begun, gate = threading.Event(), threading.Event()

    def job(_: Connection) -> None:
        begun.set()
        gate.wait(10)

    database.submit(job)
    begun.wait(10)
    return gate


def test_what_was_answered_is_there_after_reopening(tmp_path: Path) -> None:
    database = open_at(tmp_path)
    database.call(put)
    database.call(lambda c: c.set_meta("k", "v"))
    database.close()
    again = open_at(tmp_path)
    found = again.call(lambda c: c.get("containers", ID))
    assert found is not None and found.name == "web"
    assert again.call(lambda c: c.get_meta("k")) == "v"
    again.close()
    again.close()
    with pytest.raises(DatabaseClosed):
        again.call(put)


def test_a_job_that_raises_changes_nothing(tmp_path: Path) -> None:
    database = open_at(tmp_path)

    def job(connection: Connection) -> None:
        put(connection)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        database.call(job)
    assert database.call(lambda c: c.all("containers")) == []
    database.call(put)
    with pytest.raises(sqlite3.IntegrityError):
        database.call(lambda c: put(c, "b" * 64))
    database.close()
    assert not os.path.exists(tmp_path / "containers" / ("b" * 64))


def test_a_newer_file_is_refused_with_both_versions(tmp_path: Path) -> None:
    open_at(tmp_path).close()
    with sqlite3.connect(tmp_path / "state.db") as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(DatabaseTooNew, match=f"version 99; this release knows versions up to {len(MIGRATIONS)}"):
        open_at(tmp_path)


def test_a_damaged_file_is_replaced_from_backup_and_mirrors(tmp_path: Path) -> None:
    database = open_at(tmp_path)
    database.call(put)
    database.backup().result()
    database.call(lambda c: put(c, "b" * 64, "later"))
    database.close()
    (tmp_path / "state.db").write_bytes(b"garbage" * 1000)
    again = open_at(tmp_path)
    assert {d.name for d in again.call(lambda c: c.all("containers"))} == {"web", "later"}
    assert any("damaged" in line for line in again.lost)
    again.close()


def test_without_any_backup_the_mirrors_are_enough_and_a_broken_one_costs_itself(tmp_path: Path) -> None:
    database = open_at(tmp_path)
    database.call(put)
    database.call(lambda c: put(c, "b" * 64, "other"))
    database.call(lambda c: put(c, "c" * 64, "gone"))
    database.call(lambda c: c.delete("containers", "c" * 64))
    database.close()
    for backup in tmp_path.glob("state.db.backup-*"):
        backup.unlink()
    (tmp_path / "state.db").write_bytes(b"x" * 5000)
    (tmp_path / "containers" / ID / "object.json").write_text("{")
    again = open_at(tmp_path)
    assert [d.name for d in again.call(lambda c: c.all("containers"))] == ["other"]
    assert any(ID in line for line in again.lost)
    again.close()


def test_three_backups_are_kept(tmp_path: Path) -> None:
    for _ in range(5):
        open_at(tmp_path).close()
    assert sorted(p.name for p in tmp_path.glob("state.db.backup-*")) == [f"state.db.backup-{n}" for n in (1, 2, 3)]


def test_a_full_database_is_said_in_words_and_nothing_of_the_job_stays(tmp_path: Path) -> None:
    database = open_at(tmp_path)
    database.call(put)
    database.submit(lambda c: c.execute("PRAGMA max_page_count = 1").fetchall()).result()

    def big(connection: Connection) -> None:
        connection.set_meta("small", "x")
        connection.put("containers", "b" * 64, "big", "x" * 1_000_000)

    with pytest.raises(DatabaseFailed, match="full") as caught:
        database.call(big)
    assert caught.value.kind is Kind.EXHAUSTED
    assert database.call(lambda c: c.get_meta("small")) is None
    assert [d.name for d in database.call(lambda c: c.all("containers"))] == ["web"]
    database.close()


def test_jobs_that_wait_together_share_a_commit_and_a_failing_one_is_undone_alone(tmp_path: Path) -> None:
    database = open_at(tmp_path)
    gate = hold(database)

    def failing(connection: Connection) -> None:
        put(connection, "b" * 64, "undone")
        raise ValueError("no")

    order = [
        database.submit(lambda c: put(c)),
        database.submit(failing),
        database.submit(lambda c: put(c, "c" * 64, "x")),
    ]
    backed_up = database.backup()
    last = database.submit(lambda c: put(c, "d" * 64, "last"))
    gate.set()
    assert order[0].result() is None and order[2].result() is None and last.result() is None
    with pytest.raises(ValueError, match="no"):
        order[1].result()
    backed_up.result()
    assert {d.name for d in database.call(lambda c: c.all("containers"))} == {"web", "x", "last"}
    database.close()
    with sqlite3.connect(tmp_path / "state.db.backup-1") as raw:
        assert {name for (name,) in raw.execute("SELECT name FROM containers")} == {"web", "x"}
    raw.close()


def test_what_waits_behind_a_job_that_ended_the_transaction_is_done_all_the_same(tmp_path: Path) -> None:
    """On a full disk SQLite may undo the whole transaction by itself: nothing of it is answered as done."""
    database = open_at(tmp_path)
    gate = hold(database)

    def ending(connection: Connection) -> None:
        connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    before, full, after = (database.submit(job) for job in (put, ending, lambda c: put(c, "c" * 64, "after")))
    gate.set()
    for future in (before, full):
        with pytest.raises(DatabaseFailed, match="full"):
            future.result()
    after.result()
    assert [d.name for d in database.call(lambda c: c.all("containers"))] == ["after"]
    database.close()


def test_a_mirror_is_written_a_moment_later_and_only_as_it_is_then(tmp_path: Path) -> None:
    database = open_at(tmp_path)
    database.call(put)
    database.call(lambda c: put(c, "b" * 64, "short"))
    database.call(lambda c: c.delete("containers", "b" * 64))
    mirror = tmp_path / "containers" / ID / "object.json"
    deadline = time.monotonic() + 10
    while not mirror.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert json.loads(mirror.read_text())["id"] == ID
    assert not (tmp_path / "containers" / ("b" * 64)).exists()
    database.close()


def test_a_backup_changes_the_mode_of_nothing_that_others_make_meanwhile(tmp_path: Path) -> None:
    """The umask is the whole process's: a container's root directory made beside a backup must still be 0755."""
    raw = sqlite3.connect(tmp_path / "state.db", check_same_thread=False)
    raw.execute("CREATE TABLE t (x)")
    before, ended = os.umask(0o022), threading.Event()

    def back_up() -> None:
        while not ended.is_set():
            recovery.copy(raw, str(tmp_path / "copy"))

    thread = threading.Thread(target=back_up)
    thread.start()
    try:
        for number in range(3000):
            os.mkdir(tmp_path / str(number), 0o755)
    finally:
        ended.set()
        thread.join()
        os.umask(before)
        raw.close()
    assert {stat.S_IMODE((tmp_path / str(n)).stat().st_mode) for n in range(3000)} == {0o755}
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
