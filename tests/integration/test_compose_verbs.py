"""The verbs that look at one container or at the files alone, and `run` and `watch` with their flags."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.application import App, application
from tests.integration.daemon import Daemon

LOOP = 'sh -c "trap exit TERM; while :; do sleep 0.1; done"'
FILE = f"""
name: verbs
services:
  web:
    image: busybox
    command: {LOOP}
    stop_grace_period: 1s
    stdin_open: true
    environment: {{A: "${{A:-one}}", B: "${{B:?needed}}"}}
    ports: ["127.0.0.1::80"]
    networks: {{default: {{aliases: [shelf]}}}}
    develop:
      watch:
        - {{action: sync, path: ./src, target: /app, ignore: ["*.tmp"], initial_sync: true}}
        - {{action: sync+restart, path: ./etc, target: /etc/app}}
        - {{action: sync+exec, path: ./run, target: /run/app, exec: {{command: touch /told}}}}
  other: {{image: busybox, command: {LOOP}, links: ["web:linked"], stop_grace_period: 1s}}
  unused: {{image: busybox, profiles: [never], networks: [extra]}}
networks: {{extra: }}
"""


@pytest.fixture
def app(engine: Daemon, tmp_path: Path) -> Iterator[App]:
    (tmp_path / ".env").write_text("B=two\n")
    for name in ("src", "etc", "run"):
        (tmp_path / name).mkdir()
    with application(engine, tmp_path, "verbs", FILE) as found:
        yield found


def test_files_go_in_and_out(app: App, tmp_path: Path) -> None:
    app("up", "-d", "--scale", "web=2")
    (tmp_path / "file").write_text("content\n")
    app("cp", str(tmp_path / "file"), "web:/tmp/file")
    for index in ("1", "2"):
        assert app("exec", "-T", "--index", index, "web", "cat", "/tmp/file").stdout == "content\n"
    app("exec", "-T", "--index", "2", "web", "sh", "-c", "echo second > /tmp/file")
    app("cp", "--index", "2", "web:/tmp/file", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "second\n"
    app("export", "--index", "2", "-o", str(tmp_path / "tree.tar"), "web")
    assert b"second" in (tmp_path / "tree.tar").read_bytes()
    image = app("commit", "-m", "mine", "--index", "2", "web", "verbs-image:1").stdout.strip()
    try:
        assert app.engine.docker("run", "--rm", "verbs-image:1", "cat", "/tmp/file").stdout == "second\n"
    finally:
        app.engine.docker("rmi", image)


def test_what_containers_use(app: App) -> None:
    app("up", "-d")
    rows = [json.loads(line) for line in app("stats", "--no-stream", "--format", "json").stdout.splitlines()]
    assert sorted(row["Name"] for row in rows) == ["verbs-other-1", "verbs-web-1"]
    [row] = [json.loads(line) for line in app("stats", "--no-stream", "--format", "json", "web").stdout.splitlines()]
    assert row["Name"] == "verbs-web-1"


def test_a_linked_service_answers_to_the_links_name(app: App) -> None:
    app("up", "-d")
    assert app("exec", "-T", "other", "ping", "-c", "1", "linked").returncode == 0


def test_lists_and_their_forms(app: App) -> None:
    app("up", "-d")
    assert app("ps", "--status", "running", "--services").stdout.split() == ["other", "web"]
    assert app("ps", "--filter", "status=exited", "-q").stdout == ""
    [project] = json.loads(app("ls", "--filter", "name=verb", "--format", "json").stdout)
    assert (project["Name"], project["Status"]) == ("verbs", "running(2)")
    images = json.loads(app("images", "--format", "json").stdout)
    assert [image["ContainerName"] for image in images] == ["verbs-other-1", "verbs-web-1"]
    unknown = app("ps", "--filter", "colour=red", check=False)
    assert (unknown.returncode, unknown.stderr.splitlines()[0]) == (1, "unknown filter 'colour=red'")
    app.file.write_text(FILE.replace("  other:", "  renamed:"))
    assert app("ps", "--services").stdout.split() == ["other", "web"]
    assert app("ps", "--orphans=false", "--services").stdout.split() == ["web"]


def test_config_in_its_forms(app: App) -> None:
    assert app("config", "--variables").stdout.splitlines()[1:] == [
        "A         false      one             ",
        "B         true                       ",
    ]
    assert "B=two\n" in app("config", "--environment").stdout
    assert app("config", "--services").stdout.split() == ["web", "other"]
    assert "A: ${A:-one}" in app("config", "--no-interpolate").stdout
    assert "path: ./src" in app("config", "--no-path-resolution").stdout
    assert "extra:" not in app("config").stdout
    assert "extra:" in app("--all-resources", "config").stdout
    assert list(json.loads(app("config", "--format", "json", "web").stdout)["services"]) == ["web"]


def test_dry_run_changes_nothing(app: App) -> None:
    told = app("up", "-d", "--dry-run").stderr.splitlines()
    assert " DRY-RUN MODE - Container verbs-web-1  Started" in told
    assert app.left() == ""
    app("up", "-d")
    before = app.ids()
    for verb in (("stop",), ("restart",), ("kill",), ("pause",), ("down", "-v"), ("up", "-d", "--force-recreate")):
        app("--dry-run", *verb)
    for verb in (
        ("exec", "web", "false"),
        ("run", "web", "false"),
        ("cp", "web:/etc", "/nope"),
        ("commit", "web", "x"),
    ):
        assert "DRY-RUN MODE" in app("--dry-run", *verb).stderr
    assert app.ids() == before
    assert {*app.states().values()} == {"running"}


def test_run_with_its_flags(app: App, tmp_path: Path) -> None:
    (tmp_path / "more.env").write_text("C=three\nA=file\n")
    (tmp_path / "here").write_text("mounted")
    flags = (
        *("--rm", "-T", "--no-deps", "-q", "-e", "A=flag", "-e", "B", "--env-from-file", str(tmp_path / "more.env")),
        *("-l", "team=x", "-v", f"{tmp_path}/here:/here:ro", "--cap-add", "NET_ADMIN", "--entrypoint", "sh -c"),
        *("-u", "7:8", "-w", "/tmp", "--name", "verbs-one", "--use-aliases", "-p", "127.0.0.1::81"),
    )
    script = "echo $A $B $C; id -u; pwd; cat /here"
    ran = app("run", *flags, "web", script)
    assert ran.stdout == "flag two three\n7\n/tmp\nmounted"
    assert ran.stderr == ""
    app("run", "-d", "--no-deps", "--use-aliases", "-l", "team=x", "-p", "127.0.0.1::81", "--name", "verbs-two", "web")
    [made] = json.loads(app.engine.docker("inspect", "verbs-two").stdout)
    assert made["Config"]["Labels"]["team"] == "x"
    assert made["HostConfig"]["PortBindings"] == {"81/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}
    assert {"web", "shelf"} <= {*made["NetworkSettings"]["Networks"]["verbs_default"]["Aliases"]}


class Watching:
    """`compose watch` in the background; whatever is waited for, it must go on meanwhile."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.process = app.engine.start_hakobu("compose", "-f", str(app.file), "watch", "web")
        assert self.process.stderr is not None
        while "Watch enabled" not in self.process.stderr.readline():
            self.must_run()

    def must_run(self) -> None:
        assert self.process.poll() is None, self.process.communicate()[1]

    def until(self, told: Callable[[str], bool], *command: str) -> None:
        """Until a command in the container prints what is waited for."""
        while not told(self.app("exec", "-T", "web", *command, check=False).stdout):
            self.must_run()

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate()
        return self.process.returncode


def test_changes_are_brought_into_the_containers(app: App, tmp_path: Path) -> None:
    (tmp_path / "src" / "first").write_text("1")
    (tmp_path / "src" / "left.tmp").write_text("ignored")
    watching = Watching(app)
    try:
        watching.until(lambda out: out == "1", "cat", "/app/first")
        (tmp_path / "src" / "deep").mkdir()
        (tmp_path / "src" / "deep" / "second").write_text("2")
        watching.until(lambda out: out == "2", "cat", "/app/deep/second")
        (tmp_path / "src" / "first").unlink()
        watching.until(lambda out: "first" not in out and "deep" in out, "ls", "-a", "/app")
        assert "left.tmp" not in app("exec", "-T", "web", "ls", "/app").stdout
        (tmp_path / "run" / "x").write_text("x")
        watching.until(lambda out: "told" in out, "ls", "/")
        before = _started_at(app)
        (tmp_path / "etc" / "conf").write_text("c")
        while _started_at(app) == before:
            watching.must_run()
        watching.until(lambda out: out == "c", "cat", "/etc/app/conf")
    finally:
        status = watching.end()
    assert status == 130


def _started_at(app: App) -> str:
    [found] = json.loads(app.engine.docker("inspect", "verbs-web-1").stdout)
    return str(found["State"]["StartedAt"])


def test_a_rebuild_is_refused_with_its_place(app: App) -> None:
    app.file.write_text(FILE.replace("action: sync+restart", "action: rebuild"))
    refused = app("watch", check=False)
    assert refused.returncode == 1
    assert "services.web.develop.watch.1.action is not supported: images are not built here" in refused.stderr


def test_attach_gives_input_and_output(app: App) -> None:
    app.file.write_text(FILE.replace(f"    command: {LOOP}\n    stop", "    command: head -n 1\n    stop", 1))
    app("up", "-d", "web")
    ran = app.engine.hakobu("compose", "-f", str(app.file), "attach", "web", stdin="line\n", check=False)
    assert (ran.returncode, ran.stdout) == (0, "line\n")
