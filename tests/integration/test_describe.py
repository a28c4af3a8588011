"""`describe`: what it writes makes the same container again, as a command and as a Compose file."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.daemon import Daemon

FLAGS = (
    *("--name", "original", "--env", "A=1 2", "--label", "team=x", "--user", "7:8", "--workdir", "/tmp"),
    *("--restart", "on-failure:2", "--memory", "64m", "--cpus", "0.5", "--cap-add", "NET_ADMIN", "--read-only"),
    *(
        "--tmpfs",
        "/scratch:size=1m",
        "--volume",
        "described:/d",
        "--volume",
        "/anon",
        "--publish",
        "127.0.0.1:18123:80",
    ),
    *("--ulimit", "nofile=100:200", "--health-cmd", "true", "--health-interval", "9s", "--stop-timeout", "1"),
    *("--hostname", "other", "--add-host", "h:1.2.3.4", "--init=false", "--tty"),
)


@pytest.fixture
def described(engine: Daemon) -> Iterator[str]:
    """The container as a command."""
    engine.docker("network", "create", "described")
    engine.docker("run", "-d", "--network", "described", *FLAGS, "busybox", "sh", "-c", "sleep 1000 & wait")
    yield engine.hakobu("describe", "original").stdout
    engine.docker("rm", "-fv", "original", check=False)
    engine.docker("network", "rm", "described")
    engine.docker("volume", "rm", "described")


def test_the_command_makes_it_again(engine: Daemon, described: str) -> None:
    engine.docker("rm", "-fv", "original")
    program, *words = shlex.split(described)
    assert program == "docker"
    engine.docker(*words)
    assert engine.hakobu("describe", "original", "--as", "run").stdout == described


def test_the_compose_file_makes_it_again(engine: Daemon, described: str, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text(engine.hakobu("describe", "original", "--as", "compose").stdout)
    engine.docker("rm", "-fv", "original")
    engine.hakobu("compose", "-f", str(file), "up", "-d")
    assert engine.hakobu("describe", "original").stdout == described


def test_the_unit_and_what_it_cannot_say(engine: Daemon, described: str) -> None:
    written = engine.hakobu("describe", "original", "--as", "quadlet")
    assert "[Container]\nImage=busybox\nContainerName=original\n" in written.stdout
    assert "PodmanArgs=--cpus=0.5\n" in written.stdout
    assert written.stderr == "services.original.restart: that it is tried 2 times has no key\n"


def test_the_kubernetes_file_and_what_it_cannot_say(engine: Daemon, described: str) -> None:
    written = engine.hakobu("describe", "original", "--as", "kube")
    assert "kind: Pod\nmetadata:\n  name: original\n" in written.stdout
    assert "services.original.ulimits: Kubernetes has no word for it in a pod\n" in written.stderr


def test_no_such_container(engine: Daemon) -> None:
    failed = engine.hakobu("describe", "nobody", check=False)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "No such container: nobody" in failed.stderr
