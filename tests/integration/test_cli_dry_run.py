"""`--dry-run`: the request is shown, nothing is sent, and what does not exist is refused as ever."""

import json

import pytest
from tests.integration.daemon import Daemon

SLEEP = ("busybox", "sleep", "1000")


def test_each_target_is_told_and_none_is_touched(engine: Daemon) -> None:
    for name in ("one", "two"):
        engine.hakobu("run", "-d", "--name", name, *SLEEP)
    try:
        told = engine.hakobu("stop", "--dry-run", "-t", "3", "one", "two").stdout
        assert told == "POST /containers/one/stop?t=3\nPOST /containers/two/stop?t=3\n"
        assert engine.hakobu("rm", "--dry-run", "-f", "one").stdout == "DELETE /containers/one?force=1\n"
        assert engine.hakobu("rename", "--dry-run", "one", "uno").stdout == "POST /containers/one/rename?name=uno\n"
        assert engine.hakobu("ps", "--format", "{{.Names}}").stdout.split() == ["two", "one"]
    finally:
        engine.remove_all()


def test_a_body_is_shown_as_it_would_be_sent(engine: Daemon) -> None:
    told = engine.hakobu("run", "--dry-run", "--name", "web", "-p", "18120:80", *SLEEP).stdout
    first, _, body = told.partition("\n")
    assert first == "POST /containers/create?name=web"
    assert json.loads(body)["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "", "HostPort": "18120"}]}
    told = engine.hakobu("network", "create", "--dry-run", "--internal", "closed").stdout
    assert json.loads(told.partition("\n")[2])["Internal"] is True
    assert engine.hakobu("volume", "create", "--dry-run", "data").stdout.startswith("POST /volumes/create\n")
    assert not engine.hakobu("ps", "-aq").stdout and "closed" not in engine.hakobu("network", "ls").stdout
    assert not engine.hakobu("volume", "ls", "-q").stdout


@pytest.mark.parametrize(
    "argv", [("stop", "nobody"), ("rmi", "nothing"), ("network", "rm", "no"), ("volume", "rm", "no")]
)
def test_what_is_not_there_is_refused(engine: Daemon, argv: tuple[str, ...]) -> None:
    refused = engine.hakobu(*argv, "--dry-run", check=False)
    assert (refused.returncode == 1 and "o such" in refused.stderr) or "not found" in refused.stderr
