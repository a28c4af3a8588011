"""Create bodies into specs, and back into what inspect shows. Bodies are those a docker CLI and compose sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from hakobu.api.decode import decode
from hakobu.api.render.host_config import Defaults, host_config
from hakobu.api.translate.commit import changes_of
from hakobu.api.translate.container import container_spec
from hakobu.api.translate.network import network_spec
from hakobu.errors import HakobuError, Kind
from hakobu.spec.container import ContainerSpec
from hakobu.wire.container import Config, ContainerCreate
from hakobu.wire.network import NetworkCreate
from hakobu.wire.version import ANNOUNCED, ApiVersion

BODIES: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parent / "recorded" / "bodies.json").read_text())


def spec(body: dict[str, Any], version: ApiVersion = ANNOUNCED) -> ContainerSpec:
    return container_spec(decode(json.dumps(body).encode(), ContainerCreate), version)[0]


def host(**fields: Any) -> ContainerSpec:
    return spec({"Image": "x", "HostConfig": fields})


@pytest.mark.parametrize("body", BODIES["/containers/create"], ids=lambda b: str(b.get("Cmd"))[:30])
def test_what_a_client_asked_for_is_what_inspect_shows(body):
    shown = host_config(spec(body), Defaults(), ANNOUNCED)
    empty = (None, 0, "", [], {}, False, -1, [0, 0])
    for name, value in body["HostConfig"].items():
        if value in empty and shown.get(name) in empty:
            continue
        if name in ("CgroupnsMode", "IpcMode", "ShmSize", "Runtime") and value in empty:
            continue
        if (name == "LogConfig" and not value["Type"]) or (name == "RestartPolicy" and not value["Name"]):
            continue
        if name == "PortBindings":
            value = {
                k if "/" in k else f"{k}/tcp": [{"HostIp": b.get("HostIp", ""), "HostPort": b["HostPort"]} for b in v]
                for k, v in value.items()
            }
        if name == "Mounts":
            value = [{k: v for k, v in m.items() if v} for m in value]
        if name in ("MaskedPaths", "ReadonlyPaths") and value is None:
            continue
        assert shown[name] == value, name


@pytest.mark.parametrize("body", BODIES["/networks/create"], ids=lambda b: b["Name"])
def test_recorded_networks(body):
    found = network_spec(decode(json.dumps(body).encode(), NetworkCreate))
    assert (found.name, found.driver, found.labels) == (body["Name"], body["Driver"] or "bridge", body["Labels"] or {})


@pytest.mark.parametrize(
    ("bind", "text"),
    [
        ("/a:/b:ro:x", "invalid volume specification: '/a:/b:ro:x'"),
        ("/a:ro", "invalid volume specification: '/a:ro'"),
        ("/a:/b:zap", "invalid mode: zap"),
        ("/a:/b:ro,rw", "invalid mode: ro,rw"),
        ("/a:b", "invalid volume specification: '/a:b': invalid mount config for type \"bind\": invalid mount path: "
                 "'b' mount path must be absolute"),
        ("/a:/", "invalid volume specification: '/a:/': invalid mount config for type \"bind\": invalid "
                 "specification: destination can't be '/'"),
        ("../a:/b", "../a"),
    ],
)  # fmt: skip
def test_binds_that_make_no_sense(bind, text):
    with pytest.raises(HakobuError) as caught:
        host(Binds=[bind])
    assert text in caught.value.message and caught.value.kind is Kind.INVALID


def test_binds_volumes_and_tmpfs():
    mounts = host(
        Binds=["/a/../b:/c:ro,rslave", "data:/d:nocopy", "/e"],
        Tmpfs={"/t": "size=1m"},
        Mounts=[{"Type": "tmpfs", "Target": "/u", "TmpfsOptions": {"SizeBytes": 5, "Mode": 0o700}}],
    ).mounts
    assert [(m.kind, m.source, m.target) for m in mounts] == [
        ("bind", "/b", "/c"),
        ("volume", "data", "/d"),
        ("volume", "", "/e"),
        ("tmpfs", "", "/u"),
        ("tmpfs", "", "/t"),
    ]
    assert mounts[0].read_only and mounts[0].propagation == "rslave" and mounts[0].create_source
    assert mounts[1].no_copy and mounts[3].tmpfs_mode == 0o700


def test_read_only_binds_recurse_from_1_44_on():
    body = {"Image": "x", "HostConfig": {"Binds": ["/a:/b:ro"]}}
    assert spec(body, ApiVersion(1, 43)).mounts[0].read_only_non_recursive
    assert not spec(body, ApiVersion(1, 44)).mounts[0].read_only_non_recursive


def test_the_same_target_twice():
    with pytest.raises(HakobuError, match="Duplicate mount point: /b"):
        host(Binds=["/a:/b", "/c:/b/"])


def test_ports():
    found = host(
        PortBindings={
            "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostPort": ""}],
            "53/udp": [{"HostPort": "5000-5010"}],
            "9": None,
        }
    ).ports
    shown = [(p.container_port, p.protocol, p.host_ip, p.host_port, p.host_port_end) for p in found]
    assert shown == [
        (80, "tcp", "127.0.0.1", 8080, 0),
        (80, "tcp", "", 0, 0),
        (53, "udp", "", 5000, 5010),
    ]
    assert spec({"Image": "x", "ExposedPorts": {"80": {}, "90-92/udp": {}}}).exposed_ports == (
        "80/tcp",
        "90/udp",
        "91/udp",
        "92/udp",
    )


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        ({"PortBindings": {"x/tcp": []}}, Kind.INVALID, 'invalid port specification: "x"'),
        ({"PortBindings": {"80/tcp": [{"HostPort": "99999"}]}}, Kind.INVALID, 'invalid port specification: "99999"'),
        ({"PortBindings": {"80/foo": []}}, Kind.INVALID, "invalid proto: foo"),
        ({"PortBindings": {"80/tcp": [{"HostIp": "here"}]}}, Kind.INVALID, "invalid IP address: here"),
        ({"Memory": 1000}, Kind.INVALID, "Minimum memory limit allowed is 6MB"),
        ({"NanoCpus": 10**9, "CpuQuota": 5000}, Kind.INVALID, "Nano CPUs and CPU Quota"),
        ({"NanoCpus": 10**15}, Kind.INVALID, "Range of CPUs is from 0.01 to"),
        ({"CpusetCpus": "a"}, Kind.INVALID, "Invalid value a for cpuset cpus"),
        ({"MemorySwappiness": 101}, Kind.INVALID, "valid memory swappiness range is 0-100"),
        ({"RestartPolicy": {"Name": "sometimes"}}, Kind.INVALID, "unknown policy 'sometimes'"),
        ({"RestartPolicy": {"Name": "always", "MaximumRetryCount": 2}}, Kind.INVALID, "can only be used with"),
        ({"RestartPolicy": {"Name": "always"}, "AutoRemove": True}, Kind.INVALID, "can't create 'AutoRemove'"),
        ({"SecurityOpt": ["what"]}, Kind.INVALID, 'invalid --security-opt 1: "what"'),
        ({"SecurityOpt": ["a=b"]}, Kind.INVALID, 'invalid --security-opt 2: "a=b"'),
        ({"SecurityOpt": ["label=type:x"]}, Kind.NOT_IMPLEMENTED, "SecurityOpt is not supported"),
        ({"IpcMode": "foo"}, Kind.INVALID, "invalid IPC mode: foo"),
        ({"PidMode": "container:"}, Kind.INVALID, "invalid PID mode: container:"),
        ({"Isolation": "hyperv"}, Kind.INVALID, "invalid isolation 'hyperv' on linux"),
        ({"Runtime": "nope"}, Kind.INVALID, "unknown or invalid runtime name: nope"),
        ({"CpuCount": 2}, Kind.INVALID, "CpuCount is only supported on Windows"),
        ({"DeviceRequests": [{"Count": 1, "DeviceIDs": ["0"]}]}, Kind.INVALID,
         "cannot set both Count and DeviceIDs on device request"),
        ({"Mounts": [{"Type": "npipe", "Target": "/x"}]}, Kind.INVALID, "mount type unknown"),
        ({"Mounts": [{"Type": "bind", "Target": "/x"}]}, Kind.INVALID, "field Source must not be empty"),
        ({"Mounts": [{"Type": "bind", "Source": "/y", "Target": "/x", "TmpfsOptions": {}}]}, Kind.INVALID,
         "field TmpfsOptions must not be specified"),
        ({"Ulimits": [{"Name": "nofile", "Soft": 5, "Hard": 3}]}, Kind.INVALID, "5 > 3"),
        ({"OomScoreAdj": 2000}, Kind.INVALID, "range for oom score adj is [-1000, 1000]"),
        ({"ExtraHosts": ["x"]}, Kind.INVALID, 'bad format for add-host: "x"'),
        ({"NetworkMode": "container:x", "Dns": ["1.1.1.1"]}, Kind.INVALID, "conflicting options: dns and the network"),
    ],
)  # fmt: skip
def test_refusals_name_the_value(fields, kind, text):
    with pytest.raises(HakobuError) as caught:
        host(**fields)
    assert text in caught.value.message
    assert caught.value.kind is kind


def test_wrong_types_name_the_field():
    with pytest.raises(HakobuError, match=r"field HostConfig\.Binds\[0\]: expected `str`, got `int`"):
        spec({"HostConfig": {"Binds": [5]}})
    with pytest.raises(HakobuError, match="invalid JSON"):
        decode(b'{"a":', ContainerCreate)


def test_entrypoint_and_command_as_string_list_or_nothing():
    assert spec({"Entrypoint": None}).entrypoint is None
    assert spec({"Entrypoint": [""]}).entrypoint == ()
    assert spec({"Entrypoint": "sh"}).entrypoint == ("sh",)
    assert spec({"Cmd": "ls"}).command == ("ls",)
    assert spec({"Cmd": []}).command is None


def test_the_config_of_a_commit_as_instructions():
    body = {"Env": ["A=b c", "NOVALUE"], "Labels": {"x": "it's"}, "Cmd": "ls", "User": "1:2", "Volumes": {"/v": {}}}
    found = changes_of(decode(json.dumps(body).encode(), Config))
    assert found == ("ENV 'A=b c'", "LABEL 'x=it'\"'\"'s'", 'VOLUME ["/v"]', "USER 1:2", 'CMD ["ls"]')


def test_security_options():
    found = host(SecurityOpt=["no-new-privileges", "seccomp=unconfined", "apparmor=x", "label=disable"], MaskedPaths=[])
    assert found.security.no_new_privileges
    assert found.security.seccomp_profile == "unconfined"
    assert found.security.masked_paths == ()
    assert found.security.read_only_paths is None


def test_several_networks_only_from_1_44_on():
    body = {"Image": "x", "HostConfig": {"NetworkMode": "b"}, "NetworkingConfig": {"EndpointsConfig": {"a": {}, "b": {
        "IPAMConfig": {"IPv4Address": "10.0.0.2"}, "Aliases": ["x"]}}}}  # fmt: skip
    assert [e.network for e in spec(body).endpoints] == ["b", "a"]
    with pytest.raises(HakobuError, match="Container cannot be connected to network endpoints: a, b"):
        spec(body, ApiVersion(1, 43))


def test_a_container_wide_mac_address_goes_to_the_main_network():
    found = spec({"Image": "x", "MacAddress": "02:42:AC:11:00:02", "HostConfig": {"NetworkMode": "n1"}})
    assert [(e.network, e.mac) for e in found.endpoints] == [("n1", "02:42:ac:11:00:02")]
