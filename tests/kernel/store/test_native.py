"""Snapshots where overlayfs is refused: layers merged into one tree, what changed in it as an upper directory."""

import os
import stat
from pathlib import Path

import pytest

from hakobu.errors import HakobuError
from hakobu.kernel import mount, overlay, overlay_place
from hakobu.store.layers import native
from hakobu.store.layers.apply import ApplyOptions
from hakobu.store.layers.changes import ADDED, CHANGED, DELETED, changes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners and overlayfs's attributes need root")


@pytest.fixture
def layers(tmp_path: Path) -> tuple[str, ...]:
    """From top to bottom: the upper one removes a file, hides a directory and replaces a file."""
    lower, upper = tmp_path / "lower", tmp_path / "top"
    for path, text in (("etc/passwd", "old"), ("etc/gone", "x"), ("opt/hidden", "x"), ("kept", "x")):
        (lower / path).parent.mkdir(parents=True, exist_ok=True)
        (lower / path).write_text(text)
    os.chown(lower / "kept", 7, 8)
    os.symlink("kept", lower / "link")
    os.link(lower / "kept", lower / "hard")
    (upper / "etc").mkdir(parents=True)
    (upper / "etc/passwd").write_text("new")
    os.mknod(upper / "etc/gone", stat.S_IFCHR, 0)
    (upper / "opt").mkdir()
    os.setxattr(upper / "opt", overlay.opaque_xattr(), b"y")
    (upper / "opt/shown").write_text("x")
    return str(upper), str(lower)


@pytest.fixture
def merged(tmp_path: Path, layers: tuple[str, ...]) -> Path:
    (tmp_path / "merged").mkdir()
    (tmp_path / "upper").mkdir()
    native.merge(layers, str(tmp_path / "merged"))
    return tmp_path / "merged"


def test_the_tree_is_what_overlayfs_would_show(tmp_path: Path, layers: tuple[str, ...], merged: Path) -> None:
    shown = tmp_path / "shown"
    shown.mkdir()
    mount.mount("overlay", str(shown), "overlay", 0, f"lowerdir={':'.join(layers)}")
    try:
        for top in (shown, merged):
            assert sorted(str(p.relative_to(top)) for p in top.rglob("*")) == [
                "etc", "etc/passwd", "hard", "kept", "link", "opt", "opt/shown",
            ]  # fmt: skip
            assert (top / "etc/passwd").read_text() == "new"
            assert (os.stat(top / "kept").st_uid, os.stat(top / "kept").st_gid) == (7, 8)
            assert os.readlink(top / "link") == "kept"
            assert os.stat(top / "hard").st_ino == os.stat(top / "kept").st_ino
    finally:
        mount.umount2(str(shown), mount.MNT_DETACH)


def test_nothing_changed_is_an_empty_upper_directory(tmp_path: Path, merged: Path) -> None:
    native.separate(str(merged), str(tmp_path / "upper"))
    assert os.listdir(tmp_path / "upper") == []


def test_what_changed_is_found(tmp_path: Path, layers: tuple[str, ...], merged: Path) -> None:
    (merged / "etc/passwd").write_text("newer")
    (merged / "kept").unlink()
    (merged / "a/b").mkdir(parents=True)
    (merged / "a/b/c").write_text("x")
    os.chmod(merged / "opt", 0o700)
    for _ in range(2):  # made anew each time
        native.separate(str(merged), str(tmp_path / "upper"))
        assert changes(str(tmp_path / "upper"), layers, frozenset()) == [
            ("/a", ADDED), ("/a/b", ADDED), ("/a/b/c", ADDED), ("/etc", CHANGED), ("/etc/passwd", CHANGED),
            ("/kept", DELETED), ("/opt", CHANGED),
        ]  # fmt: skip
    assert (tmp_path / "upper/etc/passwd").read_text() == "newer"
    assert stat.S_IMODE((tmp_path / "upper/opt").stat().st_mode) == 0o700


def test_what_cannot_be_copied_whole_is_an_error(tmp_path: Path) -> None:
    """Neither the process that reads the tree nor a descriptor stays."""
    (tmp_path / "target").mkdir()
    (tmp_path / "file").write_text("x")
    source_fd, target_fd = os.open(tmp_path / "file", os.O_RDONLY), os.open(tmp_path / "target", os.O_RDONLY)
    try:
        before = os.listdir("/proc/self/fd")
        with pytest.raises(HakobuError, match="not whole"):
            native.copy(source_fd, target_fd, ApplyOptions())
        assert os.listdir("/proc/self/fd") == before
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
    finally:
        os.close(source_fd)
        os.close(target_fd)


def test_a_link_in_the_tree_leads_nowhere(tmp_path: Path, merged: Path) -> None:
    """What a container put in the place of a directory is taken as what it is."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("x")
    (merged / "opt/shown").unlink()
    (merged / "opt").rmdir()
    os.symlink(outside, merged / "opt")
    native.separate(str(merged), str(tmp_path / "upper"))
    assert os.listdir(tmp_path / "upper") == ["opt"]
    assert os.path.islink(tmp_path / "upper/opt")


def test_an_overlay_on_an_overlay_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert overlay_place.takes(str(tmp_path))
    monkeypatch.setattr(overlay_place, "_TAKE_ONE", ())  # ask
    assert overlay_place.takes(str(tmp_path))
    for name in ("l", "u", "w", "m"):
        (tmp_path / name).mkdir()
    options = f"lowerdir={tmp_path}/l,upperdir={tmp_path}/u,workdir={tmp_path}/w"
    mount.mount("overlay", str(tmp_path / "m"), "overlay", 0, options)
    try:
        assert not overlay_place.takes(str(tmp_path / "m"))
        assert os.listdir(tmp_path / "m") == []
    finally:
        mount.umount2(str(tmp_path / "m"), mount.MNT_DETACH)
