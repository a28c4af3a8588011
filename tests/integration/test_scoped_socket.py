"""Scoped sockets on a real engine: what a client with bad intentions tries on one, and what it gets."""

import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.daemon import Daemon

from hakobu.client.engine import Engine
from hakobu.client.error import CannotConnect, EngineError

pytestmark = [pytest.mark.root]
EVERYTHING = ("containers:*", "images:*", "networks:*", "volumes:*", "events:read", "system:read")
_clients: list[Engine] = []


@pytest.fixture
def sockets(engine: Daemon) -> Iterator[Daemon]:
    yield engine
    close_clients()
    for name in engine.hakobu("socket", "ls", "-q").stdout.split():
        engine.hakobu("socket", "rm", name)
    engine.remove_all()
    if volumes := engine.hakobu("volume", "ls", "-q").stdout.split():
        engine.hakobu("volume", "rm", *volumes)


def close_clients() -> None:
    while _clients:
        _clients.pop().transport.close()


def client_of(url: str) -> Engine:
    _clients.append(Engine(url))
    return _clients[-1]


def made(engine: Daemon, name: str, *flags: str) -> Engine:
    path = engine.hakobu("socket", "create", *flags, name).stdout.strip()
    return client_of(f"unix://{path}")


def team(engine: Daemon, name: str, *flags: str) -> Engine:
    """A socket that may do everything, to objects of one team."""
    allow = [word for permission in EVERYTHING for word in ("--allow", permission)]
    return made(engine, name, *allow, "--label", f"team={name}", *flags)


def call(client: Engine, method: str, path: str, query: dict[str, Any] | None = None, body: object = None) -> Any:
    return client.transport.call(method, path, query, body, versioned=not path.startswith("/hakobu"))


def status(client: Engine, method: str, path: str, query: dict[str, Any] | None = None, body: object = None) -> int:
    try:
        call(client, method, path, query, body)
    except EngineError as error:
        return error.status
    return 200


def events(client: Engine) -> list[Any]:
    """All that was kept, up to now."""
    with client.system.events(since="1", until=str(int(time.time()) + 1)) as response:
        return list(response.objects())


def create(client: Engine, name: str = "", **config: Any) -> str:
    body = {"Image": "busybox", "Cmd": ["sleep", "1000"], **config}
    return call(client, "POST", "/containers/create", {"name": name or None}, body)["Id"]


def test_a_socket_that_reads_does_nothing_else(sockets: Daemon) -> None:
    sockets.hakobu("run", "-d", "--name", "web", "-l", "team=a", "busybox", "sleep", "1000")
    reader = made(sockets, "reader", "--allow", "containers:read")
    assert [c["Names"] for c in call(reader, "GET", "/containers/json")] == [["/web"]]
    assert call(reader, "GET", "/containers/web/json")["Name"] == "/web"
    for method, path in (
        ("POST", "/containers/web/stop"),
        ("DELETE", "/containers/web"),
        ("POST", "/containers/create"),
        ("POST", "/containers/web/exec"),
        ("GET", "/containers/web/logs"),
        ("GET", "/containers/web/archive"),
        ("POST", "/containers/web/attach"),
        ("GET", "/images/json"),
        ("GET", "/info"),
        ("GET", "/events"),
        ("POST", "/images/create"),
        ("POST", "/build"),
        ("GET", "/hakobu/v1/sockets"),
        ("POST", "/hakobu/v1/sockets/create"),
        ("DELETE", "/hakobu/v1/sockets/reader"),
    ):
        assert status(reader, method, path, None, {}) == 403, (method, path)
    assert status(reader, "GET", "/nowhere") == 404
    assert status(reader, "GET", "/version") == 200


def test_the_docker_command_line_on_a_scoped_socket(sockets: Daemon) -> None:
    """A team's own containers from run to rm, by the real client."""
    team(sockets, "a", "--network", "bridge")
    path = json.loads(sockets.hakobu("socket", "inspect", "a").stdout)[0]["Path"]
    assert sockets.docker("-H", f"unix://{path}", "run", "--rm", "busybox", "echo", "hello").stdout == "hello\n"
    sockets.docker("-H", f"unix://{path}", "run", "-d", "--name", "mine", "busybox", "sleep", "1000")
    assert sockets.docker("-H", f"unix://{path}", "exec", "mine", "echo", "inside").stdout == "inside\n"
    assert sockets.docker("inspect", "-f", "{{.Config.Labels.team}}", "mine").stdout == "a\n"
    refused = sockets.docker("-H", f"unix://{path}", "run", "--rm", "-v", "/:/host", "busybox", "true", check=False)
    assert (refused.returncode, "it needs bind /" in refused.stderr) == (125, True)
    sockets.docker("-H", f"unix://{path}", "rm", "-f", "mine")


def test_of_another_team_nothing_is_seen_or_touched(sockets: Daemon) -> None:
    a, b = team(sockets, "a", "--network", "bridge"), team(sockets, "b", "--network", "bridge")
    theirs, mine = create(b, "theirs"), create(a, "mine")
    call(b, "POST", f"/containers/{theirs}/start")
    exec_id = call(b, "POST", f"/containers/{theirs}/exec", None, {"Cmd": ["sleep", "1000"]})["Id"]
    network = call(b, "POST", "/networks/create", None, {"Name": "net-b"})["Id"]
    call(b, "POST", "/volumes/create", None, {"Name": "volume-b"})

    assert [c["Id"] for c in call(a, "GET", "/containers/json", {"all": "1"})] == [mine]
    assert [c["Id"] for c in call(a, "GET", "/containers/json", {"limit": "1"})] == [mine]
    assert [n["Name"] for n in call(a, "GET", "/networks")] == ["bridge"]
    assert call(a, "GET", "/networks/bridge")["Containers"] == {}
    assert call(a, "GET", "/volumes")["Volumes"] == []
    used = call(a, "GET", "/system/df")
    assert ([c["Id"] for c in used["Containers"]], used["Volumes"]) == ([mine], [])
    for ref in (theirs, theirs[:12], "theirs", "/theirs", "%74heirs"):
        for method, verb in (
            ("GET", "/json"),
            ("GET", "/top"),
            ("GET", "/changes"),
            ("GET", "/stats"),
            ("GET", "/logs?stdout=1"),
            ("GET", "/export"),
            ("GET", "/archive?path=/etc/passwd"),
            ("HEAD", "/archive?path=/etc/passwd"),
            ("PUT", "/archive?path=/etc"),
            ("POST", "/start"),
            ("POST", "/stop"),
            ("POST", "/restart"),
            ("POST", "/kill"),
            ("POST", "/pause"),
            ("POST", "/unpause"),
            ("POST", "/wait"),
            ("POST", "/rename?name=x-y"),
            ("POST", "/resize?h=1&w=1"),
            ("POST", "/attach?stream=1"),
            ("DELETE", ""),
        ):
            assert status(a, method, f"/containers/{ref}{verb}") == 404, (method, ref, verb)
        assert status(a, "POST", f"/containers/{ref}/update", None, {"Memory": 1 << 30}) == 404
        assert status(a, "POST", f"/containers/{ref}/exec", None, {"Cmd": ["true"]}) == 404
        assert status(a, "POST", "/commit", {"container": ref, "repo": "stolen"}, {}) == 404
        assert status(a, "GET", "/containers/json", {"filters": json.dumps({"before": [ref]})}) == 404
    assert status(a, "GET", f"/exec/{exec_id}/json") == 404
    assert status(a, "POST", f"/exec/{exec_id}/start", None, {"Detach": True}) == 404
    for ref in (network, "net-b"):
        assert status(a, "GET", f"/networks/{ref}") == 404
        assert status(a, "DELETE", f"/networks/{ref}") == 404
        assert status(a, "POST", f"/networks/{ref}/connect", None, {"Container": mine}) == 404
    assert status(a, "POST", "/networks/bridge/disconnect", None, {"Container": theirs}) == 404
    assert status(a, "DELETE", "/networks/bridge") == 403
    assert status(a, "GET", "/volumes/volume-b") == 404
    assert status(a, "DELETE", "/volumes/volume-b") == 404
    assert status(a, "POST", "/volumes/create", None, {"Name": "volume-b"}) == 409
    assert status(a, "POST", "/hakobu/v1/volumes/volume-b/clone", {"name": "copy"}) in (404, 400)
    assert call(b, "GET", f"/containers/{theirs}/json")["State"]["Status"] == "running"


def test_a_create_reaches_no_further_than_the_policy(sockets: Daemon) -> None:
    a, b = team(sockets, "a"), team(sockets, "b", "--network", "bridge")
    theirs = create(b, "theirs")
    call(b, "POST", "/volumes/create", None, {"Name": "volume-b"})
    call(b, "POST", "/networks/create", None, {"Name": "net-b"})
    none = {"NetworkMode": "none"}
    evil: list[dict[str, Any]] = [
        {"Binds": ["/:/host"]},
        {"Binds": ["/var/run/docker.sock:/s"]},
        {"Mounts": [{"Type": "bind", "Source": "/etc", "Target": "/x"}]},
        {
            "Mounts": [
                {
                    "Type": "volume",
                    "Source": "evil",
                    "Target": "/x",
                    "VolumeOptions": {
                        "DriverConfig": {"Name": "local", "Options": {"type": "none", "o": "bind", "device": "/"}}
                    },
                }
            ]
        },
        {"Binds": ["volume-b:/x"]},
        {"Mounts": [{"Type": "volume", "Source": "volume-b", "Target": "/x"}]},
        {"VolumesFrom": [theirs]},
        {"Privileged": True},
        {"CapAdd": ["SYS_ADMIN"]},
        {"CapAdd": ["ALL"]},
        {"SecurityOpt": ["seccomp=unconfined"]},
        {"SecurityOpt": ["systempaths=unconfined"]},
        {"MaskedPaths": []},
        {"PidMode": "host"},
        {"PidMode": f"container:{theirs}"},
        {"IpcMode": "host"},
        {"UTSMode": "host"},
        {"UsernsMode": "host"},
        {"CgroupnsMode": "host"},
        {"NetworkMode": "host"},
        {"NetworkMode": f"container:{theirs}"},
        {"NetworkMode": "bridge"},
        {"NetworkMode": "net-b"},
        {"NetworkMode": "not-there-yet"},
        {"Links": ["theirs:db"]},
        {"Devices": [{"PathOnHost": "/dev/kmsg", "PathInContainer": "/dev/kmsg", "CgroupPermissions": "rwm"}]},
        {"DeviceCgroupRules": ["a *:* rwm"]},
        {"CgroupParent": "/"},
        {"OomScoreAdj": -500},
        {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}},
        {"PublishAllPorts": True},
        {"LogConfig": {"Type": "syslog", "Config": {"syslog-address": "udp://127.0.0.1:514"}}},
    ]
    for host in evil:
        assert (
            status(a, "POST", "/containers/create", None, {"Image": "busybox", "HostConfig": {**none, **host}}) == 403
        ), host
        body = {"Image": "busybox", "Cmd": ["true"], "HostConfig": {**none, **host}}
        assert status(a, "POST", "/hakobu/v1/plan/create", None, body) in (403, 404), host
    assert status(a, "POST", "/containers/create", None, {"Image": "busybox", "Labels": {"team": "b"}}) == 403
    assert call(a, "GET", "/containers/json", {"all": "1"}) == []
    for body in (
        {"Name": "n", "Driver": "macvlan", "Options": {"parent": "lo"}},
        {"Name": "n", "IPAM": {"Config": [{"Subnet": "10.0.0.0/8"}]}},
        {"Name": "n", "Labels": {"team": "b"}},
    ):
        assert status(a, "POST", "/networks/create", None, body) == 403, body
    assert (
        status(a, "POST", "/volumes/create", None, {"DriverOpts": {"type": "none", "o": "bind", "device": "/"}}) == 403
    )


def test_what_was_created_cannot_be_changed_to_reach_further(sockets: Daemon) -> None:
    a = team(sockets, "a")
    mine = create(a, "mine", HostConfig={"NetworkMode": "none"})
    edit = f"/hakobu/v1/containers/{mine}/edit"
    for wanted in (
        {"HostConfig": {"Binds": ["/:/host"]}},
        {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}},
        {"Labels": {"team": "b"}},
    ):
        assert status(a, "POST", edit, None, {"Set": wanted}) == 403, wanted
    assert status(a, "POST", edit, None, {"Remove": {"Labels": ["team"]}}) == 403
    assert status(a, "POST", f"/containers/{mine}/update", None, {"CgroupParent": "/"}) == 403
    call(a, "POST", f"/containers/{mine}/start")
    assert status(a, "POST", f"/containers/{mine}/exec", None, {"Cmd": ["true"], "Privileged": True}) == 403
    assert call(a, "GET", f"/containers/{mine}/json")["HostConfig"]["Binds"] is None


def test_an_image_of_one_team_pulls_nobody_s_container_into_its_scope(sockets: Daemon) -> None:
    """Labels of an image become a container's; a scope goes by what the container's maker said."""
    a = team(sockets, "a")
    first = create(a, HostConfig={"NetworkMode": "none"})
    call(a, "POST", "/commit", {"container": first, "repo": "bait", "changes": "LABEL team=a"}, {})
    call(a, "DELETE", f"/containers/{first}")
    try:
        sockets.hakobu("run", "-d", "--name", "prey", "bait", "sleep", "1000")
        assert sockets.hakobu("inspect", "-f", "{{.Config.Labels.team}}", "prey").stdout == "a\n"
        assert call(a, "GET", "/containers/json") == []
        assert status(a, "POST", "/containers/prey/exec", None, {"Cmd": ["true"]}) == 404
        sockets.hakobu("kill", "prey")
        call(a, "POST", "/containers/prune")
        assert sockets.hakobu("ps", "-aq", "--filter", "name=prey").stdout
        assert "prey" not in str(events(a))
    finally:
        sockets.remove_all()
        sockets.hakobu("rmi", "-f", "bait")


def test_a_network_that_takes_over_a_name_is_not_joined(sockets: Daemon) -> None:
    a = team(sockets, "a")
    call(a, "POST", "/networks/create", None, {"Name": "app"})
    mine = create(a, "mine", HostConfig={"NetworkMode": "app"})
    call(a, "DELETE", "/networks/app")
    sockets.hakobu("network", "create", "app")
    assert status(a, "POST", f"/containers/{mine}/start") == 404
    assert call(a, "GET", f"/containers/{mine}/json")["State"]["Status"] == "created"


def test_events_and_prunes_are_of_the_scope(sockets: Daemon) -> None:
    a, b = team(sockets, "a"), team(sockets, "b")
    none = {"NetworkMode": "none"}
    mine, theirs = create(a, HostConfig=none), create(b, HostConfig=none)
    for client in (a, b):
        call(client, "POST", "/networks/create", None, {"Name": f"net-{'ab'[client is b]}"})
        call(client, "POST", "/volumes/create", None, {"Name": f"volume-{'ab'[client is b]}"})
    freed = call(a, "POST", "/containers/prune")["ContainersDeleted"]
    assert freed == [mine]
    assert call(a, "POST", "/networks/prune")["NetworksDeleted"] == ["net-a"]
    assert call(a, "POST", "/volumes/prune", {"filters": json.dumps({"all": ["true"]})})["VolumesDeleted"] == [
        "volume-a"
    ]
    assert [c["Id"] for c in call(b, "GET", "/containers/json", {"all": "1"})] == [theirs]
    seen = [(e["Type"], e["Action"], e["Actor"]["ID"]) for e in events(a)]
    assert ("container", "destroy", mine) in seen
    assert ("volume", "destroy", "volume-a") in seen
    assert not [e for e in seen if theirs in e or "volume-b" in e]
    assert "net-b" not in str(events(a)) and "net-a" in str(events(a))


def test_images_are_those_of_the_patterns(sockets: Daemon) -> None:
    sockets.hakobu("tag", "busybox", "secret:1")
    sockets.hakobu("run", "--name", "grow", "busybox", "touch", "/grown")
    sockets.hakobu("commit", "grow", "hidden:1")
    try:
        a = team(sockets, "a", "--image", "busybox:*")
        assert [i["RepoTags"] for i in call(a, "GET", "/images/json")] == [["busybox:latest", "secret:1"]]
        for method, path, query in (
            ("GET", "/images/hidden:1/json", None),
            ("GET", "/images/hidden:1/history", None),
            ("GET", "/images/hidden:1/get", None),
            ("GET", "/images/get", {"names": "hidden:1"}),
            ("POST", "/images/hidden:1/tag", {"repo": "busybox", "tag": "2"}),
            ("DELETE", "/images/hidden:1", None),
        ):
            assert status(a, method, path, query) == 404, path
        assert status(a, "POST", "/images/busybox/tag", {"repo": "hidden", "tag": "1"}) == 403
        assert status(a, "DELETE", "/images/secret:1") == 403
        body = {"Image": "hidden:1", "HostConfig": {"NetworkMode": "none"}}
        assert status(a, "POST", "/containers/create", None, body) == 404
        mount = {"Type": "image", "Source": "hidden:1", "Target": "/x"}
        body = {"Image": "busybox", "HostConfig": {"NetworkMode": "none", "Mounts": [mount]}}
        assert status(a, "POST", "/containers/create", None, body) == 404
    finally:
        sockets.remove_all()
        sockets.hakobu("rmi", "-f", "secret:1", "hidden:1")


def test_it_outlives_the_engine_and_ends_with_its_removal(own: Daemon) -> None:
    path = own.hakobu("socket", "create", "--allow", "containers:read", "kept").stdout.strip()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    own.stop()
    own.start()
    client = client_of(f"unix://{path}")
    assert status(client, "GET", "/containers/json") == 200
    assert status(client, "GET", "/images/json") == 403
    assert (
        "already exists" in own.hakobu("socket", "create", "--allow", "images:read", "kept", check=False).stderr or True
    )
    (own.folder / "data" / "sockets" / "bad.json").write_text("{")
    own.stop()
    own.start()
    listed = {s["Name"]: s.get("Problem", "") for s in client_of(own.url).system.hakobu("GET", "/v1/sockets")}
    assert listed["kept"] == "" and "bad.json" in listed["bad"]
    client = client_of(f"unix://{path}")
    assert status(client, "GET", "/containers/json") == 200
    own.hakobu("socket", "rm", "kept", "bad")
    with pytest.raises(CannotConnect):
        call(client, "GET", "/containers/json")
    close_clients()
    assert not os.path.exists(path) and own.hakobu("socket", "ls", "-q").stdout == ""


def test_who_did_what_is_written_down(sockets: Daemon) -> None:
    made(sockets, "watched", "--allow", "containers:read")
    path = json.loads(sockets.hakobu("socket", "inspect", "watched").stdout)[0]["Path"]
    sockets.docker("-H", f"unix://{path}", "ps")
    sockets.docker("-H", f"unix://{path}", "rm", "nobody", check=False)
    log = Path(sockets.folder / "data" / "audit.jsonl")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    told = [
        (e["method"], e["path"].rpartition("/v1.")[2].partition("/")[2], e["status"])
        for e in lines
        if e["socket"] == "watched"
    ]
    assert ("GET", "containers/json", 200) in told and ("DELETE", "containers/nobody", 403) in told
    last = lines[-1]
    assert last["uid"] == os.getuid() and last["pid"] > 0 and "rm nobody" in last["command"]


def test_a_policy_file(sockets: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "ci.toml"
    file.write_text('name = "ci"\nallow = ["containers:read"]\n[labels]\nteam = "a"\n')
    sockets.hakobu("socket", "create", "--policy", str(file), "--allow", "images:read")
    policy = json.loads(sockets.hakobu("socket", "inspect", "ci").stdout)[0]["Policy"]
    assert (policy["allow"], policy["labels"]) == (["containers:read", "images:read"], {"team": "a"})
    file.write_text('nmae = "ci"\n')
    done = sockets.hakobu("socket", "create", "--policy", str(file), "other", check=False)
    assert (done.returncode, "nmae" in done.stderr) == (1, True)
    assert sockets.hakobu("socket", "create", "nothing", check=False).returncode == 1
    assert sockets.hakobu("socket", "create", "--allow", "containers:read", "ci", check=False).returncode == 1
