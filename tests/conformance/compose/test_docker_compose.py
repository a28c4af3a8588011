"""The corpus against docker compose itself: YAML, JSON and hashes of every case, and what it refuses.

HAKOBU_DOCKER_COMPOSE names the program, else `docker-compose` on PATH; it must be 2.40.3, whose hashes ours are.
"""

import os
import shutil
import subprocess

import pytest
from tests.unit.compose.corpus import CASES, Case

WANTED = "2.40.3"
PROGRAM = os.environ.get("HAKOBU_DOCKER_COMPOSE") or shutil.which("docker-compose") or ""


def _version() -> str:
    if not PROGRAM:
        return "none"
    ran = subprocess.run([PROGRAM, "version", "--short"], capture_output=True, text=True, check=False)
    return ran.stdout.strip().lstrip("v")


pytestmark = pytest.mark.skipif(
    _version() != WANTED, reason=f"docker compose {WANTED} is not here (HAKOBU_DOCKER_COMPOSE, or PATH)"
)
SAME = [pytest.param(case, id=case.name) for case in CASES if not case.recorded("difference")]


@pytest.mark.parametrize("case", SAME)
def test_both_say_the_same(case: Case) -> None:
    theirs = case.ask(PROGRAM)
    refused = case.refusal()
    if theirs.returncode:
        assert refused is not None, theirs.stderr
        return
    assert refused is None
    assert case.yaml() == theirs.stdout
    hashes = dict(line.split() for line in case.ask(PROGRAM, "--hash", "*").stdout.splitlines())
    assert case.hashes(with_paths=True) == hashes
    if printed := case.ask(PROGRAM, "--format", "json").stdout:  # it fails on some builds
        assert case.json() == printed.rstrip("\n")
