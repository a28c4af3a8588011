"""The life of a container through the command line: every operation, in every status, and what is left afterwards."""

import json
import os
import signal
from pathlib import Path

import pytest
from tests.kernel.runtime_cli.bundle import bundle

ALLOWED = {
    "start": {"created"},
    "kill": {"created", "running", "paused"},
    "pause": {"created", "running"},
    "resume": {"paused"},
    "delete": {"stopped"},
    "exec": {"created", "running"},
    "update": {"created", "running", "paused"},
    "state": {"created", "running", "paused", "stopped"},
}
WORDS = {
    "exec": ("exec", "box", "true"),
    "update": ("update", "--pids-limit", "40", "box"),
    "kill": ("kill", "box", "WINCH"),
}


def test_create_start_kill_delete(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        assert box.create("sleep", "1000", options=("--pid-file", str(tmp_path / "pid"))).code == 0
        state = box.state()
        assert state["status"] == "created" and state["bundle"] == str(tmp_path) and state["ociVersion"] == "1.3.0"
        assert (tmp_path / "pid").read_text() == str(state["pid"])
        assert Path(f"/proc/{state['pid']}/cmdline").read_bytes() != b"sleep\x001000\x00"
        assert box("start", "box").code == 0
        assert Path(f"/proc/{state['pid']}/cmdline").read_bytes() == b"sleep\x001000\x00"
        assert box.state()["status"] == "running"
        assert [c["id"] for c in json.loads(box("list", "--format", "json").out)] == ["box"]
        assert json.loads(box("ps", "--format", "json", "box").out) == [state["pid"]]
        assert "sleep 1000" in box("ps", "box").out
        assert box.kill_and_reap() == -signal.SIGKILL
        assert (box.state()["status"], box.state()["pid"]) == ("stopped", 0)
        assert box("delete", "box").code == 0
        assert box("list", "--quiet").out == ""


@pytest.mark.parametrize("status", ["created", "running", "paused", "stopped"])
@pytest.mark.parametrize("operation", ALLOWED)
def test_what_is_allowed_in_which_status(tmp_path: Path, operation: str, status: str) -> None:
    with bundle(tmp_path) as box:
        assert box.create("sleep", "1000").code == 0
        if status != "created":
            assert box("start", "box").code == 0
        if status == "paused":
            assert box("pause", "box").code == 0
        if status == "stopped":
            box.kill_and_reap()
        assert box.state()["status"] == status
        said = box(*WORDS.get(operation, (operation, "box")))
        assert (said.code == 0) is (status in ALLOWED[operation]), said.err
        if said.code:
            assert box.state()["status"] == status


@pytest.mark.parametrize(
    "words", [("state",), ("kill",), ("delete",), ("start",), ("pause",), ("exec",), ("ps",), ("events",)]
)
def test_who_is_not_there_and_who_was_not_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    with bundle(tmp_path) as box:
        said = box(*words, "nobody", *(["true"] if words == ("exec",) else []))
        assert said.code == (255 if words == ("exec",) else 1) and "does not exist" in said.err
        assert "missing" in box(*words).err
        assert box("delete", "--force", "nobody").code == 0


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        assert box.create("sleep", "1000").code == 0
        again = box.create("true")
        assert again.code == 1 and "already exists" in again.err
        assert box.state()["status"] == "created"
        assert box.create("true", name="../evil").code == 1
        assert box.create("true", name=".seccomp").code == 1


def test_the_exit_code_is_the_process_s(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        said = box.run("sh", "-c", "echo out; echo err >&2; exit 7")
        assert (said.code, said.out, said.err) == (7, "out\n", "err\n")
        assert box("list", "--quiet").out == ""


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("nosuch",), "executable file not found in $PATH"),
        (("/nosuch",), "no such file or directory"),
        (("/etc",), "permission denied"),
        (("/etc/passwd",), "permission denied"),
    ],
)
def test_a_program_that_cannot_be_executed_is_told_at_create(tmp_path: Path, argv: tuple[str, ...], words: str) -> None:
    with bundle(tmp_path) as box:
        said = box.create(*argv)
        assert said.code == 1 and words in said.err
        assert box("list", "--quiet").out == ""


def test_what_only_the_kernel_refuses_is_told_at_start(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        program = box.rootfs / "bin/odd"
        program.write_bytes(b"\x7fELF nonsense")
        program.chmod(0o755)
        assert box.create("/bin/odd").code == 0
        said = box("start", "box")
        assert said.code == 1 and "exec format error" in said.err
        assert box.state()["status"] == "stopped"
        again = box("start", "box")
        assert again.code == 1 and "stopped" in again.err


def test_the_log_is_what_engines_parse(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        log = tmp_path / "log"
        box("state", "nobody", globals=("--log", str(log), "--log-format", "json"))
        line = json.loads(log.read_text())
        assert line["level"] == "error" and "does not exist" in line["msg"] and line["time"].endswith("Z")
        box("state", "nobody", globals=("--log", str(log), "--log-format", "text"))
        assert 'level=error msg="container nobody does not exist"' in log.read_text().splitlines()[1]


def test_a_signal_ends_a_created_container(tmp_path: Path) -> None:
    """Init of a pid namespace is shielded from what it has no handler for; one that waits must not be."""
    with bundle(tmp_path) as box:
        assert box.create("sleep", "1000").code == 0
        assert box.kill_and_reap(signal="TERM") == 128 + signal.SIGTERM
        assert box("delete", "box").code == 0


def test_a_pid_given_away_again_is_not_taken_for_the_container(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        box.start("sleep", "1000")
        box.kill_and_reap()
        path = box.root / "box/state.json"
        kept = json.loads(path.read_text())
        path.write_text(json.dumps({**kept, "pid": os.getpid()}))
        assert box.state()["status"] == "stopped"
        assert box("kill", "box", "KILL").code == 1
        path.write_text(json.dumps({**kept, "boot_id": "another"}))
        assert box.state()["status"] == "stopped"
        assert box("delete", "box").code == 0


def test_all_of_a_container_that_shares_the_host_s_pids_ends(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        box.config["linux"]["namespaces"] = [n for n in box.config["linux"]["namespaces"] if n["type"] != "pid"]
        box.start("sh", "-c", "sleep 1000 & sleep 1001")
        pids = json.loads(box("ps", "--format", "json", "box").out)
        while len(pids) < 2:
            pids = json.loads(box("ps", "--format", "json", "box").out)
        box.kill_and_reap()
        for pid in set(pids[1:]):
            os.waitpid(pid, 0)  # ours as well: they end, or this does not
        assert box("delete", "box").code == 0


def test_limits_are_changed_and_remembered(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        box.start("sleep", "1000")
        assert box("update", "--memory", "64m", "--pids-limit", "33", "box").code == 0
        stats = json.loads(box("events", "--stats", "box").out)["data"]
        assert stats["memory"]["usage"]["limit"] == 64 << 20 and stats["pids"]["limit"] == 33
        said = box("update", "--resources", "-", "box", stdin=json.dumps({"pids": {"limit": 44}}))
        assert said.code == 0, said.err
        kept = json.loads((box.root / "box/state.json").read_text())["config"]["linux"]["resources"]
        assert kept["pids"] == {"limit": 44} and kept["memory"]["limit"] == 64 << 20
        assert box("update", "--l3-cache-schema", "L3:0=f", "box").code == 1


def test_what_criu_cannot_do_here_is_said(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        box.start("sleep", "1000")
        said = box("checkpoint", "--image-path", str(tmp_path / "i"), "box")
        assert said.code == 1 and "criu" in said.err
        assert box.state()["status"] == "running"


def test_spec_and_features_tell_of_what_runs(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        assert box("spec").code == 0
        box.config = json.loads((tmp_path / "config.json").read_text())
        box.config["process"]["terminal"] = False
        assert box.run("hostname").out == "hakobu\n"
        assert box("spec").code == 1
        features = json.loads(box("features").out)
        assert features["linux"]["intelRdt"] == {"enabled": False}
        assert "rro" in features["mountOptions"] and "startContainer" in features["hooks"]
