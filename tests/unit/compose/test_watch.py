"""What `watch` looks at: patterns, what changed between two looks, and where a file appears in the container."""

from pathlib import Path

import pytest

from hakobu.compose.ignore import PASSING, compile_patterns
from hakobu.compose.load import Selection, load
from hakobu.compose.watch import Trigger, difference, directories, look, triggers


@pytest.mark.parametrize(
    ("patterns", "path", "matched"),
    [
        (["node_modules/"], "node_modules/a/b.js", True),
        (["node_modules/"], "src/node_modules/a", False),
        (["**/node_modules"], "src/node_modules/a", True),
        (["*.o"], "a.o", True),
        (["*.o"], "deep/a.o", False),
        (["**/*.o"], "deep/er/a.o", True),
        (["build/**"], "build/x/y", True),
        (["a?c"], "abc", True),
        (["a?c"], "a/c", False),
        (["[ab].txt"], "b.txt", True),
        (["*.md", "!README.md"], "README.md", False),
        (["*.md", "!README.md"], "other.md", True),
        (["# comment", "", "x"], "x", True),
        (["./x"], "x/y", True),
        (PASSING, "deep/.file.swp", True),
        (PASSING, ".git/HEAD", True),
        (PASSING, ".gitignore", False),
    ],
)
def test_patterns(patterns: list[str], path: str, matched: bool) -> None:
    assert compile_patterns(patterns).match(path) is matched


def test_what_changed_between_two_looks(tmp_path: Path) -> None:
    trigger = Trigger(service="a", path=str(tmp_path), action="sync", target="/app", ignore=compile_patterns(["*.tmp"]))
    (tmp_path / "same").write_text("1")
    (tmp_path / "changed").write_text("1")
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "below").write_text("1")
    before = look(trigger)
    (tmp_path / "changed").write_text("22")
    (tmp_path / "gone" / "below").unlink()
    (tmp_path / "gone").rmdir()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "file").write_text("3")
    (tmp_path / "x.tmp").write_text("ignored")
    found = difference(before, look(trigger))
    assert found.changed == tuple(str(tmp_path / name) for name in ("changed", "new", "new/file"))
    assert found.gone == (str(tmp_path / "gone"),)
    assert trigger.place(str(tmp_path / "new" / "file")) == "/app/new/file"
    assert sorted(directories(trigger)) == [str(tmp_path), str(tmp_path / "new")]


def test_one_file_and_included_files_alone(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    (tmp_path / "two").write_text("2")
    single = Trigger(service="a", path=str(tmp_path / "one"), action="sync", target="/one")
    assert list(look(single)) == [str(tmp_path / "one")]
    assert single.place(str(tmp_path / "one")) == "/one"
    assert directories(single) == [str(tmp_path)]
    some = Trigger(service="a", path=str(tmp_path), action="sync", target="/t", include=compile_patterns(["o*"]))
    assert list(look(some)) == [str(tmp_path / "one")]


def test_triggers_of_a_service(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services: {a: {image: x, develop: {watch: [{action: sync+exec, path: ./s, target: /t, ignore: [i],"
        " exec: {command: [c], user: u}}]}}}"
    )
    [found] = triggers(load(Selection(working_directory=str(tmp_path))).services["a"], "from-docker-ignore\n")
    assert (found.action, found.path, found.target) == ("sync+exec", str(tmp_path / "s"), "/t")
    assert found.hook == {"command": ["c"], "user": "u"}
    assert [found.ignore.match(name) for name in ("i", "from-docker-ignore", "other")] == [True, True, False]
