"""Small things that a comparison with dockerd, call by call, has shown."""

import json
import time

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


@pytest.mark.parametrize(("mode", "driver"), [("host", "host"), ("none", "null")])
def test_host_and_none_are_networks_too(api: Speaker, mode: str, driver: str):
    container = api.run("sleep", "1000", host={"NetworkMode": mode})
    network = api.json("GET", f"/networks/{mode}")
    joined = api.json("GET", f"/containers/{container}/json")["NetworkSettings"]["Networks"]
    assert list(joined) == [mode]
    assert (joined[mode]["NetworkID"], joined[mode]["IPAddress"]) == (network["Id"], "")
    assert network["Containers"][container]["EndpointID"] == joined[mode]["EndpointID"] != ""
    [listed] = api.json("GET", f'/containers/json?filters={{"network":["{mode}"]}}')
    assert listed["Id"] == container and list(listed["NetworkSettings"]["Networks"]) == [mode]
    assert not api.json("GET", f"/containers/{container}/stats?stream=0&one-shot=1").get("networks")
    status, _, events = api.call(
        "GET",
        f'/events?since=1&until={int(time.time()) + 1}&filters={{"type":["network"],"container":["{container}"]}}',
    )
    told = [json.loads(line) for line in events.splitlines()]
    assert status == 200 and [e["Actor"]["Attributes"]["type"] for e in told if e["Action"] == "connect"] == [driver]


def test_a_container_leaves_none_before_it_joins_another(api: Speaker):
    api.json("POST", "/networks/create", {"Name": "mine"})
    container = api.run("sleep", "1000", host={"NetworkMode": "none"})
    join = ("POST", "/networks/mine/connect", {"Container": container})
    said = "container cannot be connected to multiple networks with one of the networks in private (none) mode"
    assert api.refused(*join) == (403, said)
    assert api.call("POST", "/networks/none/disconnect", {"Container": container})[0] == 200
    assert api.call(*join)[0] == 200
    joined = api.json("GET", f"/containers/{container}/json")["NetworkSettings"]["Networks"]
    assert list(joined) == ["mine"] and joined["mine"]["IPAddress"]
    host = api.run("sleep", "1000", host={"NetworkMode": "host"})
    said = "container cannot be disconnected from host network or connected to host network"
    assert api.refused("POST", "/networks/host/disconnect", {"Container": host}) == (403, said)


def test_memory_alone_sets_as_much_swap_again(api: Speaker):
    container = api.create("true", host={"Memory": 32 << 20})
    assert api.json("GET", f"/containers/{container}/json")["HostConfig"]["MemorySwap"] == 64 << 20


def test_a_containers_own_environment_stands_first(api: Speaker):
    container = api.create("true", Env=["MODE=test"])
    assert api.json("GET", f"/containers/{container}/json")["Config"]["Env"] == ["MODE=test", "PATH=/bin"]


def test_history_names_the_images_it_was_committed_from(api: Speaker):
    container = api.create("true")
    made = api.json("POST", f"/commit?container={container}&repo=made&tag=1&comment=m")["Id"]
    base = api.json("GET", "/images/bb/json")["Id"]
    told = [(entry["Id"], entry["Tags"]) for entry in api.json("GET", "/images/made:1/history")]
    assert told == [(made, ["made:1"]), (base, ["bb:latest"])]
    api.call("DELETE", "/images/made:1")


@pytest.mark.parametrize("ipam", [{"Options": {}}, {}, {"Options": {"a": "b"}}])
def test_a_networks_ipam_options_are_as_they_were_sent(api: Speaker, ipam: dict[str, dict[str, str]]):
    api.json("POST", "/networks/create", {"Name": "mine", "IPAM": ipam})
    assert api.json("GET", "/networks/mine")["IPAM"]["Options"] == ipam.get("Options")
    assert api.json("GET", "/networks/bridge")["IPAM"]["Options"] is None


@pytest.mark.parametrize(
    ("host", "config", "said"),
    [
        ({"CapAdd": ["FOO"]}, {}, 'invalid CapAdd: unknown capability: "CAP_FOO"'),
        ({"CapDrop": ["CAP_BAR"]}, {}, 'invalid CapDrop: unknown capability: "CAP_BAR"'),
        ({"Ulimits": [{"Name": "files", "Soft": 1, "Hard": 1}]}, {}, "invalid ulimit type: files"),
        ({}, {"StopSignal": "SIGFOO"}, "invalid signal: SIGFOO"),
    ],
)
def test_names_that_the_kernel_does_not_have_are_refused_at_once(api: Speaker, host, config, said):
    assert api.refused("POST", "/containers/create", {"Image": "bb", "HostConfig": host, **config}) == (400, said)


def test_programs_below_a_read_only_path_still_run(api: Speaker):
    paths = {"MaskedPaths": ["/etc/passwd"], "ReadonlyPaths": ["/bin"]}
    container = api.run("sh", "-c", "test ! -s /etc/passwd && ! touch /bin/new", host=paths)
    assert api.wait(container) == 0


def test_a_bad_archive_is_told_in_the_stream_of_the_load(api: Speaker):
    status, headers, body = api.call("POST", "/images/load", b"abc")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body)["errorDetail"]["message"] == json.loads(body)["error"] != ""
