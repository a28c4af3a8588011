"""A Compose application in a real registry: published by us and by docker compose, used by both."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docker_compose import PROGRAM, need_docker_compose
from tests.integration.daemon import Daemon
from tests.leaks import need

from .server import REGISTRY, Served, serving

FILE = """
name: pub
services:
  web:
    image: busybox
    command: [sh, -c, "trap exit TERM; while :; do sleep 0.1; done"]
    env_file: web.env
    environment: {TAG: "${TAG:-none}"}
    extends:
      file: base.yaml
      service: base
"""


@pytest.fixture
def registry(isolated_session: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """With TLS, which docker compose insists on; both programs trust its certificate."""
    need(REGISTRY is not None, "docker-registry")
    need_docker_compose()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "registry").mkdir()
    with serving(tmp_path / "registry", tls=True, name="localhost") as found:
        monkeypatch.setenv("SSL_CERT_FILE", str(found.authority))
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "compose.yaml").write_text(FILE)
    (folder / "base.yaml").write_text("services: {base: {image: old, labels: {a: b}}}\n")
    (folder / "web.env").write_text("A=1\n")
    return folder


def _theirs(engine: Daemon, folder: Path, *argv: str) -> str:
    environment = {**os.environ, "DOCKER_HOST": engine.url}
    done = subprocess.run([PROGRAM, *argv], env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_either_uses_what_the_other_published(engine: Daemon, registry: Served, folder: Path) -> None:
    ours, theirs = (f"{registry.host}/me/{who}:1" for who in ("ours", "theirs"))
    engine.hakobu("compose", "-f", str(folder / "compose.yaml"), "publish", "--with-env", ours)
    _theirs(engine, folder, "publish", "--with-env", "-y", theirs)
    for name in (ours, theirs):
        shown = engine.hakobu("compose", "-f", f"oci://{name}", "config").stdout
        assert shown == _theirs(engine, folder, "-f", f"oci://{name}", "config")
        assert 'A: "1"' in shown and "a: b" in shown
    use = ("compose", "-f", f"oci://{ours}")
    engine.hakobu(*use, "up", "-d")
    try:
        assert engine.hakobu(*use, "exec", "-T", "web", "sh", "-c", "echo $A $TAG").stdout == "1 none\n"
    finally:
        engine.hakobu(*use, "down", "-t", "0")


def test_what_is_no_application_is_said(engine: Daemon, registry: Served, folder: Path) -> None:
    missing = engine.hakobu("compose", "-f", f"oci://{registry.host}/me/none", "config", check=False)
    assert missing.returncode == 1
    assert "manifest unknown" in missing.stderr
    refused = engine.hakobu("compose", "-f", str(folder / "compose.yaml"), "publish", f"{registry.host}/x", check=False)
    assert refused.returncode == 1
    assert "compose.yaml:7:15: env_file is published only with --with-env" in refused.stderr
