"""One test for each wire behaviour that breaks clients where it is wrong."""

import base64
import io
import json
import os
import tarfile
import time
from contextlib import ExitStack

import pytest
from tests.conformance.api.speaker import Speaker, split_frames

pytestmark = pytest.mark.root


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_ping_carries_what_clients_negotiate_by(api: Speaker, method):
    status, headers, body = api.call(method, "/_ping")
    assert status == 200
    assert body == (b"OK" if method == "GET" else b"")
    assert headers["api-version"] == "1.51"
    assert headers["ostype"] == "linux"
    assert headers["docker-experimental"] == "false"
    assert headers["builder-version"] == "1"
    assert headers["swarm"] == "inactive"


def test_error_bodies_and_statuses(api: Speaker):
    assert api.refused("GET", "/containers/nope/json") == (404, "No such container: nope")
    assert api.refused("GET", "/nowhere") == (404, "page not found")
    assert api.refused("POST", "/swarm/init", {}) == (501, "SwarmInit is not supported by this engine")
    assert api.refused("POST", "/containers/create", {"Image": 5})[0] == 400
    assert api.refused("POST", "/containers/create", {"Image": "no-such-image"})[0] == 404
    api.create("true", name="taken")
    status, text = api.refused("POST", "/containers/create?name=taken", {"Image": "bb"})
    assert status == 409 and text.startswith('Conflict. The container name "/taken" is already in use by container')


def test_start_and_stop_that_change_nothing_answer_304(api: Speaker):
    container = api.run("sleep", "100")
    assert api.call("POST", f"/containers/{container}/start")[0] == 304
    assert api.call("POST", f"/containers/{container}/stop?t=0")[0] == 204
    assert api.call("POST", f"/containers/{container}/stop")[0] == 304


@pytest.mark.parametrize("upgrade", [True, False])
def test_attach_is_hijacked_and_a_half_close_ends_stdin(api: Speaker, upgrade):
    container = api.create("cat", OpenStdin=True, StdinOnce=True, AttachStdin=True)
    attached = api.hijack(f"/containers/{container}/attach?stream=1&stdin=1&stdout=1&stderr=1", upgrade=upgrade)
    assert attached.status == (101 if upgrade else 200)
    assert attached.headers["content-type"] == "application/vnd.docker.multiplexed-stream"
    assert api.call("POST", f"/containers/{container}/start")[0] == 204
    attached.sock.sendall(b"through\n")
    attached.sock.shutdown(1)
    assert attached.frames() == [(1, b"through\n")]
    assert api.wait(container) == 0
    attached.close()


def test_framing_follows_terminal_and_version(api: Speaker):
    old = Speaker(api.path, "1.41")
    container = api.run("sh", "-c", "echo out; echo err >&2")
    api.wait(container)
    for speaker, kind in ((api, "multiplexed"), (old, "raw")):
        _, headers, body = speaker.call("GET", f"/containers/{container}/logs?stdout=1&stderr=1")
        assert headers["content-type"] == f"application/vnd.docker.{kind}-stream"
        assert sorted(split_frames(body)) == [(1, b"out\n"), (2, b"err\n")]
    terminal = api.run("echo", "plain", Tty=True)
    api.wait(terminal)
    _, headers, body = api.call("GET", f"/containers/{terminal}/logs?stdout=1")
    assert headers["content-type"] == "application/vnd.docker.raw-stream"
    assert body == b"plain\r\n"


def test_wait_sends_its_head_before_the_container_is_started(api: Speaker):
    container = api.create("sh", "-c", "exit 7")
    connection = api.open("POST", f"/containers/{container}/wait?condition=next-exit")
    response = connection.getresponse()
    assert response.status == 200
    api.call("POST", f"/containers/{container}/start")
    assert json.loads(response.read()) == {"StatusCode": 7}
    connection.close()
    assert api.refused("POST", f"/containers/{container}/wait?condition=never")[0] == 400


def test_wait_for_removal(api: Speaker):
    container = api.create("true", host={"AutoRemove": True})
    connection = api.open("POST", f"/containers/{container}/wait?condition=removed")
    response = connection.getresponse()
    api.call("POST", f"/containers/{container}/start")
    assert json.loads(response.read()) == {"StatusCode": 0}
    connection.close()
    assert api.call("GET", f"/containers/{container}/json")[0] == 404


def exec_in(api: Speaker, container: str, *cmd: str, **options) -> str:
    body = {"Cmd": list(cmd), "AttachStdout": True, "AttachStderr": True, **options}
    return api.json("POST", f"/containers/{container}/exec", body)["Id"]


def test_exec_is_hijacked_and_keeps_its_exit_code(api: Speaker):
    container = api.run("sleep", "100")
    exec_id = exec_in(api, container, "sh", "-c", "cat; echo $X >&2; exit 4", AttachStdin=True, Env=["X=y"])
    started = api.hijack(f"/exec/{exec_id}/start", {"Detach": False, "Tty": False})
    started.sock.sendall(b"in")
    started.sock.shutdown(1)
    assert started.frames() == [(1, b"in"), (2, b"y\n")]
    started.close()
    found = api.json("GET", f"/exec/{exec_id}/json")
    assert (found["Running"], found["ExitCode"], found["ContainerID"]) == (False, 4, container)
    assert api.refused("POST", f"/exec/{exec_id}/start", {})[0] == 409


def test_exec_of_a_missing_command_says_so_on_the_stream(api: Speaker):
    container = api.run("sleep", "100")
    exec_id = exec_in(api, container, "nosuchcmd")
    started = api.hijack(f"/exec/{exec_id}/start", {"Detach": False, "Tty": False})
    text = b"".join(data for _, data in started.frames())
    started.close()
    assert b"executable file not found" in text
    assert api.json("GET", f"/exec/{exec_id}/json")["ExitCode"] == 127


def test_a_start_that_cannot_find_its_command(api: Speaker):
    container = api.create("nosuchcmd")
    status, text = api.refused("POST", f"/containers/{container}/start")
    assert status == 400 and "executable file not found in $PATH" in text
    assert api.json("GET", f"/containers/{container}/json")["State"]["ExitCode"] == 127


def test_events_are_lines_in_the_old_form_too(api: Speaker):
    since = time.time()
    container = api.run("true", name="seen", Labels={"a": "b"})
    api.wait(container)
    until = time.time() + 0.5
    filters = json.dumps({"type": {"container": True}, "container": ["seen"]}).replace(" ", "")
    _, headers, body = api.call("GET", f"/events?since={since:.9f}&until={until:.9f}&filters={filters}")
    assert headers["content-type"] == "application/json"
    events = [json.loads(line) for line in body.splitlines()]
    assert [event["Action"] for event in events][:3] == ["create", "start", "die"]
    first = events[0]
    assert (first["status"], first["id"], first["from"]) == ("create", container, "bb")
    assert first["Actor"]["Attributes"]["name"] == "seen" and first["Actor"]["Attributes"]["a"] == "b"
    assert first["timeNano"] // 10**9 == first["time"]


def test_both_forms_of_filters_select(api: Speaker):
    wanted = api.create("true", name="wanted", Labels={"k": "v"})
    api.create("true", name="other")
    for filters in ({"label": {"k=v": True}}, {"label": ["k=v"]}, {"name": ["wanted"]}, {"status": ["created"]}):
        found = api.json("GET", f"/containers/json?all=1&filters={json.dumps(filters)}".replace(" ", ""))
        assert wanted in [c["Id"] for c in found], filters
    assert api.refused("GET", '/containers/json?filters={"nope":["x"]}')[0] == 400


def tar_of(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_clients_that_stand_still_hold_nobody_back(api: Speaker):
    """Ten that take nothing of what they asked for, and five that send half of what they announced."""
    container = api.create("true")
    assert api.call("PUT", f"/containers/{container}/archive?path=/tmp", tar_of("f", bytes(8 << 20)))[0] == 200
    asked = f"/containers/{container}/archive?path=/tmp"
    with ExitStack() as stack:
        for _ in range(10):
            still = stack.enter_context(api.raw(f"GET {asked}/f HTTP/1.1\r\nHost: x\r\n\r\n".encode()))
            assert still.recv(15) == b"HTTP/1.1 200 OK"
        for _ in range(5):
            head = f"PUT {asked} HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n".encode()
            stack.enter_context(api.raw(head + tar_of("g", bytes(8 << 20))[:100_000]))
        assert api.call("HEAD", f"{asked}/f")[0] == 200
        assert api.call("GET", f"/containers/{api.create('true')}/archive?path=/etc/passwd")[0] == 200
        assert api.call("GET", "/system/df")[0] == 200


def test_archive_in_stat_and_out(api: Speaker):
    container = api.create("true")
    assert api.call("PUT", f"/containers/{container}/archive?path=/tmp", tar_of("f", b"hello"))[0] == 200
    status, headers, _ = api.call("HEAD", f"/containers/{container}/archive?path=/tmp/f")
    stat = json.loads(base64.b64decode(headers["x-docker-container-path-stat"]))
    assert status == 200
    assert (stat["name"], stat["size"], stat["mode"] & 0o777, stat["linkTarget"]) == ("f", 5, 0o644, "")
    _, headers, body = api.call("GET", f"/containers/{container}/archive?path=/tmp/f")
    assert headers["content-type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        file = tar.extractfile("f")
        assert file is not None and file.read() == b"hello"
    assert api.call("HEAD", f"/containers/{container}/archive?path=/nope")[0] == 404
    assert api.refused("GET", f"/containers/{container}/archive")[0] == 400
    assert {"Path": "/tmp/f", "Kind": 1} in api.json("GET", f"/containers/{container}/changes")


def test_a_reaper_finds_and_removes_by_label(api: Speaker):
    mark = {"org.testcontainers.session": "s1"}
    api.run("sleep", "100", Labels=mark)
    api.json("POST", "/networks/create", {"Name": "reaped", "Labels": mark})
    api.json("POST", "/volumes/create", {"Name": "reaped", "Labels": mark})
    filters = json.dumps({"label": {"org.testcontainers.session=s1": True}}).replace(" ", "")
    for container in api.json("GET", f"/containers/json?all=1&filters={filters}"):
        assert api.call("DELETE", f"/containers/{container['Id']}?force=true&v=true")[0] == 204
    for network in api.json("GET", f"/networks?filters={filters}"):
        assert api.call("DELETE", f"/networks/{network['Id']}")[0] == 204
    for volume in api.json("GET", f"/volumes?filters={filters}")["Volumes"]:
        assert api.call("DELETE", f"/volumes/{volume['Name']}")[0] == 204
    assert api.json("GET", f"/containers/json?all=1&filters={filters}") == []


def test_registry_login_is_read_and_a_pull_that_cannot_be_is_an_error(api: Speaker):
    auth = base64.urlsafe_b64encode(b'{"username":"u","password":"p"}').decode()
    status, _, body = api.call(
        "POST", "/images/create?fromImage=127.0.0.1:1/none&tag=1", headers={"X-Registry-Auth": auth}
    )
    if status == 200:
        last = json.loads(body.splitlines()[-1])
        assert last["errorDetail"]["message"] == last["error"]
    else:
        assert status >= 400 and json.loads(body)["message"]


def test_progress_ends_with_the_image(api: Speaker):
    container = api.create("true")
    _, _, tar = api.call("GET", f"/containers/{container}/export")
    _, _, body = api.call("POST", "/images/create?fromSrc=-&repo=imported&tag=1&changes=CMD+true", tar)
    lines = [json.loads(line) for line in body.splitlines()]
    assert lines[-1]["status"].startswith("sha256:")
    assert api.json("GET", "/images/imported:1/json")["Config"]["Cmd"]
    assert api.json("DELETE", "/images/imported:1")[0] == {"Untagged": "imported:1"}


def test_inspect_tells_what_was_asked_for(api: Speaker):
    host = {
        "Binds": ["data:/d", "/tmp:/h:ro"],
        "Tmpfs": {"/t": "size=1m"},
        "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
        "Memory": 64 << 20,
        "CapDrop": ["ALL"],
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}],
    }
    container = api.run("sleep", "100", name="seen", host=host, ExposedPorts={"80/tcp": {}}, Env=["A=b"])
    found = api.json("GET", f"/containers/{container}/json?size=1")
    for name, value in host.items():
        if name != "Memory":
            assert found["HostConfig"][name] == value, name
    assert found["Name"] == "/seen" and found["State"]["Running"] and found["State"]["Pid"] > 0
    assert "A=b" in found["Config"]["Env"] and found["Config"]["Image"] == "bb"
    binding = found["NetworkSettings"]["Ports"]["80/tcp"][0]
    assert binding["HostIp"] == "127.0.0.1" and int(binding["HostPort"]) > 0
    assert found["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] == found["NetworkSettings"]["IPAddress"] != ""
    assert {m["Destination"] for m in found["Mounts"]} >= {"/d", "/h"}
    assert found["SizeRootFs"] > 0
    assert all(os.path.isdir(found["GraphDriver"]["Data"][name]) for name in ("UpperDir", "WorkDir"))
    row = api.json("GET", "/containers/json")[0]
    assert row["Names"] == ["/seen"] and row["Status"].startswith("Up ") and row["Ports"][0]["PrivatePort"] == 80


def test_stats_have_the_sample_before(api: Speaker):
    container = api.run("sleep", "100")
    found = api.json("GET", f"/containers/{container}/stats?stream=0")
    assert found["id"] == container and found["pids_stats"]["current"] >= 1
    assert found["cpu_stats"]["system_cpu_usage"] > found["precpu_stats"]["system_cpu_usage"] > 0
    assert found["memory_stats"]["usage"] > 0 and "eth0" in found["networks"]


def test_old_clients_see_old_shapes(api: Speaker):
    old = Speaker(api.path, "1.41")
    assert "VirtualSize" in old.json("GET", "/images/bb/json")
    assert "VirtualSize" not in api.json("GET", "/images/bb/json")
    status, text = Speaker(api.path, "1.99").refused("GET", "/info")
    assert (status, text) == (400, "client version 1.99 is too new. Maximum supported API version is 1.51")
    status, text = Speaker(api.path, "1.12").refused("GET", "/info")
    assert status == 400 and text.startswith("client version 1.12 is too old. Minimum supported API version is 1.24")


def test_images_are_moved_by_older_clients_still(api: Speaker):
    old = Speaker(api.path, "1.22")
    assert old.call("GET", "/_ping")[0] == 200
    assert old.json("GET", "/images/bb/json")["Id"] == api.json("GET", "/images/bb/json")["Id"]
    status, _, archive = old.call("GET", "/images/bb/get")
    assert status == 200 and old.call("POST", "/images/load?quiet=1", archive)[0] == 200
    status, text = old.refused("POST", "/containers/create", {"Image": "bb"})
    assert status == 400 and text.startswith("client version 1.22 is too old.")
    assert Speaker(api.path, "1.11").refused("GET", "/images/json")[1].startswith("client version 1.11 is too old.")


def test_plans_are_told(api: Speaker):
    container = api.run("true")
    api.wait(container)
    assert api.json("GET", f"/hakobu/v1/containers/{container}/plan")
    plan = api.json("POST", "/hakobu/v1/plan/create", {"Image": "bb", "Cmd": ["true"]})
    assert any("execve" in step["syscalls"] or "execveat" in step["syscalls"] for step in plan["steps"])
