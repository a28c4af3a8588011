"""Small things that a comparison with dockerd, call by call, has shown."""

import pytest
from tests.conformance.api.speaker import Speaker

pytestmark = pytest.mark.root


def test_an_empty_answer_has_no_type(api: Speaker):
    container = api.run("sleep", "1000")
    for method, target in (
        ("POST", f"/containers/{container}/resize?h=5&w=5"),
        ("HEAD", f"/containers/{container}/archive?path=/bin"),
    ):
        status, headers, _ = api.call(method, target)
        assert (status, "content-type" in headers) == (200, False), target
        assert headers["content-length"] == "0"
    status, headers, _ = api.call("POST", "/images/bb/tag?repo=zz&tag=1")
    assert (status, "content-type" in headers) == (201, False)
    api.call("DELETE", "/images/zz:1")


def test_a_kill_of_what_does_not_run_says_both_names(api: Speaker):
    container = api.create("true", name="idle")
    said = f"cannot kill container: idle: container {container} is not running"
    assert api.refused("POST", "/containers/idle/kill") == (409, said)


@pytest.mark.parametrize(("version", "own"), [("1.44", True), ("1.45", False)])
def test_aliases_by_version(api: Speaker, version: str, own: bool):
    api.json("POST", "/networks/create", {"Name": "mine"})
    networks = {"EndpointsConfig": {"mine": {"Aliases": ["front"]}}}
    container = api.run("sleep", "1000", host={"NetworkMode": "mine"}, NetworkingConfig=networks)
    told = Speaker(api.path, version).json("GET", f"/containers/{container}/json")["NetworkSettings"]["Networks"]
    assert told["mine"]["Aliases"] == (["front", container[:12]] if own else ["front"])
    assert "StopSignal" not in api.json("GET", f"/containers/{container}/json")["Config"]
