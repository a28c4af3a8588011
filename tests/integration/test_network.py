"""Networks through a real engine: ports, names, connect and disconnect, the daemon's death, others' rules."""

import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.integration.daemon import Daemon

from hakobu.spec.instance import Instance

SERVE = "mkdir -p /w; echo {} > /w/index.html; exec httpd -f -p 80 -h /w"


def page(url: str) -> str:
    """What is served there; a server that is just starting is waited for."""
    for attempt in range(50):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().decode().strip()
        except (urllib.error.URLError, ConnectionError):
            if attempt == 49:
                raise
            time.sleep(0.1)
    return ""


@pytest.fixture
def app(engine: Daemon) -> Iterator[str]:
    """A network of its own, removed with all that is on it."""
    engine.hakobu("network", "create", "app")
    yield "app"
    engine.remove_all()
    engine.hakobu("network", "rm", "app", check=False)


def serve(engine: Daemon, name: str, *flags: str) -> None:
    engine.hakobu("run", "-d", "--name", name, *flags, "busybox", "sh", "-c", SERVE.format(name))


def inside(engine: Daemon, name: str, *argv: str) -> str:
    return engine.hakobu("exec", name, *argv).stdout.strip()


def test_a_published_port_is_served_from_everywhere(engine: Daemon, app: str) -> None:
    serve(engine, "web", "--network", app, "--network-alias", "front", "-p", "18080:80")
    for host in ("127.0.0.1", "localhost", "[::1]"):
        assert page(f"http://{host}:18080/") == "web", host
    serve(engine, "other", "--network", app)
    gateway = re.search(r"default via ([0-9.]+)", inside(engine, "other", "ip", "route"))
    assert gateway is not None
    for url in ("http://web/", "http://front.app/", f"http://{gateway[1]}:18080/"):
        assert inside(engine, "other", "wget", "-T", "5", "-qO-", url) == "web", url
    # by its own published port, back to itself
    assert inside(engine, "web", "wget", "-T", "5", "-qO-", f"http://{gateway[1]}:18080/") == "web"
    engine.hakobu("rm", "-f", "web")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 18080), 5)


def test_a_refused_port_says_who_holds_it(engine: Daemon, app: str) -> None:
    serve(engine, "holder", "-p", "18081:80")
    refused = engine.hakobu("run", "-d", "--name", "late", "-p", "18081:80", "busybox", "true", check=False)
    assert refused.returncode == 125
    assert "Bind for 0.0.0.0:18081 failed: port is already allocated" in refused.stderr
    assert "held by container holder" in refused.stderr
    with socket.create_server(("127.0.0.1", 18082)):
        refused = engine.hakobu("run", "--rm", "-p", "18082:80", "busybox", "true", check=False)
    assert refused.returncode == 125 and f"(pid {os.getpid()})" in refused.stderr


def test_a_running_container_joins_and_leaves_networks(engine: Daemon, app: str) -> None:
    serve(engine, "web", "--network", app)
    engine.hakobu("run", "-d", "--name", "guest", "busybox", "sleep", "1000")
    engine.hakobu("network", "connect", "--alias", "visitor", app, "guest")
    assert inside(engine, "guest", "wget", "-T", "5", "-qO-", "http://web/") == "web"
    assert "Address: 1" in inside(engine, "web", "nslookup", "visitor")
    engine.hakobu("network", "disconnect", "bridge", "guest")
    assert "dev eth1" in inside(engine, "guest", "ip", "route").splitlines()[0]
    engine.hakobu("network", "disconnect", app, "guest")
    assert inside(engine, "guest", "ip", "-o", "link").count("\n") == 0


def test_names_and_ports_live_on_without_the_daemon(own: Daemon) -> None:
    engine = own
    serve(engine, "one", "--network", "app")
    serve(engine, "two", "--network", "app", "-p", "18083:80")
    assert page("http://127.0.0.1:18083/") == "two"
    engine.kill()
    assert page("http://127.0.0.1:18083/") == "two"
    engine.start()
    assert page("http://127.0.0.1:18083/") == "two"
    assert inside(engine, "one", "wget", "-T", "5", "-qO-", "http://two/") == "two"
    engine.hakobu("rename", "two", "three")
    assert inside(engine, "one", "wget", "-T", "5", "-qO-", "http://three/") == "two"
    engine.hakobu("restart", "-t", "0", "three")
    assert page("http://127.0.0.1:18083/") == "two"


def test_a_killed_resolver_is_replaced(own: Daemon) -> None:
    serve(own, "one", "--network", "app")
    os.kill(resolver(own), signal.SIGKILL)
    # noticed at the next start; ten seconds at the latest
    serve(own, "two", "--network", "app")
    assert "Address: 1" in inside(own, "one", "nslookup", "two")


def resolver(engine: Daemon) -> int:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline") as file:
                    line = file.read()
            except OSError:
                continue
            if "hakobu.network.resolver" in line and str(engine.socket.parent) in line:
                return int(entry)
    raise AssertionError("no resolver runs")


def test_internal_networks_lead_nowhere(engine: Daemon) -> None:
    engine.hakobu("network", "create", "--internal", "closed")
    try:
        out = engine.hakobu(
            "run", "--rm", "--network", "closed", "busybox", "sh", "-c", "ip route; nslookup example.org || true"
        ).stdout
        assert "default" not in out and "NXDOMAIN" in out
    finally:
        engine.hakobu("network", "rm", "closed")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("run", "--rm", "--ip", "172.17.0.9", "busybox", "true"), "supported on user defined networks only"),
        (("network", "create", "--subnet", "300.0.0.0/8", "bad"), "invalid CIDR address: 300.0.0.0/8"),
        (("network", "create", "host"), "predefined"),
        (("network", "rm", "bridge"), "pre-defined network and cannot be removed"),
        (("network", "rm", "nowhere"), "network nowhere not found"),
    ],
)
def test_what_docker_refuses_is_refused_in_its_words(engine: Daemon, argv: tuple[str, ...], said: str) -> None:
    refused = engine.hakobu(*argv, check=False)
    assert refused.returncode != 0 and said in refused.stderr


def left_on_host(instance: Instance) -> dict[str, str]:
    """What containers have on the host's side: cables, ports in the maps."""
    links = subprocess.run(["ip", "-br", "link", "show", "type", "veth"], check=True, capture_output=True, text=True)
    table = subprocess.run(
        ["nft", "list", "table", "inet", instance.nft_table], check=True, capture_output=True, text=True
    ).stdout
    maps = re.findall(r"(?:map (?:any)?ports\d|set hairpin) \{[^}]*elements = \{([^}]*)", table)
    return {"veth": links.stdout.strip(), "ports": " ".join(maps)}


@pytest.mark.parametrize("point", ["port.reserve", "route.add", "program.execute"])
def test_a_start_that_fails_anywhere_leaves_nothing_of_its_network(own: Daemon, point: str) -> None:
    own.stop()
    failing = Daemon(own.folder, flags=("--debug-failpoints", point))
    failing.start()
    for _ in range(5):
        failed = failing.hakobu("run", "--rm", "-p", "18090:80", "busybox", "true", check=False)
        assert failed.returncode == 125 or point == "program.execute", failed.stderr
        assert failed.returncode != 0
    instance = Instance(f"{own.folder}/data", f"{own.folder}/exec")
    deadline = time.monotonic() + 5
    while (left := left_on_host(instance)) != {"veth": "", "ports": ""} and time.monotonic() < deadline:
        time.sleep(0.1)  # the kernel takes a namespace away in its own time
    assert left == {"veth": "", "ports": ""}
    failing.stop()
    own.start()
    out = own.hakobu("run", "--rm", "-p", "18090:80", "busybox", "ip", "-4", "-o", "addr", "show", "eth0").stdout
    gateway = own.hakobu("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "bridge").stdout.strip()
    assert f"{gateway.rpartition('.')[0]}.2/16" in out, "the first address is free again"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 18090), 5)


def test_containers_that_start_at_once_all_have_their_names(engine: Daemon) -> None:
    """None publishes the names without those of the others that are about to run."""
    engine.hakobu("network", "create", "crowd")
    names = [f"c{number}" for number in range(8)]
    for name in names:
        engine.hakobu("create", "--name", name, "--network", "crowd", "busybox", "sleep", "1000")
    for _ in range(3):
        with ThreadPoolExecutor(len(names)) as pool:
            for done in [pool.submit(engine.hakobu, "start", name) for name in names]:
                done.result()
        for asker in names:
            script = "for n in " + " ".join(names) + "; do nslookup $n 127.0.0.11 >/dev/null 2>&1 || echo $n; done"
            assert engine.hakobu("exec", asker, "sh", "-c", script).stdout == ""
        engine.hakobu("kill", *names)
    engine.hakobu("rm", "-f", *names)
    engine.hakobu("network", "rm", "crowd")
