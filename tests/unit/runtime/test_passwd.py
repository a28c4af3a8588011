"""Users and groups of an image, by our own parser."""

import os
from pathlib import Path

import pytest

from hakobu.runtime.failure import UserNotFound
from hakobu.runtime.passwd import Identity, resolve

PASSWD = """root:x:0:0:root:/root:/bin/sh
# a comment
web:x:101:102::/srv:/bin/false
1234:x:0:0:a trap::
broken:x:abc:1::/:
+nis
big:x:4294967296:1::/:
"""
GROUP = """root:x:0:
www:x:102:
tape:x:26:web,other
wheel:x:10:root,web
"""


@pytest.fixture
def root_fd(tmp_path: Path) -> int:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(PASSWD)
    (tmp_path / "etc/group").write_text(GROUP)
    return os.open(tmp_path, os.O_PATH)


@pytest.mark.parametrize(
    ("user", "extra", "expected"),
    [
        ("", (), Identity(0, 0, (0, 10), "/root")),
        ("web", (), Identity(101, 102, (102, 26, 10), "/srv")),
        ("101", (), Identity(101, 102, (102, 26, 10), "/srv")),
        ("web:tape", (), Identity(101, 26, (26,), "/srv")),
        ("web:5000", ("wheel", "77"), Identity(101, 5000, (5000, 10, 77), "/srv")),
        ("1234", (), Identity(1234, 0, (0,), "/")),
        ("1000:1000", (), Identity(1000, 1000, (1000,), "/")),
    ],
)
def test_what_a_user_means(root_fd: int, user: str, extra: tuple[str, ...], expected: Identity) -> None:
    try:
        assert resolve(root_fd, user, extra) == expected
    finally:
        os.close(root_fd)


@pytest.mark.parametrize("user", ["nobody", "web:nogroup", "4294967296", "2147483648", "web:4294967295", "\uff11"])
def test_what_is_nobody(root_fd: int, user: str) -> None:
    try:
        with pytest.raises(UserNotFound):
            resolve(root_fd, user, ())
    finally:
        os.close(root_fd)


def test_an_image_without_files_has_numbers_only(tmp_path: Path) -> None:
    root_fd = os.open(tmp_path, os.O_PATH)
    try:
        assert resolve(root_fd, "", ()) == Identity(0, 0, (0,), "/")
        with pytest.raises(UserNotFound):
            resolve(root_fd, "web", ())
    finally:
        os.close(root_fd)


def test_a_fifo_or_a_link_outside_is_no_file_of_users(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/passwd")
    (tmp_path / "etc/group").symlink_to("/proc/self/root/etc/group")
    root_fd = os.open(tmp_path, os.O_PATH)
    try:
        assert resolve(root_fd, "7", ()) == Identity(7, 0, (0,), "/")
    finally:
        os.close(root_fd)
