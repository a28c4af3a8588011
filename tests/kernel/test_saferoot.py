import os
import stat
from ctypes import c_char_p, c_int, c_uint
from pathlib import Path

import pytest

from hakobu.kernel import saferoot
from hakobu.kernel.libc import syscall


@pytest.fixture
def root(tmp_path: Path):
    (tmp_path / "root").mkdir()
    fd = os.open(tmp_path / "root", os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def _path(fd: int, tmp_path: Path) -> str:
    path = os.readlink(f"/proc/self/fd/{fd}")
    os.close(fd)
    return os.path.relpath(path, tmp_path / "root")


def test_directories_are_made_below_the_root(root: int, tmp_path: Path) -> None:
    os.umask(before := os.umask(0o077))
    assert _path(saferoot.make_directories(root, "/a/b/../c", 0o751, (5, 6)), tmp_path) == "a/c"
    found = os.stat(tmp_path / "root/a/c")
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o751, 5, 6)
    assert not (tmp_path / "root/a/b").exists()
    assert _path(saferoot.make_directories(root, "/"), tmp_path) == "."
    assert os.umask(before) == before


@pytest.mark.parametrize(
    ("link", "asked", "made"),
    [
        ("/there", "link/x", "there/x"),
        ("../../../there", "link/x", "there/x"),
        ("/gone/../other", "link", "other"),
        ("there", "link", "there"),
    ],
)
def test_a_dangling_link_is_followed_inside(root: int, tmp_path: Path, link: str, asked: str, made: str) -> None:
    (tmp_path / "root/link").symlink_to(link)
    assert _path(saferoot.make_directories(root, asked), tmp_path) == made
    assert sorted(os.listdir(tmp_path)) == ["root"]


def test_links_to_the_host_stay_inside(root: int, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "root/etc").symlink_to(tmp_path / "outside")
    (tmp_path / "root/file").symlink_to("../outside/file")
    os.close(saferoot.make_mount_target(root, "/etc/resolv.conf", directory=False))
    os.close(saferoot.make_mount_target(root, "/file", directory=False))
    assert os.listdir(tmp_path / "outside") == []
    assert (tmp_path / "root" / str(tmp_path / "outside/resolv.conf").lstrip("/")).is_file()
    assert (tmp_path / "root/outside/file").is_file()


def test_a_loop_of_links_ends(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/a").symlink_to("b")
    (tmp_path / "root/b").symlink_to("a")
    for make in (saferoot.make_directories, saferoot.make_file):
        with pytest.raises(OSError, match="openat2") as caught:
            make(root, "/a/x")
        assert caught.value.errno == 40


def test_a_growing_chain_of_dangling_links_ends(root: int, tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"root/{number}").symlink_to(f"/{number + 1}/x")
    with pytest.raises(OSError, match="openat2"):
        saferoot.make_directories(root, "/0")


def test_a_target_of_the_other_kind_is_refused(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/file").write_text("")
    (tmp_path / "root/dir").mkdir()
    with pytest.raises(NotADirectoryError):
        saferoot.make_mount_target(root, "/file", directory=True)
    with pytest.raises(IsADirectoryError):
        saferoot.make_mount_target(root, "/dir", directory=False)
    os.close(saferoot.make_mount_target(root, "/file", directory=False))


def test_the_parent_is_resolved_and_the_entry_is_not(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/real").mkdir()
    (tmp_path / "root/dir").symlink_to("/real")
    (tmp_path / "root/real/link").symlink_to("/etc/passwd")
    fd, name = saferoot.open_parent(root, "/dir/link")
    entry = saferoot.open_entry(fd, name)
    assert stat.S_ISLNK(os.fstat(entry).st_mode)
    os.close(entry)
    assert _path(fd, tmp_path) == "real"
    with pytest.raises(OSError, match="no parent"):
        saferoot.open_parent(root, "/x/..")


def test_only_a_regular_file_of_bounded_size_is_read(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/passwd").write_text("root:x:0:0")
    (tmp_path / "root/l").symlink_to("/passwd")
    os.mkfifo(tmp_path / "root/pipe")
    os.mknod(tmp_path / "root/zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    assert saferoot.read_file(root, "l") == b"root:x:0:0"
    with pytest.raises(OSError, match="more than 3 bytes"):
        saferoot.read_file(root, "passwd", 3)
    for name in ("pipe", "zero", "."):
        with pytest.raises(OSError, match="not a regular file"):
            saferoot.read_file(root, name)


def test_a_race_of_links_never_leads_outside(root: int, tmp_path: Path) -> None:
    """A second process swaps a directory and a link to the host while targets are made below it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    inside = tmp_path / "root"
    (inside / "dir").mkdir()
    (inside / "link").symlink_to(outside)
    exchange = syscall("renameat2", c_int, c_char_p, c_int, c_char_p, c_uint)
    names = [bytes(inside / name) for name in ("dir", "link")]
    pid = os.fork()
    if pid == 0:
        while os.getppid() != 1:
            if exchange(-100, names[0], -100, names[1], 2) < 0:  # RENAME_EXCHANGE
                os._exit(1)
        os._exit(0)
    for number in range(400):
        try:
            os.close(saferoot.make_file(root, f"dir/{number % 7}/file{number}"))
        except OSError:
            continue
    os.kill(pid, 9)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9
    assert os.listdir(outside) == []
    assert (inside / "dir").is_symlink() != (inside / "link").is_symlink()
