"""Taking turns with docker compose on one project: what one has made, the other finds as it should be, both ways."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.docker_compose import PROGRAM, need_docker_compose
from tests.integration.daemon import Daemon

FILE = """
name: turns
services:
  web:
    image: busybox
    command: sh -c "trap exit TERM; while :; do sleep 1; done"
    env_file: web.env
    label_file: web.labels
    environment: {DEBUG: "${DEBUG:-0}"}
    volumes: ["data:/data", "./here:/here", "/anonymous"]
    networks: {back: {aliases: [w]}}
    depends_on: [store]
    deploy: {resources: {limits: {memory: 64M}}, replicas: 2}
    ulimits: {nofile: {soft: 100, hard: 200}}
    configs: [{source: c, target: /c}]
    stop_grace_period: 1s
  store:
    image: busybox
    command: [sh, -c, "trap exit TERM; while :; do sleep 1; done"]
    networks: [back]
    healthcheck: {test: "true", interval: 1s}
    stop_grace_period: 1s
networks: {back: {labels: {a: b}}}
volumes: {data: {labels: {c: d}}}
configs: {c: {file: ./c.txt}}
"""
Compose = Callable[..., str]


@pytest.fixture
def both(engine: Daemon, tmp_path: Path) -> Iterator[tuple[Compose, Compose]]:
    """Ours and theirs, on the same files and engine."""
    need_docker_compose()
    (tmp_path / "compose.yaml").write_text(FILE)
    (tmp_path / "web.env").write_text("FROM_FILE=1\n")
    (tmp_path / "web.labels").write_text("team=x\n")
    (tmp_path / "c.txt").write_text("c\n")
    file = str(tmp_path / "compose.yaml")

    def ours(*argv: str) -> str:
        return engine.hakobu("compose", "-f", file, *argv).stdout

    def theirs(*argv: str) -> str:
        environment = {**os.environ, "DOCKER_HOST": f"unix://{engine.socket}"}
        argv = (PROGRAM, "-f", file, *argv)
        ran = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    yield ours, theirs
    ours("down", "-v", "-t", "0")


def _made(engine: Daemon) -> dict[str, str]:
    """Ids and hashes of the project's containers, networks and volumes: what a recreation would change."""
    mine = ("--filter", "label=com.docker.compose.project=turns")
    names = engine.docker("ps", "-aq", "--no-trunc", *mine).stdout.split()
    found = {c["Name"]: c["Id"] for c in json.loads(engine.docker("inspect", *names).stdout)}
    found |= {n: n for n in engine.docker("network", "ls", "-q", "--no-trunc", *mine).stdout.split()}
    return found | {v: v for v in engine.docker("volume", "ls", "-q", *mine).stdout.split()}


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_neither_makes_anew_what_the_other_made(both: tuple[Compose, Compose], engine: Daemon, first: str) -> None:
    one, other = both if first == "ours" else both[::-1]
    one("up", "-d")
    made = _made(engine)
    assert len(made) == 5
    other("up", "-d")
    assert _made(engine) == made
    one("up", "-d")
    assert _made(engine) == made
    assert sorted(other("ps", "--services").split()) == ["store", "web"]
    other("stop", "web")
    one("start", "web")
    assert _made(engine) == made
    other("down", "-v", "-t", "0")
    assert one("ps", "-aq") == ""
