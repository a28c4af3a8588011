"""A real dockerd in the same network namespace: both engines' containers go on working, in either order."""

import contextlib
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from tests.kernel.network.conftest import end_resolvers, sh
from tests.kernel.network.test_service import connect, plug, world
from tests.leaks import need

from hakobu.network.service import Networking
from hakobu.spec.container import EndpointSpec
from hakobu.spec.instance import Instance
from hakobu.spec.network import NetworkSpec
from hakobu.spec.plan import ReservedPort

__all__ = ["world"]


class Dockerd:
    """In a namespace, with mounts of its own; what it leaves on disk goes with its directory."""

    def __init__(self, host) -> None:
        self.directory = tempfile.mkdtemp(prefix="hk-dockerd-")
        self._host = host
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        d = self.directory
        line = (
            f"mount --make-rshared / && exec dockerd --data-root {d}/data --exec-root {d}/exec -H unix://{d}/s "
            f"--pidfile {d}/pid --cgroup-parent /hk-dockerd-test"
        )
        enter = ["nsenter", "-t", str(self._host.pid), "-n", "unshare", "-m", "--propagation", "private"]
        with open(f"{d}/log", "ab") as log:
            self._process = subprocess.Popen([*enter, "sh", "-c", line], stdout=log, stderr=log)
        for _ in range(200):
            with contextlib.suppress(subprocess.CalledProcessError):
                sh(f"docker -H unix://{d}/s version")
                return
            time.sleep(0.1)
        with open(f"{d}/log") as log:
            pytest.fail(f"dockerd did not start: {log.read()[-2000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def run(self, arguments: str) -> str:
        return sh(f"docker -H unix://{self.directory}/s {arguments}").strip()


def remove_cgroups() -> None:
    """dockerd leaves the parent it was given, in every hierarchy."""
    for parent in [*Path("/sys/fs/cgroup").glob("hk-dockerd-test"), *Path("/sys/fs/cgroup").glob("*/hk-dockerd-test")]:
        for folder in sorted((p for p in parent.rglob("*") if p.is_dir()), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
        with contextlib.suppress(OSError):
            parent.rmdir()


@pytest.fixture
def dockerd(world):
    need(shutil.which("dockerd") is not None and shutil.which("busybox") is not None, "docker.io and busybox-static")
    daemon = Dockerd(world[0])
    yield daemon
    daemon.stop()
    remove_cgroups()
    shutil.rmtree(daemon.directory, ignore_errors=True)


def test_dockerd_and_we_share_a_host_in_either_order(world, namespaces, serving, dockerd):
    host, outside = world
    ours = namespaces()
    root = tempfile.mkdtemp(prefix="hk-beside-")
    instance = Instance(f"{root}/data", f"{root}/exec")
    serving(outside, 80)

    def first():
        networking = Networking(instance)
        one, _ = networking.create(NetworkSpec(name="one"))
        end = networking.join(one, EndpointSpec(network="one"))
        networking.publish("c", end, [ReservedPort("tcp", "0.0.0.0", 8080, 80)])
        return one, end

    one, end = host.run(first)
    plug(host, ours, one, end, instance=instance)
    serving(ours, 80)
    assert ours.run(lambda: connect("203.0.113.2", 80)) == "203.0.113.1"

    dockerd.start()
    # dockerd itself does this where it finds ip_forward off; here we were first
    host.run(lambda: sh("iptables -P FORWARD DROP"))
    assert ours.run(lambda: connect("203.0.113.2", 80, 1)) == "timeout"

    def heal():
        networking = Networking(instance)
        networking.restore([one], [end], [("c", end, [ReservedPort("tcp", "0.0.0.0", 8080, 80)])])
        networking.take_notices()
        networking.heal()
        quiet = networking.take_notices()
        sh("iptables -F DOCKER-USER; iptables -A DOCKER-USER -j RETURN")
        networking.join(one, EndpointSpec(network="one"))
        return quiet, networking.take_notices()

    quiet, noticed = host.run(heal)
    assert quiet == [] and noticed == [f"chain ip filter DOCKER-USER accepts {one.bridge}"]
    assert ours.run(lambda: connect("203.0.113.2", 80)) == "203.0.113.1"
    assert outside.run(lambda: connect("203.0.113.1", 8080)) == "203.0.113.2"

    # dockerd's own container, published, beside ours
    sh(f"mkdir -p {root}/image/bin && cp $(which busybox) {root}/image/bin/ && tar -C {root}/image -cf {root}/i.tar .")
    dockerd.run(f"import {root}/i.tar busy")
    loop = "while :; do echo theirs | /bin/busybox nc -l -p {}; done"
    line = f"/bin/busybox sh -c '{loop.format(81)} & {loop.format(80)}'"
    theirs = dockerd.run(f"run -d -p 8081:80 busy {line}")
    for _ in range(50):
        answer = outside.run(lambda: connect("203.0.113.1", 8081)).strip()
        if answer == "theirs":
            break
        time.sleep(0.1)
    assert answer == "theirs"
    # theirs and ours are apart: what dockerd does not publish stays shut, though its chain lets ours pass
    address = dockerd.run(f"inspect -f '{{{{.NetworkSettings.IPAddress}}}}' {theirs}")
    assert ours.run(lambda: connect(address, 81, 1)) == "timeout"

    assert ours.run(lambda: connect("203.0.113.1", 8081)).strip() == "theirs"
    ask = "/bin/busybox sh -c '/bin/busybox sleep 1 | /bin/busybox nc -w 2 {} {} || true'"
    assert dockerd.run(f"exec {theirs} {ask.format(end.ipv4, 80)}") == ""
    assert dockerd.run(f"exec {theirs} {ask.format('203.0.113.1', 8080)}") == "172.17.0.1"

    # dockerd comes again with our rules there, and ours still pass
    dockerd.run(f"rm -f {theirs}")
    dockerd.stop()
    dockerd.start()
    assert ours.run(lambda: connect("203.0.113.2", 80)) == "203.0.113.1"
    assert outside.run(lambda: connect("203.0.113.1", 8080)) == "203.0.113.2"

    def away():
        networking = Networking(instance)
        networking.restore([one], [end])
        networking.remove(one)
        return sh("iptables-save").count(one.bridge), sh("nft list ruleset").count(one.bridge)

    assert host.run(away) == (0, 0)
    end_resolvers(f"{instance.exec_root}/resolver")
    shutil.rmtree(root)
