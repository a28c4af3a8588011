"""The canonical form against what docker compose 2.40.3 printed for the same files (recorded beside them)."""

from pathlib import Path

import pytest

from hakobu.compose.canonical import service_hash
from hakobu.compose.config import to_json, to_yaml
from hakobu.compose.load import Selection, load
from hakobu.compose.model.project import Project

PROJECTS = Path(__file__).parent / "projects"
CASES = ["everything", "scalars", "scalars-override", "override-scalars"]


def project(case: str) -> Project:
    files = tuple(str(PROJECTS / f"{name}.yaml") for name in case.split("-"))
    return load(Selection(files=files, name="proj", environment={"HOME": "/root"}))


def recorded(case: str, kind: str) -> str:
    return (PROJECTS / f"{case}.{kind}").read_text()


@pytest.mark.parametrize("case", CASES)
def test_yaml_is_what_docker_compose_prints(case: str) -> None:
    assert to_yaml(project(case)).replace(str(PROJECTS), "/project") == recorded(case, "config")


@pytest.mark.parametrize("case", CASES)
def test_json_is_what_docker_compose_prints(case: str) -> None:
    assert to_json(project(case)).replace(str(PROJECTS), "/project") == recorded(case, "json").strip()


@pytest.mark.parametrize("case", CASES)
def test_hashes_are_those_of_docker_compose(case: str) -> None:
    theirs = dict(line.split() for line in recorded(case, "hash").splitlines())
    services = project(case).services
    assert set(services) == set(theirs)
    independent = [
        name for name, s in services.items() if not any(v.type == "bind" for v in s.volumes) and not s.configs
    ]
    assert independent
    for name in independent:  # a path of the project is part of the hash, and differs here
        assert service_hash(services[name]) == theirs[name], name


def test_the_output_reads_back_as_itself(tmp_path: Path) -> None:
    first = project("everything")
    file = tmp_path / "compose.yaml"
    file.write_text(to_yaml(first))
    again = load(Selection(files=(str(file),), environment={"HOME": "/root"}))
    assert to_yaml(again) == to_yaml(first)
    assert {n: service_hash(s) for n, s in again.services.items()} == {
        n: service_hash(s) for n, s in first.services.items()
    }
