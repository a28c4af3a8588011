"""Every Compose project of the corpus in every form: nothing is too strange to be written, and all of it reads back."""

from dataclasses import replace

import pytest
from tests.unit.compose.corpus import CASES, Case

from hakobu.compose.model.project import Project
from hakobu.formats.convert import write
from hakobu.formats.document import project_of
from hakobu.formats.kube.reader import read_kube, whole_document
from hakobu.formats.quadlet.key import EXTENSIONS
from hakobu.formats.quadlet.reader import read_units
from hakobu.formats.source import units_in

READABLE = [case for case in CASES if case.recorded("refused") is None]


@pytest.fixture(params=READABLE, ids=lambda case: case.name)
def project(request: pytest.FixtureRequest) -> Project:
    """Without what stands only in a cluster: a Kubernetes file must hold what it refers to."""
    case: Case = request.param
    found = case.project
    external = {key for o in (found.secrets, found.configs) for key, source in o.items() if source.external}
    services = {
        name: replace(
            s,
            secrets=tuple(r for r in s.secrets if r.source not in external),
            configs=tuple(r for r in s.configs if r.source not in external),
        )
        for name, s in found.services.items()
    }
    return replace(found, services=services)


def test_commands(project: Project) -> None:
    text, _ = write(project, "run")
    made = [line for line in text[""].splitlines() if line.startswith("docker run ")]
    assert len(made) == len(project.services)


def test_a_kubernetes_file_reads_back(project: Project) -> None:
    texts, _ = write(project, "kube")
    if project.services:
        again = project_of(whole_document(read_kube(texts[""], "x").pods), "x")
        assert {s.image for s in again.services.values()} >= {project.image_of(s) for s in project.services.values()}


def test_units_read_back(project: Project) -> None:
    texts, _ = write(project, "quadlet")
    units = [u for name, text in texts.items() if name.rpartition(".")[2] in EXTENSIONS for u in units_in(name, text)]
    document, _ = read_units(units)
    again = project_of(document, "x")
    assert {*again.services} == {*project.services}
    for name, service in project.services.items():
        assert again.services[name].environment == service.environment
        assert again.services[name].command == (service.command or None)
