import os
from pathlib import Path

import pytest

from hakobu.kernel import xattr


@pytest.fixture(params=["xattrat", "before 6.13"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(xattr, "_has_at", None)
    if request.param != "xattrat":
        xattr.pretend_without_xattrat()
    return request.param


def test_attributes_of_entries_that_cannot_be_opened(tmp_path: Path, way: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    dirfd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    for name in (b"file", b"link", b"pipe"):
        xattr.set_at(dirfd, name, "trusted.hakobu", b"v\0" + name)
        xattr.set_at(dirfd, name, "trusted.empty", b"")
        assert xattr.get_at(dirfd, name, "trusted.hakobu") == b"v\0" + name
        assert xattr.get_at(dirfd, name, "trusted.empty") == b""
        assert sorted(xattr.list_at(dirfd, name)) == ["trusted.empty", "trusted.hakobu"]
        xattr.remove_at(dirfd, name, "trusted.empty")
        assert xattr.list_at(dirfd, name) == ["trusted.hakobu"]
    assert os.getxattr(tmp_path / "file", "trusted.hakobu") == b"v\0file"
    with pytest.raises(OSError, match=r"No data available"):
        xattr.get_at(dirfd, b"file", "trusted.none")
    os.close(dirfd)


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/etc"])
def test_a_name_is_one_component(name: bytes) -> None:
    with pytest.raises(OSError, match="single path component"):
        xattr.get_at(-100, name, "user.x")
