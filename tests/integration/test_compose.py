"""An application of two services, a named volume and two networks, on a real engine; docker sees what compose made."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.application import App, application
from tests.integration.daemon import Daemon

FILE = """
name: shop
services:
  web:
    image: busybox
    command: [sh, -c, "trap exit TERM; while :; do echo tick; sleep 1; done"]
    environment: {MODE: "${MODE:-plain}"}
    networks: [front, back]
    depends_on: {store: {condition: service_healthy}}
    stop_grace_period: 1s
    secrets: [token]
  store:
    image: busybox
    command: [sh, -c, "echo kept > /data/file; trap exit TERM; while :; do sleep 1; done"]
    volumes: ["data:/data", "/anonymous"]
    networks: {back: {aliases: [shelf]}}
    healthcheck: {test: test -s /data/file, interval: 200ms, retries: 50}
    stop_grace_period: 1s
  job:
    image: busybox
    command: [sh, -c, "cat /data/file; exit 3"]
    volumes: ["data:/data:ro"]
    profiles: [batch]
networks: {front: {}, back: {internal: true}}
volumes: {data: {}}
secrets: {token: {environment: TOKEN}}
"""


@pytest.fixture
def app(engine: Daemon, tmp_path: Path) -> Iterator[App]:
    (tmp_path / ".env").write_text("TOKEN=s3cret\n")
    with application(engine, tmp_path, "shop", FILE) as found:
        yield found


def test_up_again_changed_and_down(app: App) -> None:
    told = app("up", "-d").stderr.splitlines()
    assert told.index(" Container shop-store-1  Healthy") < told.index(" Container shop-web-1  Starting")
    assert app.states() == {"shop-store-1": "running", "shop-web-1": "running"}
    before = app.ids()
    again = app("up", "-d").stderr
    assert "Recreate" not in again
    assert app.ids() == before
    app.file.write_text(FILE.replace("plain", "other"))
    told = app("up", "-d").stderr.splitlines()
    assert " Container shop-web-1  Recreated" in told
    assert " Container shop-store-1  Running" in told
    assert app("exec", "-T", "web", "sh", "-c", "echo $MODE").stdout == "other\n"


def test_what_docker_sees(app: App) -> None:
    app("up", "-d")
    [web] = json.loads(app.engine.docker("inspect", "shop-web-1").stdout)
    labels = web["Config"]["Labels"]
    assert labels["com.docker.compose.depends_on"] == "store:service_healthy:false"
    assert labels["com.docker.compose.project.working_dir"] == str(app.file.parent)
    assert sorted(web["NetworkSettings"]["Networks"]) == ["shop_back", "shop_front"]
    assert {"web", "shop-web-1"} <= set(web["NetworkSettings"]["Networks"]["shop_front"]["Aliases"])
    [network] = json.loads(app.engine.docker("network", "inspect", "shop_back").stdout)
    assert network["Internal"] is True
    assert network["Labels"]["com.docker.compose.network"] == "back"


def test_inside(app: App) -> None:
    app("up", "-d")
    assert app("exec", "-T", "web", "cat", "/run/secrets/token").stdout == "s3cret"
    assert app("exec", "-T", "web", "ping", "-c", "1", "shelf").returncode == 0
    assert app("exec", "-T", "web", "sh", "-c", "echo out; echo err >&2; exit 7", check=False).returncode == 7
    assert "web-1  | tick" in app("logs", "--tail", "1", "web").stdout
    assert app("logs", "--no-log-prefix", "--tail", "1", "web").stdout == "tick\n"


def test_run_uses_the_volume_and_gives_the_exit_status(app: App) -> None:
    app("up", "-d", "store", "--wait")
    ran = app("run", "--rm", "-T", "job", check=False)
    assert (ran.returncode, ran.stdout) == (3, "kept\n")
    assert app.states() == {"shop-store-1": "running"}


def test_an_attached_up_ends_with_its_containers(app: App) -> None:
    app("up", "-d", "store", "--wait")
    ran = app("--profile", "batch", "up", "--no-deps", "--exit-code-from", "job", "job", check=False)
    assert ran.returncode == 3
    assert "job-1  | kept" in ran.stdout
    assert "job-1 exited with code 3" in ran.stdout


def test_orphans_are_named_and_removed(app: App) -> None:
    app("up", "-d", "store")
    app.file.write_text(FILE.replace("  store:", "  shop:").replace("{store: {cond", "{shop: {cond"))
    told = app("up", "-d", "shop").stderr
    assert "Found orphan containers ([shop-store-1])" in told
    app("up", "-d", "--remove-orphans", "shop")
    assert list(app.states()) == ["shop-shop-1"]


def test_stop_start_and_the_anonymous_volume(app: App) -> None:
    app("up", "-d", "store", "--wait")
    app("exec", "-T", "store", "touch", "/anonymous/mine")
    app("stop", "store")
    assert app.states() == {"shop-store-1": "exited"}
    app("start", "store")
    app("up", "-d", "--force-recreate", "store", "--wait")
    assert app("exec", "-T", "store", "ls", "/anonymous").stdout == "mine\n"


def test_what_goes_wrong_is_said(app: App) -> None:
    missing = app("up", "-d", "nope", check=False)
    assert (missing.returncode, missing.stderr) == (1, "no such service: nope\n")
    app.file.write_text("services:\n  web:\n    image: unbuilt\n    build: .\n")
    refused = app("up", "-d", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"{app.file}:4:5: services.web.build is not supported: ")
    app.file.write_text(FILE)
    idle = app("exec", "-T", "web", "true", check=False)
    assert (idle.returncode, idle.stderr) == (1, 'service "web" is not running\n')
