"""Every flag of dockerd: it reaches the configuration, or is refused by its name. The page of docs says the same."""

import json
import pathlib

import pytest

from hakobu.daemon.flags import FLAGS
from hakobu.daemon.page import page
from hakobu.daemon.settings import FlagRefused, parse
from hakobu.errors import Invalid
from hakobu.spec.instance import Instance

REFUSED = [f for f in FLAGS if f.refused]


@pytest.mark.parametrize("flag", REFUSED, ids=lambda f: f.name)
def test_what_does_not_exist_here_is_refused_by_name_with_the_reason(flag):
    with pytest.raises(FlagRefused, match=f"--{flag.name} is not supported: ") as refused:
        parse([f"--{flag.name}=x" if flag.kind != "bool" else f"--{flag.name}"], {})
    assert flag.refused in refused.value.message


@pytest.mark.parametrize(
    ("argv", "read", "expected"),
    [
        (["--data-root", "/d"], lambda s: s.engine.instance.data_root, "/d"),
        (["--exec-root=/e"], lambda s: s.engine.instance.exec_root, "/e"),
        (["-H", "unix:///a", "-H", "unix:///b"], lambda s: s.hosts, ("unix:///a", "unix:///b")),
        (["--pidfile", "/p"], lambda s: s.pidfile, "/p"),
        (["-D"], lambda s: (s.log_level, s.engine.debug), ("debug", True)),
        (["--log-level", "warn"], lambda s: s.log_level, "warn"),
        (["--log-format", "json"], lambda s: s.log_format, "json"),
        (["--group", "g"], lambda s: s.group, "g"),
        (["--label", "a=b"], lambda s: s.engine.labels, ("a=b",)),
        (["--bip", "10.9.0.1/24"], lambda s: s.engine.network.bip, "10.9.0.1/24"),
        (["--bridge", "none"], lambda s: s.engine.network.default_bridge, False),
        (["--fixed-cidr", "10.9.0.0/25"], lambda s: s.engine.network.fixed_cidr, "10.9.0.0/25"),
        (["--fixed-cidr-v6", "fd00::/64"], lambda s: s.engine.network.fixed_cidr_v6, "fd00::/64"),
        (["--default-gateway", "10.9.0.9"], lambda s: s.engine.network.default_gateway, "10.9.0.9"),
        (["--mtu", "1400"], lambda s: s.engine.network.mtu, 1400),
        (["--icc=false"], lambda s: s.engine.network.icc, False),
        (["--ip", "127.0.0.1"], lambda s: s.engine.network.default_host_ip, "127.0.0.1"),
        (["--ip-forward=false"], lambda s: s.engine.network.ip_forward, False),
        (["--ip-masq=false"], lambda s: s.engine.network.masquerade, False),
        (["--iptables=false"], lambda s: s.engine.network.firewall, False),
        (["--ipv6"], lambda s: s.engine.network.ipv6, True),
        (["--dns", "9.9.9.9"], lambda s: s.engine.network.dns, ("9.9.9.9",)),
        (["--dns-opt", "rotate"], lambda s: s.engine.network.dns_options, ("rotate",)),
        (["--dns-search", "lan"], lambda s: s.engine.network.dns_search, ("lan",)),
        (["--publish-mode", "proxy"], lambda s: s.engine.network.publish_mode, "proxy"),
        (
            ["--default-address-pool", "base=10.8.0.0/16,size=24"],
            lambda s: s.engine.network.address_pools,
            (("10.8.0.0/16", 24),),
        ),
        (["--log-driver", "local"], lambda s: s.engine.log.driver, "local"),
        (["--log-opt", "max-size=1m"], lambda s: s.engine.log.options, {"max-size": "1m"}),
        (["--default-shm-size", "128m"], lambda s: s.engine.shm_bytes, 128 << 20),
        (["--default-ulimit", "nofile=10:20"], lambda s: s.engine.ulimits[0].hard, 20),
        (["--cgroup-parent", "/x"], lambda s: s.engine.cgroup_parent, "/x"),
        (["--default-cgroupns-mode", "host"], lambda s: s.engine.cgroupns_mode, "host"),
        (["--default-ipc-mode", "shareable"], lambda s: s.engine.ipc_mode, "shareable"),
        (["--init"], lambda s: s.engine.init, True),
        (["--init-path", "/i"], lambda s: s.engine.init_path, "/i"),
        (["--no-new-privileges"], lambda s: s.engine.no_new_privileges, True),
        (["--seccomp-profile", "unconfined"], lambda s: s.engine.seccomp_profile, "unconfined"),
        (["--live-restore=false"], lambda s: s.engine.live_restore, False),
        ([], lambda s: s.engine.live_restore, True),
        (["--shutdown-timeout", "5"], lambda s: s.engine.shutdown_timeout_s, 5),
        (["--registry-mirror", "http://m"], lambda s: s.engine.mirrors, ("http://m",)),
        (["--insecure-registry", "r:5000"], lambda s: s.engine.insecure_registries, ("r:5000",)),
        (["--max-concurrent-downloads", "7"], lambda s: s.engine.max_downloads, 7),
        (["--max-concurrent-uploads", "7"], lambda s: s.engine.max_uploads, 7),
        (["--max-download-attempts", "7"], lambda s: s.engine.max_download_attempts, 7),
        (["--oom-score-adjust", "-500"], lambda s: s.oom_score_adj, -500),
        (["--debug-failpoints", "mount.new"], lambda s: s.engine.failpoints, "mount.new"),
        (["--on-demand", "--idle-timeout", "9"], lambda s: (s.on_demand, s.idle_timeout_s), (True, 9)),
        (["--storage-driver", "overlay2"], lambda s: True, True),
        (["--exec-opt", "native.cgroupdriver=cgroupfs"], lambda s: True, True),
    ],
    ids=lambda v: v[0] if isinstance(v, list) and v else None,
)
def test_what_works_reaches_the_configuration(argv, read, expected):
    assert read(parse(argv, {})) == expected


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--nosuch"], "unknown flag: --nosuch"),
        (["--mtu", "big"], "invalid number for --mtu"),
        (["--icc=perhaps"], "invalid boolean for --icc"),
        (["--storage-driver", "zfs"], "invalid value for --storage-driver"),
        (["--data-root", "relative"], "--data-root must be an absolute path"),
        (["--default-ulimit", "nofile=x"], "invalid ulimit argument"),
        (["--config-file", "/nonexistent.json"], "does not exist"),
        (["--mtu"], "flag needs an argument"),
    ],
)
def test_bad_values_name_the_flag(argv, words):
    with pytest.raises(Invalid, match=words):
        parse(argv, {})


def test_the_file_and_its_refusals(tmp_path):
    path = tmp_path / "daemon.json"
    path.write_text(
        json.dumps(
            {
                "mtu": 1300,
                "labels": ["a=b"],
                "live-restore": False,
                "default-address-pools": [{"base": "10.8.0.0/16", "size": 24}],
                "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1, "Hard": 2}},
                "log-opts": {"max-file": "3"},
            }
        )
    )
    settings = parse(["--config-file", str(path)], {})
    engine = settings.engine
    assert (engine.network.mtu, engine.labels, engine.live_restore) == (1300, ("a=b",), False)
    assert engine.network.address_pools == (("10.8.0.0/16", 24),)
    assert (engine.ulimits[0].soft, engine.ulimits[0].hard) == (1, 2)
    assert engine.log.options == {"max-file": "3"}
    with pytest.raises(Invalid, match="both as a flag and in the configuration file: mtu"):
        parse(["--config-file", str(path), "--mtu", "1"], {})
    for text, words in (('{"colour": 1}', "colour"), ("[1]", "not a JSON object"), ("{", str(path))):
        path.write_text(text)
        with pytest.raises(Invalid, match=words):
            parse(["--config-file", str(path)], {})


def test_the_page_is_current():
    found = pathlib.Path(__file__).parents[3].joinpath("docs/daemon.md").read_text(encoding="utf-8")
    assert found == page(), "run scripts/daemon-page"


def test_a_users_engine_keeps_to_the_users_places() -> None:
    env = {"HOME": "/h", "XDG_RUNTIME_DIR": "/r"}
    settings = parse([], env, uid=1000)
    assert settings.engine.instance == Instance("/h/.local/share/hakobu", "/r/hakobu")
    assert settings.hosts == ("unix:///r/hakobu/hakobu.sock",)
    assert settings.engine.network.port_keeper == ""


def test_in_its_namespaces_ports_are_bound_by_the_keeper() -> None:
    network = parse(["--rootless"], {"HOME": "/h", "XDG_RUNTIME_DIR": "/r"}, uid=1000).engine.network
    assert (network.port_keeper, network.publish_mode) == ("/r/hakobu/keeper", "proxy")
