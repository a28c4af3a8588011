"""`config` over the corpus: what docker compose 2.40.3 printed, its hashes, and where the two differ and why."""

from pathlib import Path

import pytest
from tests.unit.compose.corpus import CASES, Case

from hakobu.compose.config import to_yaml
from hakobu.compose.load import Selection, load

DOCUMENT = Path(__file__).parents[3] / "docs" / "compose.md"


def _named(cases: list[Case]) -> list[object]:
    return [pytest.param(case, id=case.name) for case in cases]


ACCEPTED = [case for case in CASES if case.recorded("expected.yaml") and not case.recorded("difference")]
REFUSED = [case for case in CASES if case.recorded("refused")]
DIFFERENT = [case for case in CASES if case.recorded("difference")]


@pytest.mark.parametrize("case", _named(ACCEPTED))
def test_the_project_is_shown_as_docker_compose_shows_it(case: Case) -> None:
    assert case.yaml() == case.recorded("expected.yaml")


@pytest.mark.parametrize("case", _named(ACCEPTED))
def test_hashes_are_those_of_docker_compose(case: Case) -> None:
    theirs = dict(line.split() for line in (case.recorded("expected.hash") or "").splitlines())
    ours = case.hashes(with_paths=False)
    assert {name: theirs.get(name) for name in ours} == ours


@pytest.mark.parametrize("case", _named(ACCEPTED))
def test_the_canonical_form_reads_back_as_itself(case: Case, tmp_path: Path) -> None:
    shown = to_yaml(case.project)
    (tmp_path / "compose.yaml").write_text(shown)
    every = Selection(working_directory=str(tmp_path), environment={"HOME": "/root"}, profiles=("*",))
    assert to_yaml(load(every)) == shown


@pytest.mark.parametrize("case", _named(REFUSED))
def test_what_both_refuse_is_refused_with_its_place(case: Case) -> None:
    assert case.refusal() == case.recorded("refused")


@pytest.mark.parametrize("case", _named(DIFFERENT))
def test_every_difference_is_accepted_by_us_and_documented(case: Case) -> None:
    assert case.refusal() is None
    assert f"- {case.recorded('difference')}" in DOCUMENT.read_text()


def test_the_corpus_is_whole() -> None:
    assert len(CASES) >= 150
    undecided = [case.name for case in CASES if case not in [*ACCEPTED, *REFUSED, *DIFFERENT]]
    assert undecided == []
