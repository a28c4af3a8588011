"""The database survives what happens to its file, and a job is all or nothing."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from hakobu.errors import Kind
from hakobu.store.database import Connection, Database, DatabaseClosed, DatabaseFailed, DatabaseTooNew
from hakobu.store.schema import MIGRATIONS

ID = "a" * 64


def open_at(tmp_path: Path) -> Database:
    return Database(str(tmp_path / "state.db"))


def put(connection: Connection, id: str = ID, name: str = "web") -> None:
    connection.put("containers", id, name, json.dumps({"id": id, "name": name}))


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
