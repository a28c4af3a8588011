"""The grammars of `run`'s flags: what they mean to the API."""

import pytest

from hakobu.cli.command.run import RUN
from hakobu.cli.failure import Failure
from hakobu.cli.flag import parse_command
from hakobu.cli.option.container import build
from hakobu.cli.option.mount import parse_mount, split_fields
from hakobu.cli.option.network import parse_network
from hakobu.cli.option.port import parse_expose, parse_publish
from hakobu.cli.option.proxy import with_proxies
from hakobu.cli.option.subnet import ipam_config
from hakobu.cli.option.value import parse_device, parse_extra_host, parse_gpus, parse_ulimit


def body(*argv: str, detached: bool = False):
    values, arguments = parse_command(RUN, [*argv, "bb", "cmd"])
    return build(values, arguments, detached=detached)


def test_only_what_was_said_is_sent():
    assert body() == {
        "Image": "bb",
        "Cmd": ["cmd"],
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "OpenStdin": False,
        "StdinOnce": False,
        "HostConfig": {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "NetworkMode": "default"},
    }


def test_streams():
    found = body("-i", "-t")
    assert (found["OpenStdin"], found["StdinOnce"], found["AttachStdin"], found["Tty"]) == (True, True, True, True)
    found = body("-i", "-d", detached=True)
    assert (found["OpenStdin"], found["StdinOnce"], found["AttachStdin"], found["AttachStdout"]) == (
        True,
        False,
        False,
        False,
    )
    found = body("-a", "stderr")
    assert (found["AttachStdout"], found["AttachStderr"]) == (False, True)


def test_resources_and_modes():
    host = body("-m", "64m", "--cpus", "1.5", "--init", "--pids-limit", "5", "--memory-swap", "-1")["HostConfig"]
    assert (host["Memory"], host["NanoCpus"], host["Init"], host["PidsLimit"]) == (64 << 20, 1500000000, True, 5)
    assert host["MemorySwap"] == -1


def test_volumes_binds_and_tmpfs(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = body("-v", "/data", "-v", "v1:/x:ro", "-v", "./a:/b", "--tmpfs", "/t:size=1m")
    assert found["Volumes"] == {"/data": {}}
    assert found["HostConfig"]["Binds"] == ["v1:/x:ro", f"{tmp_path}/a:/b"]
    assert found["HostConfig"]["Tmpfs"] == {"/t": "size=1m"}


def test_networks():
    found = body("--network", "name=n1,ip=10.0.0.9", "--network", "n2", "--network-alias", "z", "--ip6", "::9")
    assert found["HostConfig"]["NetworkMode"] == "n1"
    assert found["NetworkingConfig"]["EndpointsConfig"] == {
        "n1": {"IPAMConfig": {"IPv4Address": "10.0.0.9", "IPv6Address": "::9"}, "Aliases": ["z"]},
        "n2": {},
    }


def test_labels_and_environment_from_files(tmp_path, monkeypatch):
    monkeypatch.setenv("FROM_CALLER", "yes")
    (tmp_path / "env").write_bytes(b"\xef\xbb\xbf# comment\nA=1\nFROM_CALLER\nNOT_SET_ANYWHERE\n\n")
    (tmp_path / "labels").write_text("x=1\ny\n")
    found = body("--env-file", f"{tmp_path}/env", "-e", "B=2", "--label-file", f"{tmp_path}/labels", "-l", "x=2")
    assert found["Env"] == ["A=1", "FROM_CALLER=yes", "B=2"]
    assert found["Labels"] == {"x": "2", "y": ""}
    (tmp_path / "bad").write_text("a b=1\n")
    with pytest.raises(Failure, match="variable 'a b' contains whitespaces"):
        body("--env-file", f"{tmp_path}/bad")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--rm", "--restart", "always"], "conflicting options: cannot specify both --restart and --rm"),
        (["--no-healthcheck", "--health-cmd", "x"], "--no-healthcheck conflicts with --health-* options"),
        (["--network-alias", "x"], "network-scoped aliases are only supported for user-defined networks"),
        (["-p", "abc"], "invalid containerPort: abc"),
        (["--pid", "foo"], "--pid: invalid PID mode"),
        (["--device", "a:b:c:d"], "bad format for path: a:b:c:d"),
        (["--security-opt", "foo"], 'Invalid --security-opt: "foo"'),
        (
            ["--security-opt", "seccomp=/nosuch"],
            "opening seccomp profile (/nosuch) failed: open /nosuch: no such file or directory",
        ),
        (["--env-file", "/nosuch"], "open /nosuch: no such file or directory"),
        (["--mac-address", "x"], "x is not a valid mac address"),
        (["--storage-opt", "foo"], "invalid storage option"),
    ],
)
def test_contradictions(argv, message):
    with pytest.raises(Failure) as caught:
        body(*argv)
    assert (caught.value.message, caught.value.status) == (message, 125)


def test_a_seccomp_profile_is_read_here(tmp_path):
    (tmp_path / "p.json").write_text('{ "defaultAction": "SCMP_ACT_ALLOW" }')
    host = body("--security-opt", f"seccomp={tmp_path}/p.json", "--security-opt", "systempaths=unconfined")[
        "HostConfig"
    ]
    assert host["SecurityOpt"] == ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']
    assert (host["MaskedPaths"], host["ReadonlyPaths"]) == ([], [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80", [("80/tcp", "", "")]),
        ("8080:80", [("80/tcp", "", "8080")]),
        ("127.0.0.1:8080:80/udp", [("80/udp", "127.0.0.1", "8080")]),
        ("127.0.0.1::80", [("80/tcp", "127.0.0.1", "")]),
        ("[::1]:8080:80", [("80/tcp", "::1", "8080")]),
        ("8000-8001:80-81", [("80/tcp", "", "8000"), ("81/tcp", "", "8001")]),
        ("8000-8005:80", [("80/tcp", "", "8000-8005")]),
        ("target=80,published=8080,protocol=udp", [("80/udp", "", "8080")]),
    ],
)
def test_published_ports(text, expected):
    found = parse_publish(text)
    assert [(port, b["HostIp"], b["HostPort"]) for port, b in found] == expected


@pytest.mark.parametrize(
    "text", ["x:80", "1:2:3:4:80", "80/foo", "8000-8002:80-81", "70000", "80-79", "", "1.2.3:1:80"]
)
def test_what_is_no_published_port(text):
    with pytest.raises(ValueError):
        parse_publish(text)


def test_exposed_ports():
    assert parse_expose("10-12/udp") == ["10/udp", "11/udp", "12/udp"]
    with pytest.raises(ValueError, match="invalid range format for --expose: x, error: strconv"):
        parse_expose("x")


def test_mounts():
    assert parse_mount("type=bind,src=/a,dst=/b,ro,bind-propagation=rslave") == {
        "Type": "bind",
        "Source": "/a",
        "Target": "/b",
        "ReadOnly": True,
        "BindOptions": {"Propagation": "rslave"},
    }
    assert parse_mount("dst=/b,volume-opt=o=x=y,volume-label=a=b,volume-nocopy")["VolumeOptions"] == {
        "DriverConfig": {"Options": {"o": "x=y"}},
        "Labels": {"a": "b"},
        "NoCopy": True,
    }
    assert parse_mount("type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777")["TmpfsOptions"] == {
        "SizeBytes": 1 << 20,
        "Mode": 0o1777,
    }
    assert split_fields('type=bind,"src=/a,b",dst=/c') == ["type=bind", "src=/a,b", "dst=/c"]
    for bad in ("type=bind", "foo", "type=bind,dst=/a,tmpfs-size=1", "dst=/a,x=y", "dst=/a,ro=maybe"):
        with pytest.raises(ValueError):
            parse_mount(bad)


def test_network_long_form():
    network = parse_network("name=n,alias=a,alias=b,driver-opt=k=v,gw-priority=3,mac-address=02:42:00:00:00:01")
    assert (network.target, network.to_json()) == (
        "n",
        {"Aliases": ["a", "b"], "DriverOpts": {"k": "v"}, "GwPriority": 3, "MacAddress": "02:42:00:00:00:01"},
    )


def test_small_values():
    assert parse_ulimit("nofile=10:20") == {"Name": "nofile", "Soft": 10, "Hard": 20}
    assert parse_device("/dev/a:/dev/b:r") == {
        "PathOnHost": "/dev/a",
        "PathInContainer": "/dev/b",
        "CgroupPermissions": "r",
    }
    assert parse_extra_host("h=[::1]") == "h:::1"
    assert parse_extra_host("h:host-gateway") == "h:host-gateway"
    assert parse_gpus("all")["Count"] == -1


def test_proxies_of_the_configuration_reach_containers():
    config = {"proxies": {"default": {"httpProxy": "http://p", "noProxy": "x"}, "unix:///s": {"httpProxy": "http://q"}}}
    assert with_proxies(["A=1", "HTTP_PROXY=mine"], config, "unix:///other") == [
        "A=1",
        "HTTP_PROXY=mine",
        "http_proxy=http://p",
        "NO_PROXY=x",
        "no_proxy=x",
    ]
    assert with_proxies([], config, "unix:///s") == ["HTTP_PROXY=http://q", "http_proxy=http://q"]
    assert with_proxies([], {}, "unix:///s") == []


def test_subnets_get_their_gateways():
    assert ipam_config(["10.1.0.0/16", "fd00::/64"], ["fd00::1", "10.1.0.1"], ["10.1.5.0/24"], {"x": "10.1.0.9"}) == [
        {
            "Subnet": "10.1.0.0/16",
            "IPRange": "10.1.5.0/24",
            "Gateway": "10.1.0.1",
            "AuxiliaryAddresses": {"x": "10.1.0.9"},
        },
        {"Subnet": "fd00::/64", "Gateway": "fd00::1"},
    ]
    with pytest.raises(ValueError, match="no matching subnet for gateway"):
        ipam_config(["10.1.0.0/16"], ["9.9.9.9"], [], {})
    with pytest.raises(ValueError, match="overlapping"):
        ipam_config(["10.1.0.0/16", "10.1.2.0/24"], [], [], {})
