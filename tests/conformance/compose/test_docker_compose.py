"""The corpus against docker compose itself: YAML, JSON and hashes of every case, and what it refuses."""

import pytest
from tests.docker_compose import PROGRAM, need_docker_compose
from tests.unit.compose.corpus import CASES, Case

_TRIES = 5


@pytest.fixture(scope="module", autouse=True)
def docker_compose() -> None:
    need_docker_compose()


SAME = [pytest.param(case, id=case.name) for case in CASES if not case.recorded("difference")]


@pytest.mark.parametrize("case", SAME)
def test_both_say_the_same(case: Case) -> None:
    theirs = case.ask(PROGRAM)
    refused = case.refusal()
    if theirs.returncode:
        assert refused is not None, theirs.stderr
        return
    assert refused is None
    # it walks Go maps, and once in a while says the same in another order
    said = [theirs.stdout]
    while case.yaml() not in said and len(said) < _TRIES:
        said.append(case.ask(PROGRAM).stdout)
    assert case.yaml() in said, said[0]
    hashes = dict(line.split() for line in case.ask(PROGRAM, "--hash", "*").stdout.splitlines())
    assert case.hashes(with_paths=True) == hashes
    if printed := case.ask(PROGRAM, "--format", "json").stdout:  # it fails on some builds
        assert case.json() == printed.rstrip("\n")
