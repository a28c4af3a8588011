"""Volumes on disk and in the database, together."""

from pathlib import Path

import pytest

from hakobu.errors import Invalid
from hakobu.store.database import Database
from hakobu.store.volumes import VolumeNameInUse, Volumes


def open_at(tmp_path: Path) -> tuple[Database, Volumes]:
    database = Database(str(tmp_path / "state.db"))
    return database, Volumes(str(tmp_path / "volumes"), database)


def test_a_renamed_volume_is_there_after_reopening(tmp_path: Path) -> None:
    database, volumes = open_at(tmp_path)
    made, _ = volumes.create("before", "local", {}, {"a": "b"})
    (Path(made.mountpoint) / "f").write_text("kept")
    volumes.rename("before", "after")
    database.close()
    database, volumes = open_at(tmp_path)
    (found,) = volumes.all()
    assert (found.name, found.labels, found.created_ns) == ("after", {"a": "b"}, made.created_ns)
    assert (Path(found.mountpoint) / "f").read_text() == "kept"
    assert [path.name for path in (tmp_path / "volumes").iterdir()] == ["after"]
    database.close()


def test_a_rename_that_fails_changes_nothing(tmp_path: Path) -> None:
    database, volumes = open_at(tmp_path)
    volumes.create("one", "local", {}, {})
    volumes.create("two", "local", {}, {})
    with pytest.raises(VolumeNameInUse):
        volumes.rename("one", "two")
    with pytest.raises(Invalid):
        volumes.rename("one", "../up")
    # A folder that nobody expects there: rename(2) refuses, and the record goes back with it.
    (tmp_path / "volumes" / "three" / "in-the-way").mkdir(parents=True)
    with pytest.raises(OSError):
        volumes.rename("one", "three")
    database.close()
    database, volumes = open_at(tmp_path)
    assert {volume.name for volume in volumes.all()} == {"one", "two"}
    database.close()


@pytest.mark.parametrize("moved", [False, True], ids=["before-the-move", "after-the-move"])
def test_a_rename_that_power_cut_off_is_undone(tmp_path: Path, moved: bool) -> None:
    """As a crash leaves it: the directory perhaps moved, the record never committed."""
    database, volumes = open_at(tmp_path)
    made, _ = volumes.create("before", "local", {}, {})
    (Path(made.mountpoint) / "f").write_text("kept")
    volumes._note_rename("before")
    if moved:
        (tmp_path / "volumes" / "before").rename(tmp_path / "volumes" / "after")
    database.close()
    database, volumes = open_at(tmp_path)
    assert [v.name for v in volumes.all()] == ["before"]
    assert (Path(volumes.get("before").mountpoint) / "f").read_text() == "kept"
    assert sorted(p.name for p in (tmp_path / "volumes").rglob("*")) == ["_data", "before", "f"]
    volumes.rename("before", "after")
    assert sorted(p.name for p in (tmp_path / "volumes").rglob("*")) == ["_data", "after", "f"]
    database.close()
