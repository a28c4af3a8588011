"""Images from Debian's packages, in a running engine. The building itself needs the network, and is done before."""

import json

from tests.integration.daemon import Daemon


def test_an_image_that_is_there_is_not_made_again(nginx: Daemon) -> None:
    before = nginx.hakobu("inspect", "nginx").stdout
    done = nginx.hakobu("image", "bootstrap", "nginx")
    assert "nginx:latest is there already" in done.stderr
    assert done.stdout.strip() == json.loads(before)[0]["Id"]
    assert nginx.hakobu("inspect", "nginx").stdout == before


def test_the_image_says_what_it_is(nginx: Daemon) -> None:
    config = json.loads(nginx.hakobu("inspect", "nginx").stdout)[0]["Config"]
    assert config["Cmd"] == ["nginx", "-g", "daemon off;"]
    assert config["ExposedPorts"] == {"80/tcp": {}}
    assert config["StopSignal"] == "SIGQUIT"
    assert config["Labels"]["hakobu.bootstrap.recipe"].startswith("sha256:")
    assert "made from Debian packages" in config["Labels"]["org.opencontainers.image.description"]


def test_logs_go_to_the_containers_streams_and_quit_ends_it(nginx: Daemon) -> None:
    nginx.hakobu("run", "-d", "--name", "bootstrapped", "nginx")
    try:
        assert nginx.hakobu("exec", "bootstrapped", "id", "-u", "nginx").stdout.strip() == "101"
        nginx.hakobu("stop", "bootstrapped")
        assert json.loads(nginx.hakobu("inspect", "bootstrapped").stdout)[0]["State"]["ExitCode"] == 0
        assert "SIGQUIT" in nginx.hakobu("logs", "bootstrapped").stderr
    finally:
        nginx.hakobu("rm", "-f", "bootstrapped")


def test_an_unknown_recipe_is_answered_with_those_there_are(engine: Daemon) -> None:
    done = engine.hakobu("image", "bootstrap", "oracle", check=False)
    assert done.returncode == 1
    assert "no recipe for oracle" in done.stderr
    assert "nginx" in done.stderr
