"""What a container changed, above layers that hide parts of those below them."""

import os
from pathlib import Path

import pytest
from tests.leaks import need

from hakobu.kernel.overlay import opaque_xattr
from hakobu.store.layers.changes import ADDED, CHANGED, changes


@pytest.fixture
def layers(tmp_path: Path) -> tuple[str, ...]:
    """From the top: one that begins `d` anew and puts a file where a folder was, and one with what was there before."""
    need(os.geteuid() == 0, "root")
    top, below = tmp_path / "top", tmp_path / "below"
    for path in ("d/old", "d/both", "f/inside"):
        (below / path).parent.mkdir(parents=True, exist_ok=True)
        (below / path).write_text("below")
    (top / "d").mkdir(parents=True)
    (top / "d/both").write_text("top")
    os.setxattr(top / "d", opaque_xattr(), b"y")
    (top / "f").write_text("a file now")
    return str(top), str(below)


def test_a_name_that_an_opaque_layer_hid_is_added_anew(tmp_path: Path, layers: tuple[str, ...]) -> None:
    upper = tmp_path / "upper"
    (upper / "d").mkdir(parents=True)
    for name in ("old", "both", "new"):
        (upper / "d" / name).write_text("container")
    assert changes(str(upper), layers, frozenset()) == [
        ("/d", CHANGED),
        ("/d/both", CHANGED),
        ("/d/new", ADDED),
        ("/d/old", ADDED),
    ]


def test_nothing_is_below_what_is_a_file_in_between(tmp_path: Path, layers: tuple[str, ...]) -> None:
    upper = tmp_path / "upper"
    (upper / "f").mkdir(parents=True)
    os.setxattr(upper / "f", opaque_xattr(), b"y")
    (upper / "f/inside").write_text("container")
    assert changes(str(upper), layers, frozenset()) == [("/f", CHANGED), ("/f/inside", ADDED)]
    os.removexattr(upper / "f", opaque_xattr())
    assert changes(str(upper), layers, frozenset()) == [("/f", CHANGED), ("/f/inside", ADDED)]
