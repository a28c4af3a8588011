"""Time limits, reactions to ill health, limited bandwidth, ports by the proxy: by flag, and by label from docker."""

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.daemon import Daemon

HEALTH = ("--health-interval", "100ms", "--health-start-interval", "100ms", "--health-retries", "2")
ILL = (*HEALTH, "--health-cmd", "test ! -e /ill")
# ends at once on SIGTERM, and is ill until it is started anew
SICK = ("busybox", "sh", "-c", "trap 'exit 3' TERM; echo run >>/runs; [ $(wc -l </runs) -gt 1 ] || touch /ill; "
        "[ $(wc -l </runs) = 1 ] || rm -f /ill; while :; do sleep .1; done")  # fmt: skip


@pytest.fixture(autouse=True)
def cleared(engine: Daemon) -> Iterator[None]:
    yield
    engine.remove_all()


def state(engine: Daemon, name: str) -> dict[str, object]:
    return json.loads(engine.hakobu("inspect", "-f", "{{json .State}}", name).stdout)


def until(engine: Daemon, name: str, **wanted: object) -> dict[str, object]:
    deadline = time.monotonic() + 20
    while True:
        now = state(engine, name)
        if all(now[key] == value for key, value in wanted.items()):
            return now
        assert time.monotonic() < deadline, now
        time.sleep(0.05)


def runs(engine: Daemon, name: str) -> int:
    return engine.hakobu("exec", name, "cat", "/runs").stdout.count("run")


def test_a_run_ends_at_its_time_limit(engine: Daemon) -> None:
    sleeper = ("busybox", "sh", "-c", "trap 'exit 7' TERM; while :; do sleep .1; done")
    began = time.monotonic()
    done = engine.hakobu("run", "--name", "short", "--restart", "always", "--timeout", "1s", *sleeper, check=False)
    assert done.returncode == 7 and 1 <= time.monotonic() - began < 8
    ended = state(engine, "short")
    assert (ended["Status"], ended["Error"]) == ("exited", "stopped at its time limit of 1s")
    began = time.monotonic()
    engine.hakobu("start", "short")
    assert state(engine, "short")["Error"] == ""
    assert engine.hakobu("wait", "short").stdout == "7\n" and time.monotonic() - began >= 1


def test_the_limit_is_the_runs_not_the_containers(engine: Daemon) -> None:
    engine.docker("run", "-d", "--name", "again", "--label", "hakobu.timeout=3s", "busybox", "sleep", "1000")
    time.sleep(1.5)
    engine.docker("restart", "-t", "0", "again")
    time.sleep(2)
    assert state(engine, "again")["Status"] == "running"
    until(engine, "again", Status="exited")


def test_what_is_due_while_no_daemon_is_there_is_done_by_the_next(own: Daemon) -> None:
    own.hakobu("run", "-d", "--name", "late", "--timeout", "2s", "busybox", "sleep", "1000")
    own.kill()
    time.sleep(2.5)
    assert "sleep" in subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout
    own.start()
    assert until(own, "late", Status="exited")["Error"] == "stopped at its time limit of 2s"


def test_an_unhealthy_container_is_restarted(engine: Daemon) -> None:
    engine.hakobu("run", "-d", "--name", "web", *ILL, "--on-unhealthy", "restart", *SICK)
    deadline = time.monotonic() + 20
    while runs(engine, "web") < 2 or state(engine, "web")["Health"]["Status"] != "healthy":  # type: ignore[index]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert runs(engine, "web") == 2


def test_it_is_stopped_for_good_or_killed_or_kept(engine: Daemon) -> None:
    common = (*ILL, "--restart", "on-failure:1")
    for what in ("stop", "kill", "keep"):
        engine.docker("run", "-d", "--name", what, *common, "--label", f"hakobu.on-unhealthy={what}", *SICK)
    assert until(engine, "stop", Status="exited")["ExitCode"] == 3
    # the policy starts it again after a kill, and the second run is well
    deadline = time.monotonic() + 20
    while engine.hakobu("inspect", "-f", "{{.RestartCount}}", "kill").stdout != "1\n":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
    kept = state(engine, "keep")
    assert kept["Status"] == "running" and kept["Health"]["Status"] == "unhealthy"  # type: ignore[index]
    assert state(engine, "stop")["Status"] == "exited"


SEND = "nc -l -p 9000 -e dd if=/dev/zero bs=16k count=64"
TAKE = "nc -l -p 9000 >/dev/null"


def address(engine: Daemon, name: str) -> str:
    shown = engine.hakobu("inspect", "-f", "{{.NetworkSettings.Networks.bridge.IPAddress}}", name)
    return shown.stdout.strip()


def connected(host: str) -> socket.socket:
    for _ in range(100):
        try:
            return socket.create_connection((host, 9000), 20)
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise AssertionError("nobody listens")


def received_in_s(host: str) -> float:
    with connected(host) as connection:
        began, count = time.monotonic(), 0
        while data := connection.recv(65536):
            count += len(data)
        assert count == 1 << 20
        return time.monotonic() - began


def sent_in_s(engine: Daemon, name: str) -> float:
    """Until all of it was read: the container ends then."""
    with connected(address(engine, name)) as connection:
        began = time.monotonic()
        connection.sendall(bytes(1 << 20))
        connection.shutdown(socket.SHUT_WR)
        engine.hakobu("wait", name)
        return time.monotonic() - began


def test_bandwidth_is_limited_in_each_direction(engine: Daemon) -> None:
    engine.hakobu("run", "-d", "--name", "out", "--bandwidth-out", "4mbit", "busybox", "sh", "-c", SEND)
    assert 1.5 < received_in_s(address(engine, "out")) < 4
    engine.docker("run", "-d", "--name", "in", "--label", "hakobu.bandwidth-in=4mbit", "busybox", "sh", "-c", TAKE)
    assert 1.5 < sent_in_s(engine, "in") < 4
    engine.hakobu("run", "-d", "--name", "open", "busybox", "sh", "-c", TAKE)
    assert sent_in_s(engine, "open") < 1.5
    engine.hakobu("run", "-d", "--name", "free", "--bandwidth-in", "4mbit", "busybox", "sh", "-c", SEND)
    assert received_in_s(address(engine, "free")) < 1
    told = engine.hakobu("run", "--explain", "--bandwidth", "10mbit", "busybox", "true").stdout
    assert "Lets eth0 send at most 10 Mbit a second." in told


SERVE = ("busybox", "sh", "-c", "echo hi >/i; exec httpd -f -h / -p 80")


@pytest.fixture
def outside() -> Iterator[str]:
    """A neighbour of the host: commands run there begin with this; the host's address is 203.0.113.1."""
    holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
    wires = f"""
        while [ "$(readlink /proc/{holder.pid}/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep .01; done
        ip link add up0 type veth peer name eth9 netns {holder.pid}
        ip addr add 203.0.113.1/24 dev up0; ip link set up0 up
        nsenter -t {holder.pid} -n sh -c 'ip addr add 203.0.113.2/24 dev eth9; ip link set eth9 up; ip link set lo up'
    """
    subprocess.run(wires, shell=True, check=True)
    yield f"nsenter -t {holder.pid} -n"
    subprocess.run(["ip", "link", "del", "up0"], check=True)
    holder.kill()
    holder.wait()


def reaches(outside: str, port: int) -> bool:
    probe = f"import urllib.request as u; u.urlopen('http://203.0.113.1:{port}/i', timeout=2).read()"
    deadline = time.monotonic() + 10
    while True:
        done = subprocess.run([*outside.split(), "python3", "-c", probe], check=False, capture_output=True, text=True)
        if ("Connection refused" not in done.stderr and "reset" not in done.stderr) or time.monotonic() > deadline:
            assert done.returncode == 0 or "timed out" in done.stderr, done.stderr
            return done.returncode == 0
        time.sleep(0.1)


FIREWALL = """
table inet wall {
    chain input { type filter hook input priority 0; tcp dport { 18101, 18102, 18103 } drop; }
}
"""


@pytest.fixture
def wall() -> Iterator[None]:
    """The host's own firewall: it drops what comes in for three ports."""
    subprocess.run(["nft", "-f", "-"], input=FIREWALL, text=True, check=True)
    yield
    subprocess.run(["nft", "delete", "table", "inet", "wall"], check=True)


def test_the_hosts_firewall_governs_proxied_ports(engine: Daemon, outside: str, wall: None) -> None:
    engine.hakobu("run", "-d", "-p", "18101:80", *SERVE)
    engine.hakobu("run", "-d", "-p", "18102:80", "-p", "18104:80", "--publish-mode", "proxy", *SERVE)
    engine.docker("run", "-d", "-p", "18103:80", "--label", "hakobu.publish-mode=80/tcp=proxy", *SERVE)
    assert reaches(outside, 18101), "in the kernel's way a port passes by the input chain, as with Docker"
    assert not reaches(outside, 18102) and not reaches(outside, 18103)
    assert reaches(outside, 18104), "what the firewall lets through arrives"


def test_a_daemon_publishes_by_the_proxy_alone(own: Daemon, outside: str, wall: None) -> None:
    own.stop()
    proxied = Daemon(own.folder, flags=("--publish-mode", "proxy"))
    proxied.start()
    try:
        proxied.hakobu("run", "-d", "-p", "18101:80", "-p", "18104:80", *SERVE)
        assert reaches(outside, 18104) and not reaches(outside, 18101)
        table = subprocess.run(["nft", "list", "ruleset"], check=True, capture_output=True, text=True).stdout
        assert not re.search(r"18104", table)
        proxied.remove_all()
    finally:
        proxied.stop()
        own.start()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--on-unhealthy", "panic"), "label hakobu.on-unhealthy=panic: expected keep, restart, stop or kill"),
        (("--bandwidth", "fast"), "expected a rate such as 10mbit"),
        (("--publish-mode", "80=proxy"), "expected proxy, kernel, or PORT/PROTOCOL=proxy"),
    ],
)
def test_what_means_nothing_is_refused(engine: Daemon, flags: tuple[str, ...], said: str) -> None:
    refused = engine.hakobu("run", "--rm", *flags, "busybox", "true", check=False)
    assert refused.returncode == 125 and said in refused.stderr


def test_a_slip_is_warned_about(engine: Daemon) -> None:
    told = engine.docker("run", "--rm", "--label", "hakobu.time-out=1s", "busybox", "true")
    assert "label hakobu.time-out means nothing to the engine" in told.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of somebody's with a file of theirs and one of root's."""
    made = tmp_path / "data"
    made.mkdir()
    (made / "theirs").write_text("x")
    (made / "roots").write_text("x")
    for path in (made, made / "theirs"):
        os.chown(path, 4321, 4322)
    return made


LOOK = "stat -c '%n %u:%g' /data /data/theirs /data/roots; touch /data/new && echo made"


def test_a_bind_mount_fits_the_containers_user(engine: Daemon, folder: Path) -> None:
    mount = f"type=bind,source={folder},target=/data,idmap"
    shown = engine.hakobu("run", "--rm", "-u", "33:34", "--mount", mount, "busybox", "sh", "-c", LOOK).stdout
    assert shown.splitlines() == ["/data 33:34", "/data/theirs 33:34", "/data/roots 0:0", "made"]
    new = (folder / "new").stat()
    assert (new.st_uid, new.st_gid) == (4321, 4322), "what the user makes is the owner's on the host"


def test_ids_can_be_named_and_docker_can_ask_by_a_label(engine: Daemon, folder: Path) -> None:
    common = ("run", "--rm", "-u", "77:78", "-v", f"{folder}:/data")
    plain = engine.docker(*common, "busybox", "sh", "-c", LOOK, check=False)
    assert "/data 4321:4322" in plain.stdout and "Permission denied" in plain.stderr
    asked = engine.docker(*common, "--label", "hakobu.idmap=/data=4321:77/4322:78", "busybox", "sh", "-c", LOOK).stdout
    assert asked.splitlines()[:2] == ["/data 77:78", "/data/theirs 77:78"]


def test_a_volume_fits_a_user_by_name_over_its_life(engine: Daemon) -> None:
    """A named user of the image's; the volume's own files stay root's on disk."""
    flags = ("--mount", "type=volume,source=fit,target=/data,idmap", "-u", "www-data")
    try:
        for _ in range(2):
            engine.hakobu("run", "--rm", *flags, "busybox", "sh", "-c", "id -u; stat -c %u /data; touch /data/x")
        path = engine.hakobu("volume", "inspect", "-f", "{{.Mountpoint}}", "fit").stdout.strip()
        assert (Path(path) / "x").stat().st_uid == 0
    finally:
        engine.hakobu("volume", "rm", "fit")


def test_an_idmap_where_nothing_is_mounted_is_refused(engine: Daemon) -> None:
    refused = engine.docker("run", "--rm", "--label", "hakobu.idmap=/data", "busybox", "true", check=False)
    assert refused.returncode != 0 and "label hakobu.idmap: nothing is mounted at /data" in refused.stderr
