"""Around a container's life: hooks, owners of secrets, rolling updates, one-shots, restarts that spread."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.application import App, application
from tests.integration.daemon import Daemon

LOOP = 'sh -c "trap exit TERM; while :; do sleep 0.1; done"'
FILE = f"""
name: life
services:
  web:
    image: busybox
    command: {LOOP}
    stop_grace_period: 1s
    environment: {{V: "${{V:-1}}"}}
    volumes: ["data:/data"]
    pre_start: [{{command: [sh, -c, "echo once >> /data/before"]}}]
    post_start: [{{command: [sh, -c, "echo $$V > /ready"], environment: {{HOOKED: "yes"}}}}]
    pre_stop: [{{command: [sh, -c, "echo stopping $$V >> /data/stopped"]}}]
    healthcheck: {{test: test -f /ready, interval: 100ms, retries: 50}}
    secrets: [{{source: file, uid: "12", gid: "34", mode: 0400}}, {{source: word, target: /word, mode: 0440}}]
    configs: [{{source: text, target: /text, uid: "7"}}]
    deploy: {{replicas: 2, update_config: {{order: start-first}}}}
  tail:
    image: busybox
    command: {LOOP}
    stop_grace_period: 1s
    depends_on: {{web: {{condition: service_healthy, restart: true}}}}
  job: {{image: busybox, command: [sh, -c, "exit ${{CODE:-0}}"], profiles: [job]}}
volumes: {{data: }}
secrets: {{file: {{file: ./secret.txt}}, word: {{environment: WORD}}}}
configs: {{text: {{content: "some $$text"}}}}
"""


@pytest.fixture
def app(engine: Daemon, tmp_path: Path) -> Iterator[App]:
    (tmp_path / "secret.txt").write_text("hidden")
    (tmp_path / ".env").write_text("WORD=said\n")
    with application(engine, tmp_path, "life", FILE) as found:
        yield found


def inside(app: App, *command: str) -> str:
    return app("exec", "-T", "web", *command).stdout


def test_hooks_run_around_a_containers_life(app: App) -> None:
    app("up", "-d", "--wait", "web")
    assert inside(app, "cat", "/data/before") == "once\n"
    assert inside(app, "cat", "/ready") == "1\n"
    app("restart", "web")
    assert inside(app, "cat", "/data/stopped") == "stopping 1\n" * 2
    assert app.left().count("\n") == 4  # the pre_start container is gone: two containers, a volume, a network


def test_created_containers_have_their_hooks_run_by_start(app: App) -> None:
    app("create", "web")
    app("start", "web")
    assert inside(app, "cat", "/data/before") == "once\n"
    assert inside(app, "cat", "/ready") == "1\n"
    app("stop", "web")
    app("start", "web")
    assert inside(app, "cat", "/data/before") == "once\n"


def test_nothing_starts_until_what_goes_before_has_succeeded(app: App) -> None:
    app.file.write_text(FILE.replace("echo once >> /data/before", "exit 3"))
    for _ in range(2):
        failed = app("up", "-d", "web", check=False)
        assert failed.returncode == 1
        assert "web pre_start hook exited with status 3" in failed.stderr
        assert app.states() == {"life-web-1": "created", "life-web-2": "created"}


def test_a_container_whose_secret_cannot_be_had_is_not_made(app: App) -> None:
    variables = app.file.parent / ".env"
    variables.write_text("")
    failed = app("up", "-d", "web", check=False)
    assert failed.returncode == 1
    assert "environment variable 'WORD' required by 'word' is not set" in failed.stderr
    assert app.states() == {}
    variables.write_text("WORD=said\n")
    app("up", "-d", "--wait", "web")
    assert inside(app, "cat", "/word") == "said"


def test_a_hook_that_fails_is_told(app: App) -> None:
    app.file.write_text(FILE.replace("echo $$V > /ready", "echo no >&2; exit 4"))
    failed = app("up", "-d", "--scale", "web=1", "web", check=False)
    assert failed.returncode == 1
    assert "web post_start  | no" in failed.stderr
    assert "web post_start hook exited with status 4" in failed.stderr


def test_owners_and_modes_of_secrets_and_configs_hold(app: App) -> None:
    app("up", "-d", "web")
    listed = inside(app, "ls", "-ln", "/run/secrets/file", "/word", "/text").splitlines()
    assert [(line.split()[0], line.split()[2:4], line.split()[-1]) for line in listed] == [
        ("-r--------", ["12", "34"], "/run/secrets/file"),
        ("-r--r--r--", ["7", "0"], "/text"),
        ("-r--r-----", ["0", "0"], "/word"),
    ]
    assert inside(app, "cat", "/run/secrets/file", "/word", "/text") == "hiddensaidsome $text"


def _events(app: App, since: str) -> list[tuple[str, str]]:
    """Starts and ends of the project's containers since then, in their order."""
    until = str(time.time())
    told = app.engine.docker("events", "--since", since, "--until", until, "--format", "{{json .}}").stdout
    found = [json.loads(line) for line in told.splitlines()]
    mine = [e for e in found if e["Type"] == "container" and e["Actor"]["Attributes"].get("com.docker.compose.service")]
    return [(e["Action"], e["Actor"]["ID"]) for e in mine if e["Action"] in ("start", "die", "destroy")]


def test_an_update_starts_the_new_before_it_stops_the_old(app: App) -> None:
    app("up", "-d", "--wait", "web")
    old, since = app.ids(), str(time.time())
    app.file.write_text(FILE.replace("V:-1", "V:-2"))
    told = app("up", "-d", "web").stderr.splitlines()
    assert [line for line in told if "Rolled" in line] == [
        " Container life-web-1  Rolled",
        " Container life-web-2  Rolled",
    ]
    happened = _events(app, since)
    running, least = set(old), 2
    for action, container in happened:
        running = running | {container} if action == "start" else running - {container}
        least = min(least, len(running))
    assert least == 2  # at no time fewer than before
    assert not {*old} & {*app.ids()}
    assert inside(app, "cat", "/ready") == "2\n"
    assert sorted(app.states()) == ["life-web-1", "life-web-2"]


def test_an_update_that_fails_leaves_the_old_container(app: App) -> None:
    app("up", "-d", "--wait", "web")
    old = app.ids()
    app.file.write_text(FILE.replace("V:-1", "V:-2").replace(LOOP, "sh -c 'exit 9'", 1))
    failed = app("up", "-d", "web", check=False)
    assert failed.returncode == 1
    assert "update of life-web-1 failed, the old container goes on" in failed.stderr
    assert app.ids() == old


def test_a_one_shot_that_has_done_its_work_is_no_failure_of_wait(app: App) -> None:
    assert app("--profile", "job", "up", "-d", "--wait", "job", "web").returncode == 0
    assert app.states()["life-job-1"] == "exited"


@pytest.mark.parametrize("command", ["exit 3", "sleep 0.2; exit 3"])
def test_a_one_shot_that_fails_at_once_is_a_failure_of_wait(app: App, command: str) -> None:
    """Whether it is looked at while it still runs or when it has ended."""
    app.file.write_text(FILE.replace("exit ${CODE:-0}", command))
    for _ in range(3):
        failed = app("up", "-d", "--wait", "job", check=False)
        assert failed.returncode == 1
        assert "container life-job-1 exited (3)" in failed.stderr


def test_a_restart_spreads_to_what_depends_on_it(app: App) -> None:
    app("up", "-d", "--wait")
    assert "Container life-tail-1  Restarting" in app("restart", "web").stderr
    assert "life-tail-1" not in app("restart", "--no-deps", "web").stderr


def test_the_end_of_one_is_the_end_of_all_where_it_is_asked_for(app: App) -> None:
    app.file.write_text(FILE.replace("CODE:-0", "CODE:-3"))
    words = ("--profile", "job", "up", "--no-deps", "--abort-on-container-exit", "job", "tail")
    ended = app(*words, check=False)
    assert ended.returncode == 3
    assert app.states() == {"life-job-1": "exited", "life-tail-1": "exited"}
