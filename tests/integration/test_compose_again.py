"""`up -d` of what is up already: a note answers where nothing has changed, and whatever has changed is seen."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.application import App, application
from tests.integration.daemon import Daemon

LOOP = '[sh, -c, "trap exit TERM; while :; do sleep 0.1; done"]'
FILE = f"""
name: again
services:
  web:
    image: busybox
    command: {LOOP}
    environment: {{V: "${{V:-1}}"}}
    depends_on: {{store: {{condition: service_healthy}}}}
  store:
    image: busybox
    command: {LOOP}
    volumes: ["data:/data"]
    healthcheck: {{test: test ! -e /tmp/ill, interval: 100ms, retries: 1}}
    deploy: {{replicas: 2}}
volumes: {{data: }}
"""


@pytest.fixture
def app(engine: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with application(engine, tmp_path, "again", FILE) as found:
        found("up", "-d")
        yield found


def _again(app: App) -> tuple[str, bool]:
    """What `up -d` tells, and whether it went the long way, by the modules it has loaded."""
    code = f"""
import sys
from hakobu.cli.main import dispatch
status = dispatch("hakobu", ["compose", "-f", {str(app.file)!r}, "up", "-d"])
print("yaml" in sys.modules)
sys.exit(status)
"""
    environment = {**os.environ, "HAKOBU_HOST": app.engine.url}
    argv = [sys.executable, "-Ic", code]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, cwd=app.engine.folder.parent)
    assert done.returncode == 0, done.stderr
    return done.stderr, "True" in done.stdout


def test_nothing_to_do_is_told_at_once_and_in_the_same_words(app: App) -> None:
    long, went_long = _again(app)
    assert went_long  # another folder and other words before the verb than the fixture's: another note
    short, went_long = _again(app)
    assert not went_long
    assert sorted(short.splitlines()) == sorted(long.splitlines())
    lines = short.splitlines()
    assert lines.index(" Container again-store-2  Healthy") < lines.index(" Container again-web-1  Running")


def _stop(app: App) -> None:
    app.engine.docker("stop", "-t", "0", "again-web-1")


def _remove(app: App) -> None:
    app.engine.docker("rm", "-f", "again-store-2")


def _make_ill(app: App) -> None:
    app.engine.docker("exec", "again-store-1", "touch", "/tmp/ill")
    while "(healthy)" in app.engine.docker("ps", "--filter", "name=again-store-1", "--format", "{{.Status}}").stdout:
        pass
    app.engine.docker("exec", "again-store-1", "rm", "/tmp/ill")


def _edit(app: App) -> None:
    app.file.write_text(FILE.replace("V:-1", "V:-2"))


def _add_an_orphan(app: App) -> None:
    labels = ("--label", "com.docker.compose.project=again", "--label", "com.docker.compose.service=lost")
    app.engine.docker("create", "--name", "again-lost-1", *labels, "busybox")


def _scale(app: App) -> None:
    app("up", "-d", "--scale", "store=3")


def _tag_another_image(app: App) -> None:
    app.engine.docker("tag", "busybox", "kept")
    app.engine.docker("commit", "again-web-1", "busybox")


@pytest.mark.parametrize("change", [_stop, _remove, _make_ill, _edit, _add_an_orphan, _scale, _tag_another_image])
def test_whatever_has_changed_is_seen(app: App, change: Callable[[App], None]) -> None:
    _again(app)
    change(app)
    try:
        _, went_long = _again(app)
        assert went_long
        assert {name: app.states()[name] for name in ("again-web-1", "again-store-1", "again-store-2")} == {
            "again-web-1": "running",
            "again-store-1": "running",
            "again-store-2": "running",
        }
    finally:
        if change is _tag_another_image:
            app.engine.docker("tag", "kept", "busybox")
            app("down", "-t", "0")
            app.engine.docker("rmi", "kept")
