"""Provided services: how their program is found and called, and what comes of its words."""

from pathlib import Path

import pytest

from hakobu.compose.failure import ActionFailed
from hakobu.compose.load import Selection, load
from hakobu.compose.model.project import Project
from hakobu.compose.progress import Progress
from hakobu.compose.provider import call, find_program, provided

FILE = """
name: p
services:
  db: {provider: {type: cloudy, options: {kind: mysql, n: 1, many: [a, b], t: true}}}
  app: {image: bb, depends_on: [db], environment: {OWN: "1"}}
  other: {image: bb}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "compose.yaml").write_text(FILE)
    return load(Selection(working_directory=str(tmp_path)))


def _program(folder: Path, *lines: str) -> dict[str, str]:
    """An environment in which `cloudy` writes down how it was called, and then says these lines."""
    folder.mkdir(exist_ok=True)
    program = folder / "cloudy"
    said = "".join(f"echo '{line}'\n" for line in lines)
    program.write_text(f'#!/bin/sh\necho "$@" >> {folder}/called\n{said}exit ${{STATUS:-0}}\n')
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)}


def test_those_who_depend_on_it_are_told_its_variables(
    project: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    env = _program(
        tmp_path / "bin",
        '{"type":"info","message":"working"}',
        '{"type":"debug","message":"quiet"}',
        '{"type":"setenv","message":"URL=https://x?a=b"}',
    )
    found = provided(project, tuple(project.services), Progress(colour=False), env)
    assert found.services["app"].environment == {"DB_URL": "https://x?a=b", "OWN": "1"}
    assert found.services["other"] == project.services["other"]
    called = (tmp_path / "bin/called").read_text()
    assert called == "compose --project-name=p up --kind=mysql --many=a --many=b --n=1 --t=true db\n"
    assert capfd.readouterr().err == " db  Creating\n db  working\n db  Created\n"


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ('{"type":"error","message":"no quota"}', "0", "provider of db: no quota"),
        ("", "0", "wrote what is no message"),
        ("[]", "0", "wrote what is no message"),
        ('{"type":"info"}', "3", "provider of db failed with status 3"),
    ],
)
def test_what_fails_is_said(project: Project, tmp_path: Path, line: str, status: str, said: str) -> None:
    env = _program(tmp_path / "bin", line) | {"STATUS": status}
    with pytest.raises(ActionFailed, match=said):
        call("up", "p", project.service("db"), Progress(quiet=True), env)


def test_dockers_plugin_comes_first(tmp_path: Path) -> None:
    env = _program(tmp_path / "bin")
    plugin = tmp_path / "bin/.docker/cli-plugins/docker-cloudy"
    assert find_program("cloudy", env) == str(tmp_path / "bin/cloudy")
    plugin.parent.mkdir(parents=True)
    plugin.write_text("#!/bin/sh\n")
    plugin.chmod(0o755)
    assert find_program("cloudy", env) == str(plugin)
    for kind in ("nothing-of-the-kind", "../bin/cloudy"):
        with pytest.raises(ActionFailed, match="no provider"):
            find_program(kind, env)
