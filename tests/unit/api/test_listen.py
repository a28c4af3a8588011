"""Listening sockets: their rights, replacing what is stale, leaving alone what lives."""

import os
import socket
import stat

import pytest

from hakobu.api.http.listen import NoSuchGroup, SocketInUse, listen_unix, passed_sockets


def test_a_socket_appears_with_its_rights_and_replaces_a_stale_one(tmp_path):
    path = str(tmp_path / "engine.sock")
    listen_unix(path).close()
    with listen_unix(path, group=str(os.getgid())) as listener:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        assert not listener.getblocking()
        assert os.listdir(tmp_path) == ["engine.sock"]


def test_without_a_group_only_the_owner_may(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    path = str(tmp_path / "engine.sock")
    with listen_unix(path):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_path_longer_than_sun_path(tmp_path):
    folder = tmp_path / ("d" * 100) / ("e" * 50)
    folder.mkdir(parents=True)
    with listen_unix(str(folder / "engine.sock")):
        assert (folder / "engine.sock").is_socket()


def test_a_living_engine_keeps_its_socket(tmp_path):
    path = str(tmp_path / "engine.sock")
    with listen_unix(path), pytest.raises(SocketInUse, match="in use by a running engine"):
        listen_unix(path)


def test_a_file_is_never_replaced(tmp_path):
    (tmp_path / "engine.sock").write_text("precious")
    with pytest.raises(FileExistsError, match="not a socket"):
        listen_unix(str(tmp_path / "engine.sock"))
    assert (tmp_path / "engine.sock").read_text() == "precious"


def test_an_unknown_group(tmp_path):
    with pytest.raises(NoSuchGroup, match="no-such-group-here"):
        listen_unix(str(tmp_path / "s"), group="no-such-group-here")


def test_sockets_are_taken_from_systemd_only_when_they_are_meant_for_us():
    assert passed_sockets({"LISTEN_PID": "1", "LISTEN_FDS": "1"}) == []
    assert passed_sockets({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"}) == []
    assert socket.SOCK_STREAM
