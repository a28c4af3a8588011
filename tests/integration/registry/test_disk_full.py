"""A disk that is full while images come in: Docker's words, what to do about it, and nothing left behind."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.daemon import Daemon, image_archive
from tests.leaks import need

from hakobu.kernel import mount

from .server import REGISTRY, Served, serving

SMALL = "12m"


@pytest.fixture(scope="module")
def registry(engine: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With nginx, which is larger than the disk."""
    need(REGISTRY is not None, "docker-registry")
    with serving(tmp_path_factory.mktemp("registry")) as found:
        engine.load("nginx")
        engine.hakobu("tag", "nginx", f"{found.host}/team/large:v1")
        engine.hakobu("push", "-q", f"{found.host}/team/large:v1")
        yield found


@pytest.fixture
def small(isolated_session: None) -> Iterator[Daemon]:
    """An engine whose data root is a file system of twelve megabytes, busybox on it."""
    folder = Path(tempfile.mkdtemp(prefix="hakobu-test-"))
    (folder / "data").mkdir()
    mount.mount("tmpfs", str(folder / "data"), "tmpfs", 0, f"size={SMALL}")
    daemon = Daemon(folder, ("--bridge", "none", "--iptables=false"))
    try:
        daemon.start()
        daemon.load("busybox")
        yield daemon
        daemon.stop()
    finally:
        mount.umount2(str(folder / "data"), 0)
        shutil.rmtree(folder)


def _left(daemon: Daemon) -> tuple[list[str], list[str], int]:
    data = daemon.folder / "data"
    passing = [path.name for name in ("ingest", "partial") for path in (data / "oci" / name).iterdir()]
    return sorted(os.listdir(data / "snapshots")), passing, shutil.disk_usage(data).used >> 20


@pytest.mark.parametrize("way", ["load", "pull"])
def test_a_full_disk_is_said_and_leaves_nothing(small: Daemon, registry: Served, way: str) -> None:
    before = _left(small)
    argv = ("load", "-i", str(image_archive("nginx"))) if way == "load" else ("pull", f"{registry.host}/team/large:v1")
    done = small.docker(*argv, check=False)
    assert done.returncode == 1
    assert "no space left on device" in done.stdout + done.stderr
    after = _left(small)
    assert after[:2] == before[:2] and after[2] <= before[2] + 1
    assert small.hakobu("images", "--format", "{{.Repository}}").stdout.split() == ["busybox"]
    assert small.hakobu("run", "--rm", "--network", "none", "busybox", "echo", "goes on").stdout == "goes on\n"
    hinted = small.hakobu(*argv, check=False)
    assert "no space left on device" in hinted.stderr and "hakobu image prune" in hinted.stderr
