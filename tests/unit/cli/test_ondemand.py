"""Starting the caller's own engine: what it is given, and what is told when it does not come up."""

import ast
import os
import socket
import sys

import pytest

from hakobu.cli import ondemand
from hakobu.cli.failure import Failure
from hakobu.client.endpoint import Endpoint
from hakobu.client.error import CannotConnect
from hakobu.client.socket_door import connect


def test_only_named_variables_reach_the_engine():
    env = {"HOME": "/h", "PATH": "/evil", "LD_PRELOAD": "x", "PYTHONPATH": "y", "https_proxy": "p", "SECRET": "s"}
    kept = {"HOME": "/h", "PATH": ondemand._PATH, "https_proxy": "p"}
    assert ondemand.daemon_environment(env, 0) == kept
    assert ondemand.daemon_environment({**env, "SUDO_UID": "1000"}, 0) == {**kept, "SUDO_UID": "1000"}
    assert ondemand.daemon_environment(env, 7)["PATH"] == "/evil"


def test_logs_have_their_place():
    assert ondemand.log_path({}, 0) == "/var/log/hakobu/daemon.log"
    assert ondemand.log_path({"HOME": "/h"}, 7) == "/h/.local/state/hakobu/daemon.log"
    assert ondemand.log_path({"XDG_STATE_HOME": "/s"}, 7) == "/s/hakobu/daemon.log"


def test_a_scope_of_systemds_where_there_is_systemd(tmp_path):
    assert ondemand.scope_argv(0, systemd=f"{tmp_path}/none") == []
    assert ondemand.scope_argv(0, systemd=str(tmp_path), program=f"{tmp_path}/none") == []
    assert ondemand.scope_argv(0, systemd=str(tmp_path), program="/bin/sh")[:2] == ["/bin/sh", "--scope"]
    assert ondemand.scope_argv(7, systemd=str(tmp_path), program="/bin/sh")[1] == "--user"


@pytest.fixture
def endpoint(tmp_path, monkeypatch):
    """An own endpoint, and an interpreter that is a script of the test's."""
    monkeypatch.setattr(ondemand, "log_path", lambda env, uid: f"{tmp_path}/log/daemon.log")
    return Endpoint(f"unix://{tmp_path}/run/hakobu.sock", own=True)


def interpreter(tmp_path, monkeypatch, script: str) -> None:
    path = tmp_path / "python"
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


def test_an_engine_that_does_not_come_up_shows_its_log(tmp_path, monkeypatch, endpoint):
    interpreter(tmp_path, monkeypatch, "import sys\nprint('no cgroups here', file=sys.stderr)\nsys.exit(3)\n")
    endpoint.start = ondemand.start
    with pytest.raises(Failure) as caught:
        connect(endpoint)
    assert caught.value.message.splitlines() == [
        f"the engine did not start (exit status 3); the end of {tmp_path}/log/daemon.log:",
        "  no cgroups here",
    ]


def test_the_engine_is_started_in_a_session_of_its_own(tmp_path, monkeypatch, endpoint):
    interpreter(
        tmp_path,
        monkeypatch,
        "import os, socket, sys\n"
        f"open({str(tmp_path / 'seen')!r}, 'w').write(repr([sys.argv[1:], os.getcwd(), os.getsid(0) == os.getpid(), "
        "sorted(os.environ), os.listdir('/proc/self/fd')]))\n"
        f"s = socket.socket(socket.AF_UNIX); s.bind({endpoint.address!r}); s.listen(); c, _ = s.accept()\n"
        "c2, _ = s.accept()\n",
    )
    monkeypatch.setenv("SECRET", "s")
    here = os.getcwd()
    endpoint.start = ondemand.start
    connect(endpoint).close()
    argv, cwd, leads, names, fds = ast.literal_eval((tmp_path / "seen").read_text())
    assert argv == ["-I", "-m", "hakobu.daemon", "--on-demand", "--ready-fd=3"]
    assert (cwd, leads, os.getcwd()) == ("/", True, here)
    assert "SECRET" not in names
    assert (
        len(fds) == 6
    )  # its three streams, the pipe to say that it is ready, the file it writes this to, and the one that lists them
    assert os.stat(f"{tmp_path}/run").st_mode & 0o777 == 0o700


def test_a_place_that_cannot_be_made_is_told(tmp_path, endpoint):
    (tmp_path / "run").write_text("not a directory")
    endpoint.start = ondemand.start
    endpoint.address = f"{tmp_path}/run/below/hakobu.sock"
    with pytest.raises((Failure, CannotConnect)) as caught:
        ondemand.start(endpoint)
    assert "none can be started" in str(caught.value)


def test_somebody_elses_engine_is_not_started(tmp_path):
    with pytest.raises(CannotConnect, match="Is the docker daemon running"):
        connect(Endpoint(f"unix://{tmp_path}/none.sock"))


def test_a_socket_path_may_be_long(tmp_path):
    folder = tmp_path / ("d" * 60) / ("e" * 60)
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        fd = os.open(folder, os.O_PATH)
        listener.bind(f"/proc/self/fd/{fd}/s")
        os.close(fd)
        listener.listen()
        connect(Endpoint(f"unix://{folder}/s")).close()
