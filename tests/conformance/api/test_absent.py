"""What this engine has not, said as Docker says it: swarm and plugins; and the paths beside the published ones."""

import json

import pytest
from tests.conformance.api.speaker import Speaker
from tests.integration.daemon import Daemon

pytestmark = pytest.mark.root

NOT_A_MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm '
    "and try again."
)


@pytest.mark.parametrize(
    "command", ["node ls", "service ls", "stack ls", "secret ls", "config ls", "swarm unlock-key", "service rm x"]
)
def test_docker_is_told_that_there_is_no_swarm(loaded: Speaker, daemon: Daemon, command: str):
    done = daemon.docker(*command.split(), check=False)
    assert done.returncode == 1
    assert NOT_A_MANAGER in done.stderr


def test_swarm_s_own_verbs(loaded: Speaker, daemon: Daemon):
    left = daemon.docker("swarm", "leave", check=False)
    assert (left.returncode, "This node is not part of a swarm" in left.stderr) == (1, True)
    begun = daemon.docker("swarm", "init", check=False)
    assert (begun.returncode, "SwarmInit is not supported by this engine" in begun.stderr) == (1, True)
    assert loaded.refused("GET", "/swarm") == (503, NOT_A_MANAGER)
    assert loaded.refused("PUT", "/volumes/x?version=1", {}) == (
        503,
        "volume update only valid for cluster volumes, but swarm is unavailable",
    )


def test_there_are_no_plugins(loaded: Speaker, daemon: Daemon):
    assert daemon.docker("plugin", "ls", "--format", "{{.Name}}").stdout == ""
    gone = daemon.docker("plugin", "rm", "nope", check=False)
    assert (gone.returncode, 'plugin "nope" not found' in gone.stderr) == (1, True)
    assert loaded.refused("GET", '/plugins?filters={"colour":["red"]}') == (400, "invalid filter 'colour'")


def test_options_and_trailing_slashes(loaded: Speaker):
    status, headers, body = loaded.call("OPTIONS", "/containers/json")
    assert (status, body, "content-type" in headers) == (200, b"", False)
    assert headers["content-length"] == "0"
    assert loaded.json("GET", "/networks/") == loaded.json("GET", "/networks")
    assert loaded.call("HEAD", "/containers/json")[0] == 404


def test_debug_variables(loaded: Speaker):
    status, headers, body = loaded.call("GET", "/debug/vars")
    assert (status, headers["content-type"].partition(";")[0]) == (200, "application/json")
    told = json.loads(body)
    assert "hakobu.daemon" in told["cmdline"]
    assert told["memstats"]["Sys"] > 1 << 20
