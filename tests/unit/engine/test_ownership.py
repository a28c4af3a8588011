"""Ids that change places in an idmapped mount."""

from pathlib import Path

import pytest

from hakobu.engine.ownership import maps_for, swapped
from hakobu.errors import HakobuError
from hakobu.runtime.passwd import resolve_in
from hakobu.spec.runtime_config import IdMap


def seen_as(maps: tuple[IdMap, ...], on_disk: int) -> int:
    found = [m.host_id + on_disk - m.container_id for m in maps if m.container_id <= on_disk < m.container_id + m.size]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(("owner", "user"), [(1000, 33), (0, 999), (7, 8), (33, 0), (0, 4294967294)])
def test_owner_and_user_change_places_and_nobody_else(owner: int, user: int) -> None:
    maps = swapped(owner, user)
    assert seen_as(maps, owner) == user and seen_as(maps, user) == owner
    others = {0, 1, 32, 34, 998, 1001, 4294967294} - {owner, user}
    assert all(seen_as(maps, n) == n for n in others)
    assert sum(m.size for m in maps) == 4294967295 and len(maps) <= 5


def test_who_fits_already_needs_no_map(tmp_path: Path) -> None:
    stat = tmp_path.stat()
    assert maps_for(str(tmp_path), f"{stat.st_uid}:{stat.st_gid}", (), ()) == ((), ())
    with pytest.raises(HakobuError, match=r"the owner of .* is not known"):
        maps_for(str(tmp_path / "none"), "0", (), ())


def test_a_users_name_is_explained_by_the_upmost_layer_that_has_the_file(tmp_path: Path) -> None:
    for name, uid in (("top", 33), ("below", 44)):
        (tmp_path / name / "etc").mkdir(parents=True)
        (tmp_path / name / "etc/passwd").write_text(f"www:x:{uid}:{uid}::/:/bin/sh\n")
    (tmp_path / "none").mkdir()
    found = resolve_in([str(tmp_path / n) for n in ("none", "top", "below", "gone")], "www")
    assert (found.uid, found.gid) == (33, 33)
