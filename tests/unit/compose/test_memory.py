"""Notes of projects: what makes one count, and what does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hakobu.compose import memory
from hakobu.compose.disk import Disk
from hakobu.compose.load import Selection, load
from hakobu.compose.quick import head_of
from hakobu.compose.summary import summary

FILE = "services: {web: {image: busybox, depends_on: {db: {condition: service_healthy}}}, db: {image: bb, scale: 2}}\n"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path), "MODE": "one"}


def _noted(folder: Path, env: dict[str, str], text: str = FILE) -> Disk:
    """A project of this file, read and noted."""
    (folder / "compose.yaml").write_text(text)
    disk = Disk()
    project = load(Selection(working_directory=str(folder), environment=env, disk=disk))
    found = summary(project, disk)
    assert found is not None
    memory.keep([], env, disk.texts, found)
    return disk


def test_a_note_says_what_stands(tmp_path: Path, env: dict[str, str]) -> None:
    _noted(tmp_path, env)
    note = memory.recall([], env)
    assert note is not None
    assert note["project"]["levels"] == [[[], ["db"]], [["db"], ["web"]]]
    assert {name: s["count"] for name, s in note["project"]["services"].items()} == {"db": 2, "web": 1}
    assert [len(s["hash"]) for s in note["project"]["services"].values()] == [64, 64]
    assert memory.recall(["-f", "other.yaml"], env) is None


@pytest.mark.parametrize("change", ["file", "override", "dotenv", "env_file", "variable", "program"])
def test_a_note_ends_with_any_of_what_it_rests_on(
    tmp_path: Path, env: dict[str, str], change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "web.env").write_text("A=1\n")
    _noted(tmp_path, env, FILE.replace("image: busybox", "image: busybox, env_file: web.env"))
    assert memory.recall([], env | {"SHLVL": "7", "_": "/usr/bin/env"}) is not None
    match change:
        case "file":
            (tmp_path / "compose.yaml").write_text(FILE + "\n")
        case "override":
            (tmp_path / "compose.override.yaml").write_text(FILE)
        case "dotenv":
            (tmp_path / ".env").write_text("")
        case "env_file":
            (tmp_path / "web.env").write_text("A=2\n")
        case "variable":
            env = env | {"MODE": "two"}
        case _:
            monkeypatch.setattr(memory, "program", lambda: "another")
    assert memory.recall([], env) is None


def test_what_is_no_note_is_passed_over(tmp_path: Path, env: dict[str, str]) -> None:
    _noted(tmp_path, env)
    [file] = (tmp_path / "cache/hakobu/compose").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    for text in ("", "{", "[]", '"a"', '{"program": 1}'):
        file.write_text(text)
        assert memory.recall([], env) is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "cache").write_text("a file")
    _noted(tmp_path, env)
    assert memory.recall([], env) is None


def test_the_oldest_notes_go(tmp_path: Path, env: dict[str, str]) -> None:
    for number in range(memory.KEPT + 3):
        memory.keep([str(number)], env, {}, {})
    folder = Path(memory.folder(env))
    assert len([*folder.iterdir()]) == memory.KEPT


@pytest.mark.parametrize(
    "service",
    [
        "image: bb, pull_policy: always",
        "image: bb, pull_policy: daily",
        "image: bb, environment: {A: '${OLDPWD:-}'}",
        "image: bb, environment: [_]",
        "image: bb, depends_on: {b: {condition: service_completed_successfully}}",
    ],
)
def test_what_is_looked_at_each_time_is_not_noted(tmp_path: Path, service: str) -> None:
    (tmp_path / "compose.yaml").write_text(f"services: {{a: {{{service}}}, b: {{image: bb}}}}")
    disk = Disk()
    project = load(Selection(working_directory=str(tmp_path), disk=disk))
    assert summary(project, disk) is None


@pytest.mark.parametrize(
    ("line", "head"),
    [
        ("up -d", []),
        ("-f a.yaml --profile=x -p n up --detach -y", ["-f", "a.yaml", "--profile=x", "-p", "n"]),
        ("up", None),
        ("up -d web", None),
        ("up -d --force-recreate", None),
        ("--dry-run up -d", None),
        ("-f - up -d", None),
        ("--file=- up -d", None),
        ("-f up", None),
        ("down", None),
        ("", None),
    ],
)
def test_which_command_lines_are_plain(line: str, head: list[str] | None) -> None:
    assert head_of(line.split()) == head


def test_the_quick_way_loads_no_model() -> None:
    code = "import sys; import hakobu.compose.entry; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-Ic", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"yaml", "dataclasses", "re", "argparse", "json", "hashlib", "typing", "hakobu.compose.load"}
    assert not heavy & {*loaded}


def test_a_note_of_somebody_else_is_passed_over(tmp_path: Path, env: dict[str, str]) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    _noted(tmp_path, env)
    [file] = (tmp_path / "cache/hakobu/compose").iterdir()
    os.chown(file, 65534, 65534)
    assert memory.recall([], env) is None
