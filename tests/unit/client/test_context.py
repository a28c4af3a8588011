"""docker's contexts on disk."""

import json
import os
import stat

import pytest

from hakobu.client.configuration import BrokenConfiguration, change
from hakobu.client.context import Context, ContextStore, NoSuchContext
from hakobu.client.endpoint import Endpoint, choose
from hakobu.client.error import BadEndpoint
from hakobu.client.ssh_door import ssh_command


def test_a_context_comes_back_as_it_was_put(tmp_path):
    store = ContextStore(str(tmp_path))
    store.put(Context("far", "the far one", "tcp://far:2376", True, {"ca.pem": b"c", "key.pem": b"k"}))
    found = store.get("far")
    assert (found.description, found.host, found.skip_tls_verify) == ("the far one", "tcp://far:2376", True)
    assert found.tls == {"ca.pem": b"c", "key.pem": b"k"}
    key = f"{store.tls_dir('far')}/docker/key.pem"
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    store.put(Context("far", "", "tcp://far:2375"))
    assert store.get("far").tls == {}
    store.remove("far")
    assert store.list() == []
    with pytest.raises(NoSuchContext, match=r'context "far": context not found: open .*meta\.json: no such file'):
        store.get("far")


def test_a_contexts_tls_goes_to_the_endpoint(tmp_path):
    store = ContextStore(str(tmp_path))
    store.put(Context("far", "", "tcp://far:2376", False, {"ca.pem": b"c"}))
    endpoint = choose(context="far", env={"DOCKER_CONFIG": str(tmp_path)})
    assert endpoint.tls is not None
    assert (endpoint.tls.ca, endpoint.tls.cert, endpoint.tls.verify) == (
        f"{store.tls_dir('far')}/docker/ca.pem",
        "",
        True,
    )


def test_our_own_choice_counts_for_us_alone(tmp_path):
    ContextStore(str(tmp_path)).put(Context("far", "", "tcp://far:2375"))
    change(f"{tmp_path}/hakobu.json", lambda document: document.update(currentContext="far"))
    env = {"DOCKER_CONFIG": str(tmp_path)}
    assert choose(env=env).url == "tcp://far:2375"
    assert choose(env=env, as_docker=True).own


def test_a_change_keeps_what_it_does_not_know(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"auths": {"r": {"auth": "x"}}, "later": [1]}')
    path.chmod(0o640)
    change(str(path), lambda document: document.update(currentContext="a"))
    assert json.loads(path.read_text()) == {"auths": {"r": {"auth": "x"}}, "later": [1], "currentContext": "a"}
    assert path.read_text().startswith('{\n\t"auths": {\n\t\t"r"')
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.write_text("{broken")
    with pytest.raises(BrokenConfiguration):
        change(str(path), lambda document: document.clear())
    assert path.read_text() == "{broken"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ssh://h", ["--", "h"]),
        ("ssh://me@h:2222", ["-l", "me", "-p", "2222", "--", "h"]),
        ("ssh://me@[::1]", ["-l", "me", "--", "::1"]),
    ],
)
def test_ssh_addresses(url, words):
    argv = ssh_command(Endpoint(url))
    assert argv[:4] == ["ssh", "-o", "ConnectTimeout=30", "-T"]
    assert argv[4:-1] == words
    assert "exec hakobu system dial-stdio; else exec docker system dial-stdio" in argv[-1]


def test_ssh_to_a_socket_over_there():
    assert "exec hakobu --host unix:///run/x.sock system dial-stdio" in ssh_command(Endpoint("ssh://h/run/x.sock"))[-1]


@pytest.mark.parametrize("url", ["ssh://", "ssh://-oProxyCommand=x", "ssh://a@-x", "ssh://h:x"])
def test_no_ssh_address(url):
    with pytest.raises(BadEndpoint, match="unable to parse docker host"):
        Endpoint(url)
