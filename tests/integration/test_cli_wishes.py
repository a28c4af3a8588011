"""What docker's users asked for: waiting for readiness, copies between containers, rehearsed prunes, debug."""

import re
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.root]
SLEEP = ("busybox", "sleep", "1000")


@pytest.fixture(autouse=True)
def cleared(engine):
    yield
    engine.remove_all()


def failed(engine, *argv):
    done = engine.hakobu(*argv, check=False)
    assert done.returncode != 0, done.stdout
    return done


HEALTH = ("--health-interval", "100ms", "--health-start-interval", "100ms", "--health-retries", "50")


def test_run_waits_until_healthy(engine):
    engine.hakobu(
        "run",
        "-d",
        "--wait",
        "--name",
        "cw",
        *HEALTH,
        "--health-cmd",
        "test -e /ok",
        "busybox",
        "sh",
        "-c",
        "sleep .5; touch /ok; sleep 1000",
    )
    assert engine.hakobu("inspect", "-f", "{{.State.Health.Status}}", "cw").stdout == "healthy\n"
    assert engine.hakobu("wait", "--condition", "healthy", "cw").stdout == "healthy\n"


def test_start_waits_until_running(engine):
    engine.hakobu("create", "--name", "cw", *SLEEP)
    assert engine.hakobu("start", "--wait", "cw").stdout == "cw\n"
    assert engine.hakobu("inspect", "-f", "{{.State.Running}}", "cw").stdout == "true\n"
    assert "has no health check to wait for" in failed(engine, "wait", "--condition", "healthy", "cw").stderr


def test_waiting_for_health_begins_before_the_start(engine):
    engine.hakobu("create", "--name", "cw", *HEALTH, "--health-cmd", "true", *SLEEP)
    waiting = engine.start_hakobu("wait", "--condition", "healthy", "cw")
    engine.hakobu("start", "cw")
    assert waiting.communicate()[0] == "healthy\n"
    assert waiting.returncode == 0


def test_waiting_ends_where_it_will_not_get_ready(engine):
    done = failed(engine, "run", "-d", "--wait", "--name", "cw", *HEALTH[:-1], "1", "--health-cmd", "false", *SLEEP)
    assert "container cw is unhealthy" in done.stderr and done.returncode == 1
    done = failed(
        engine,
        "run",
        "-d",
        "--wait",
        "--name",
        "cx",
        "--health-cmd",
        "true",
        "--health-interval",
        "1h",
        "busybox",
        "sh",
        "-c",
        "exit 3",
    )
    assert "container cx is exited (3) and not ready" in done.stderr
    done = failed(
        engine,
        "run",
        "-d",
        "--wait",
        "--wait-timeout",
        "300ms",
        "--name",
        "cy",
        "--health-cmd",
        "true",
        "--health-interval",
        "1h",
        *SLEEP,
    )
    assert "container cy was not ready after 0.3 s (running, health: starting)" in done.stderr


def test_wait_for_removal(engine):
    engine.hakobu("run", "-d", "--rm", "--name", "cw", "busybox", "sh", "-c", "sleep .3; exit 4")
    assert engine.hakobu("wait", "--condition", "removed", "cw").stdout == "4\n"
    assert engine.hakobu("ps", "-aq").stdout == ""


def test_copies_between_containers(engine, tmp_path):
    files = "mkdir -p /d/sub; echo one >/d/sub/f; ln -s f /d/sub/l; ln /d/sub/f /d/hard; chown 7:8 /d/sub/f"
    make = f"{files}; truncate -s 5M /d/sparse; sleep 1000"
    engine.hakobu(
        "run", "-d", "--wait", "--name", "ca", "--health-cmd", "test -e /d/sparse", *HEALTH, "busybox", "sh", "-c", make
    )
    engine.hakobu("run", "-d", "--name", "cb", "busybox", "sh", "-c", "mkdir /there; sleep 1000")
    look = ("exec", "cb", "sh", "-c")
    engine.hakobu("cp", "-a", "ca:/d", "cb:/there")
    seen = "cat /there/d/sub/f; readlink /there/d/sub/l; stat -c '%u:%g %h' /there/d/sub/f; stat -c %s /there/d/sparse"
    assert (
        engine.hakobu(
            *look,
            seen,
        ).stdout
        == "one\nf\n7:8 2\n5242880\n"
    )
    engine.hakobu("cp", "ca:/d", "cb:/new")
    assert engine.hakobu(*look, "ls /new; cat /new/hard").stdout.split() == ["hard", "sparse", "sub", "one"]
    engine.hakobu("cp", "ca:/d/.", "cb:/there")
    assert engine.hakobu(*look, "cat /there/sub/f").stdout == "one\n"
    engine.hakobu("cp", "ca:/d/sub/f", "cb:/there/g")
    assert engine.hakobu(*look, "cat /there/g; stat -c %u:%g /there/g").stdout == "one\n0:0\n"
    engine.hakobu("stop", "-t", "0", "ca", "cb")
    engine.hakobu("cp", "ca:/d/sub/f", "cb:/stopped")
    engine.hakobu("cp", "cb:/stopped", str(tmp_path / "copied"))
    assert "no such directory" in failed(engine, "cp", "ca:/d/sub/f", "cb:/nowhere/").stderr
    assert "cannot copy directory" in failed(engine, "cp", "ca:/d", "cb:/stopped").stderr
    assert "o such container" in failed(engine, "cp", "ca:/d", "zz:/").stderr


def listed(text: str, title: str) -> list[str]:
    found = re.search(rf"{title}:\n((?:.+\n)+)", text)
    return sorted(row.split(" ")[-1] for row in found[1].splitlines()) if found else []


def test_a_rehearsed_prune_names_what_the_real_one_removes(engine, monkeypatch):
    engine.hakobu("run", "--name", "gone", "--label", "x=1", "busybox", "sh", "-c", "echo data >/f")
    engine.hakobu("create", "--name", "made", "-v", "/held", *SLEEP)
    held = engine.hakobu("inspect", "-f", "{{(index .Mounts 0).Name}}", "made").stdout.strip()
    engine.hakobu("run", "-d", "--name", "kept", "-v", "used:/v", *SLEEP)
    engine.hakobu("network", "create", "idle")
    engine.hakobu("volume", "create", "named")
    engine.hakobu("create", "--name", "with", "-v", "/anon", "busybox")
    anonymous = engine.hakobu("inspect", "-f", "{{(index .Mounts 0).Name}}", "with").stdout.strip()
    engine.hakobu("rm", "with")

    dry = engine.hakobu("container", "prune", "--dry-run").stdout
    assert listed(dry, "Would delete Containers") == ["gone", "made"]
    assert listed(
        engine.hakobu("container", "prune", "--dry-run", "--filter", "label=x").stdout, "Would delete Containers"
    ) == ["gone"]
    assert listed(
        engine.hakobu("container", "prune", "--dry-run", "--filter", "label!=x").stdout, "Would delete Containers"
    ) == ["made"]
    assert (
        listed(
            engine.hakobu("container", "prune", "--dry-run", "--filter", "until=1h").stdout, "Would delete Containers"
        )
        == []
    )
    assert listed(engine.hakobu("network", "prune", "--dry-run").stdout, "Would delete Networks") == ["idle"]
    assert listed(engine.hakobu("volume", "prune", "--dry-run").stdout, "Would delete Volumes") == [anonymous]
    assert listed(engine.hakobu("volume", "prune", "-a", "--dry-run").stdout, "Would delete Volumes") == sorted(
        [anonymous, "named"]
    )
    with monkeypatch.context() as older:
        older.setenv("HAKOBU_API_VERSION", "1.41")
        assert listed(engine.hakobu("volume", "prune", "--dry-run").stdout, "Would delete Volumes") == sorted(
            [anonymous, "named"]
        )
    assert listed(engine.hakobu("image", "prune", "-a", "--dry-run").stdout, "Would delete Images") == []
    every = engine.hakobu("system", "prune", "--volumes", "--dry-run").stdout
    # A volume of a container that goes first goes, too.
    assert listed(every, "Would delete Volumes") == sorted([anonymous, held])
    assert listed(every, "Would delete Networks") == ["idle"] and "Total reclaimable space:" in every

    # Nothing of it is gone; then all of it.
    assert set(engine.hakobu("ps", "-a", "--format", "{{.Names}}").stdout.split()) == {"gone", "made", "kept"}
    real = engine.hakobu("system", "prune", "--volumes", "-f").stdout
    assert len(listed(real, "Deleted Containers")) == 2
    assert listed(real, "Deleted Networks") == ["idle"] and listed(real, "Deleted Volumes") == sorted([anonymous, held])
    assert set(engine.hakobu("ps", "-a", "--format", "{{.Names}}").stdout.split()) == {"kept"}
    engine.hakobu("volume", "rm", "named")
    engine.hakobu("rm", "-f", "kept")
    engine.hakobu("volume", "rm", "used")


def test_debug_sees_the_containers_processes_network_and_files(engine):
    engine.hakobu(
        "run",
        "-d",
        "--name",
        "cd",
        "--hostname",
        "inside",
        "busybox",
        "sh",
        "-c",
        "echo secret >/file; exec sleep 4321",
    )
    assert "sleep 4321" in engine.hakobu("debug", "cd", "ps").stdout
    assert engine.hakobu("debug", "cd", "cat", "/proc/1/root/file").stdout == "secret\n"
    address = engine.hakobu("inspect", "-f", "{{.NetworkSettings.Networks.bridge.IPAddress}}", "cd").stdout.strip()
    assert address in engine.hakobu("debug", "cd", "ip", "addr").stdout
    assert engine.hakobu("ps", "-aq").stdout.count("\n") == 1
    assert failed(engine, "debug", "cd", "sh", "-c", "exit 9").returncode == 9
    engine.hakobu("stop", "-t", "0", "cd")
    assert "is not running" in failed(engine, "debug", "cd", "true").stderr


def test_a_volume_gets_another_name_and_keeps_its_files(engine):
    engine.hakobu("volume", "create", "--label", "a=b", "before")
    engine.hakobu("run", "--rm", "-v", "before:/v", "busybox", "sh", "-c", "echo kept >/v/f; chown 7:8 /v/f")
    assert engine.hakobu("volume", "rename", "before", "after").stdout == "after\n"
    assert engine.hakobu("volume", "ls", "-q").stdout == "after\n"
    read = ("run", "--rm", "-v", "after:/v", "busybox", "sh", "-c", "cat /v/f; stat -c %u:%g /v/f")
    assert engine.hakobu(*read).stdout == "kept\n7:8\n"
    assert engine.hakobu("volume", "inspect", "-f", "{{.Labels}}", "after").stdout == "map[a:b]\n"
    engine.hakobu("create", "--name", "holder", "-v", "after:/v", "busybox")
    assert "rename after: volume is in use - [" in failed(engine, "volume", "rename", "after", "other").stderr
    engine.hakobu("rm", "holder")
    engine.hakobu("volume", "create", "other")
    assert "a volume named other exists already" in failed(engine, "volume", "rename", "after", "other").stderr
    assert "get nobody: no such volume" in failed(engine, "volume", "rename", "nobody", "x1").stderr
    assert "includes invalid characters" in failed(engine, "volume", "rename", "after", "a/b").stderr
    engine.hakobu("volume", "rm", "after", "other")


def test_a_clone_of_a_volume_is_its_own(engine):
    make = (
        "mkdir /v/d; echo one >/v/d/f; ln /v/d/f /v/hard; ln -s d/f /v/l; chown 7:8 /v/d/f; chmod 1700 /v; chown 9 /v"
    )
    engine.hakobu("run", "--rm", "-v", "source:/v", "busybox", "sh", "-c", make)
    assert engine.hakobu("volume", "clone", "source", "copy").stdout == "copy\n"
    engine.hakobu("run", "--rm", "-v", "source:/v", "busybox", "sh", "-c", "echo two >/v/d/f")
    look = "cat /v/l; stat -c '%u:%g %h' /v/d/f; stat -c '%a %u' /v"
    done = engine.hakobu("run", "--rm", "-v", "copy:/v", "busybox", "sh", "-c", look)
    assert done.stdout == "one\n7:8 2\n1700 9\n"
    assert "a volume named copy exists already" in failed(engine, "volume", "clone", "source", "copy").stderr
    engine.hakobu("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "mounted")
    assert "mounts a device of its own" in failed(engine, "volume", "clone", "mounted", "new").stderr
    engine.hakobu("volume", "rm", "source", "copy", "mounted")


def test_a_container_is_edited_and_keeps_its_files(engine):
    flags = "--name ed -e A=1 -e B=2 -l keep=1 -l drop=1 -v data:/data -p 127.0.0.1:0:80"
    serve = "test -e /own || echo own >/own; echo vol >/data/f; exec httpd -f -p 80 -h /"
    engine.hakobu("run", "-d", *flags.split(), "busybox", "sh", "-c", serve)
    assert (
        "is running: stop it first, or use --restart" in failed(engine, "container", "edit", "-e", "A=9", "ed").stderr
    )
    engine.hakobu("exec", "ed", "sh", "-c", "echo mine >/own")
    change = "-e A=9 -e C=3 --env-rm B -l new=2 --label-rm drop -p 127.0.0.1:0:81 --publish-rm 80 -v more:/more"
    assert engine.hakobu("container", "edit", "--restart", *change.split(), "ed").stdout == "ed\n"
    assert engine.hakobu(
        "exec", "ed", "sh", "-c", "cat /own /data/f; echo $A$B$C; mount | grep -c ' /more '"
    ).stdout == ("mine\nvol\n93\n1\n")
    form = "{{.Config.Labels.keep}} {{.Config.Labels.new}} {{len .Mounts}} {{len .NetworkSettings.Ports}}"
    assert engine.hakobu("inspect", "-f", form, "ed").stdout == "1 2 2 1\n"
    assert engine.hakobu("port", "ed").stdout.startswith("81/tcp -> 127.0.0.1:")
    engine.hakobu("stop", "-t", "0", "ed")
    engine.hakobu("container", "edit", "--mount-rm", "/more", "--env-rm", "PATH", "ed")
    assert engine.hakobu("inspect", "-f", "{{len .Mounts}}", "ed").stdout == "1\n"
    for flag, name in (("--env-rm", "ZZ"), ("--label-rm", "made-up"), ("--mount-rm", "/zz"), ("--publish-rm", "99")):
        assert "to remove" in failed(engine, "container", "edit", flag, name, "ed").stderr
    assert "must provide one or more flags" in failed(engine, "container", "edit", "ed").stderr
    engine.hakobu("rm", "ed")
    engine.hakobu("volume", "rm", "data", "more")


def test_an_edit_keeps_anonymous_volumes(engine):
    engine.hakobu(
        "run", "--name", "an", "-v", "/data", "busybox", "sh", "-c", "cat /data/f 2>/dev/null; echo kept >/data/f"
    )
    engine.hakobu("container", "edit", "-e", "A=1", "-v", "other:/other", "an")
    assert engine.hakobu("start", "-a", "an").stdout == "kept\n"
    engine.hakobu("rm", "-v", "an")
    engine.hakobu("volume", "rm", "other")


def test_a_cleared_log_goes_on_with_what_is_printed_next(engine):
    flags = ("--log-opt", "max-size=1k", "--log-opt", "max-file=3", "--name", "lg")
    talk = "seq 1 50; while ! test -e /go; do sleep .05; done; echo after; sleep 1000"
    engine.hakobu("run", "-d", "--wait", *HEALTH, "--health-cmd", "true", *flags, "busybox", "sh", "-c", talk)
    assert engine.hakobu("logs", "--tail", "1", "lg").stdout == "50\n"
    follow = subprocess.Popen(
        [sys.executable, "-m", "hakobu.cli.main", "-H", engine.url, "logs", "-f", "lg"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert follow.stdout is not None
    assert next(line for line in follow.stdout if line == "50\n")
    assert engine.hakobu("logs", "--clear", "lg").stdout.startswith("Total reclaimed space: ")
    assert engine.hakobu("logs", "lg").stdout == ""
    engine.hakobu("exec", "lg", "touch", "/go")
    assert next(follow.stdout) == "after\n"
    follow.terminate()
    follow.communicate()
    assert engine.hakobu("logs", "lg").stdout == "after\n"
    assert "--clear goes alone" in failed(engine, "logs", "--clear", "-f", "lg").stderr
    engine.hakobu("run", "--name", "none", "--log-driver", "none", "busybox", "true")
    assert "logs of the driver none are not the engine's to clear" in failed(engine, "logs", "--clear", "none").stderr


def test_explain_shows_the_steps_and_takes_none(engine):
    line = ("--rm", "--name", "ex", "-p", "8080:80", "busybox", "true")
    said = engine.hakobu("run", "--explain", *line).stdout
    asked = engine.hakobu("explain", "run", *line).stdout
    # Each makes up an id, and from it what is named after it; the sentences are the same ones.
    assert [row.split("  ")[0] for row in said.splitlines()] == [row.split("  ")[0] for row in asked.splitlines()]
    assert "pivot_root" in said and "execve" in said
    assert "execve" in engine.hakobu("create", "--explain", "busybox", "true").stdout
    assert engine.hakobu("ps", "-aq").stdout == ""
    engine.hakobu("run", "-d", "--name", "ex", *SLEEP)
    assert "setns" in engine.hakobu("exec", "--explain", "ex", "touch", "/made").stdout
    assert failed(engine, "exec", "ex", "test", "-e", "/made").returncode == 1
