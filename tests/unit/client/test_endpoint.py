"""Where the command line looks for an engine."""

import hashlib
import json

import pytest

from hakobu.client.endpoint import Endpoint, choose, own_socket
from hakobu.client.error import BadEndpoint


def test_the_flag_wins_over_everything():
    env = {"HAKOBU_HOST": "unix:///b", "DOCKER_HOST": "unix:///c"}
    assert choose("unix:///a", env=env).url == "unix:///a"
    assert choose(env=env).url == "unix:///b"


def test_docker_host_counts_only_for_docker():
    env = {"DOCKER_HOST": "unix:///c", "XDG_RUNTIME_DIR": "/x"}
    assert choose(env=env).own
    chosen = choose(env=env, as_docker=True)
    assert (chosen.url, chosen.chosen_by, chosen.own) == ("unix:///c", "DOCKER_HOST", False)


def test_own_sockets():
    assert own_socket({}, 0) == "/run/hakobu/hakobu.sock"
    assert own_socket({"HOME": "/h"}, 7) == "/h/.local/share/hakobu/run/hakobu.sock"
    assert own_socket({"XDG_RUNTIME_DIR": "/x"}, 7) == "/x/hakobu/hakobu.sock"


def test_contexts_are_read_from_dockers_configuration(tmp_path):
    folder = tmp_path / "contexts/meta" / hashlib.sha256(b"far").hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": "tcp://far:1"}}}))
    env = {"DOCKER_CONFIG": str(tmp_path), "HAKOBU_CONTEXT": "far"}
    assert choose(context="far", env=env).url == "tcp://far:1"
    assert choose(env=env).chosen_by == "HAKOBU_CONTEXT far"
    with pytest.raises(BadEndpoint, match='context "near": context not found'):
        choose(context="near", env=env)
    (tmp_path / "config.json").write_text('{"currentContext": "far"}')
    env = {"DOCKER_CONFIG": str(tmp_path)}
    assert choose(env=env).own
    assert choose(env=env, as_docker=True).url == "tcp://far:1"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("unix:///a/b", ("unix", "/a/b", 0)),
        ("tcp://h:99", ("tcp", "h", 99)),
        ("tcp://h", ("tcp", "h", 2375)),
        ("tcp://[::1]:5", ("tcp", "::1", 5)),
        ("/a", ("unix", "/a", 0)),
    ],
)
def test_urls(url, expected):
    endpoint = Endpoint(url)
    assert (endpoint.scheme, endpoint.address, endpoint.port) == expected


@pytest.mark.parametrize("url", ["npipe://x", "fd://x", "foo://x"])
def test_schemes_that_are_not_spoken_are_refused_by_name(url):
    with pytest.raises(BadEndpoint, match=url.split(":")[0]):
        Endpoint(url)
