"""Whatever links a tree holds and whatever path is asked for, nothing is opened or made outside of the root."""

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from hakobu.kernel import saferoot

_name = st.sampled_from(["a", "b", "c", "etc"])
_path = st.lists(st.sampled_from(["a", "b", "c", "etc", "..", ".", ""]), min_size=1, max_size=6).map("/".join)
_target = st.one_of(_path, _path.map(lambda path: "/" + path), st.just("/etc/passwd"), st.just("../" * 9 + "outside"))
_entry = st.tuples(st.lists(_name, min_size=1, max_size=3).map("/".join), st.one_of(st.none(), _target))


def _grow(root: Path, entries: list[tuple[str, str | None]]) -> None:
    for where, target in entries:
        path = root / where
        try:
            if path.parent.resolve().is_relative_to(root.resolve()):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.mkdir() if target is None else path.symlink_to(target)
        except (OSError, RuntimeError):
            continue


@settings(max_examples=150, deadline=None)
@given(st.lists(_entry, max_size=6), _path, st.booleans())
def test_a_mount_target_never_escapes(entries: list[tuple[str, str | None]], asked: str, directory: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        root.mkdir()
        _grow(root, entries)
        root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
        try:
            fd = saferoot.make_mount_target(root_fd, asked, directory)
            made = os.readlink(f"/proc/self/fd/{fd}")
            os.close(fd)
            assert made == str(root) or made.startswith(f"{root}/")
        except OSError:
            pass
        finally:
            os.close(root_fd)
        assert os.listdir(name) == ["root"]
