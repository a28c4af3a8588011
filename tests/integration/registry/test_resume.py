"""Pulls that were broken off go on in the next run; mirrors stand before a registry and are passed over in order."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.daemon import ROOT, Daemon
from tests.leaks import need

from hakobu.client.endpoint import choose
from hakobu.client.engine import Engine

from .faults import Faults, proxy_thread
from .server import REGISTRY, Basic, Served, free_port, serving


@pytest.fixture(scope="module")
def registry(engine: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With busybox as team/app:v1; its one layer has more than a megabyte."""
    need(REGISTRY is not None, "docker-registry")
    with serving(tmp_path_factory.mktemp("registry")) as found:
        name = f"{found.host}/team/app:v1"
        engine.hakobu("tag", "busybox", name)
        engine.hakobu("push", "-q", name)
        engine.hakobu("rmi", name, "busybox")
        yield found
        engine.load("busybox")


def break_off(engine: Daemon, name: str) -> Path:
    """Pulls until some of a layer is there, and goes away; the part that stays."""
    oci = engine.folder / "data" / "oci"
    client = pulling(engine, name)
    until(lambda: size_of(oci / "ingest") > 100_000)
    client.terminate()
    client.wait()
    until(lambda: size_of(oci / "partial") > 100_000)
    (part,) = (oci / "partial").iterdir()
    return part


@pytest.fixture
def own(isolated_session: None) -> Iterator[Callable[..., Daemon]]:
    """Starts an engine of the test's own, with flags, without a bridge."""
    started: list[Daemon] = []

    def start(*flags: str) -> Daemon:
        daemon = Daemon(Path(tempfile.mkdtemp(prefix="hakobu-test-")), ("--bridge", "none", "--iptables=false", *flags))
        started.append(daemon)
        daemon.start()
        return daemon

    yield start
    for daemon in started:
        daemon.stop()
        shutil.rmtree(daemon.folder)


def pulling(engine: Daemon, name: str) -> "subprocess.Popen[bytes]":
    argv = [sys.executable, "-I", "-m", "hakobu.cli.main", "pull", name]
    environment = {**os.environ, "HAKOBU_HOST": engine.url}
    return subprocess.Popen(argv, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.02)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.mark.parametrize("end", ["client", "daemon"])
def test_a_pull_that_was_broken_off_goes_on_where_it_was(
    own: Callable[..., Daemon], registry: Served, end: str
) -> None:
    engine = own()
    oci = engine.folder / "data" / "oci"
    faults = Faults(kind="stall", path="/blobs/", times=1, skip=1)  # the configuration comes first
    with proxy_thread(registry.port, faults) as port:
        name = f"127.0.0.1:{port}/team/app:v1"
        client = pulling(engine, name)
        until(lambda: size_of(oci / "ingest") > 100_000)
        if end == "client":
            client.terminate()
            until(lambda: size_of(oci / "partial") > 100_000)
        else:
            engine.kill()
            engine.start()
        client.wait()
        assert list((oci / "ingest").iterdir()) == []
        (part,) = (oci / "partial").iterdir()
        have = part.stat().st_size
        assert have > 100_000
        engine.hakobu("pull", name)
        assert list((oci / "partial").iterdir()) == []
        ranges = [headers["Range"] for _, headers in faults.log if "Range" in headers]
        assert len(ranges) == 1 and ranges[0].startswith(f"bytes={have}-")
        assert engine.hakobu("run", "--rm", "--network", "none", name, "echo", "whole").stdout == "whole\n"
        engine.hakobu("rmi", name)


def test_a_part_that_is_damaged_costs_a_second_download_and_no_more(
    own: Callable[..., Daemon], registry: Served
) -> None:
    engine = own()
    with proxy_thread(registry.port, Faults(kind="stall", path="/blobs/", times=1, skip=1)) as port:
        name = f"127.0.0.1:{port}/team/app:v1"
        part = break_off(engine, name)
        data = bytearray(part.read_bytes())
        data[len(data) // 2] ^= 0xFF
        part.write_bytes(data)
        first = engine.hakobu("pull", name, check=False)
        if first.returncode:  # the damage was met while unpacking, before there was a digest to compare
            engine.hakobu("pull", name)
        assert engine.hakobu("run", "--rm", "--network", "none", name, "echo", "whole").stdout == "whole\n"
        engine.hakobu("rmi", name)


def test_a_prune_of_everything_takes_the_parts(own: Callable[..., Daemon], registry: Served) -> None:
    engine = own()
    with proxy_thread(registry.port, Faults(kind="stall", path="/blobs/", times=1, skip=1)) as port:
        part = break_off(engine, f"127.0.0.1:{port}/team/app:v1")
        assert engine.docker("image", "prune", "-f").stdout == "Total reclaimed space: 0B\n"
        assert part.exists()
        size = part.stat().st_size
        with Engine(choose(engine.url, "", env={})) as client:
            assert client.images.prune({"dangling": ["false"]})["SpaceReclaimed"] == size
        assert not part.exists()


def test_mirrors_are_tried_in_order_and_get_no_login_unless_they_are_named(
    registry: Served, tmp_path: Path, own: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    empty, trusted, gone = Faults(), Faults(), free_port()
    (tmp_path / "origin").mkdir()
    (tmp_path / "empty").mkdir()
    with (
        serving(tmp_path / "origin", auth=Basic("me", "secret")) as origin,
        serving(tmp_path / "empty") as nothing,
        proxy_thread(nothing.port, empty) as first,
        proxy_thread(registry.port, trusted) as second,
    ):
        file = tmp_path / "registries.toml"
        file.write_text(
            f'[[registry."{origin.host}".mirror]]\nurl = "http://127.0.0.1:{gone}"\n'
            f'[[registry."{origin.host}".mirror]]\nurl = "http://127.0.0.1:{first}/cache"\n'
            f'[[registry."{origin.host}".mirror]]\nurl = "http://127.0.0.1:{second}/team"\ncredentials = true\n'
        )
        engine = own("--registries", str(file))
        engine.hakobu("login", "-u", "me", "--password-stdin", origin.host, stdin="secret")
        name = f"{origin.host}/app:v1"
        assert f"Downloaded newer image for {name}" in engine.hakobu("pull", name).stdout
        assert any(line.startswith("GET /v2/cache/app/manifests/v1 ") for line, _ in empty.log)
        assert any(line.startswith("GET /v2/team/app/blobs/sha256:") for line, _ in trusted.log)
        assert not any("Authorization" in headers for _, headers in empty.log)
        # where no mirror has it, the registry itself is asked, with the login
        engine.hakobu("tag", name, f"{origin.host}/other:v1")
        engine.hakobu("push", "-q", f"{origin.host}/other:v1")
        engine.hakobu("rmi", f"{origin.host}/other:v1")
        engine.hakobu("pull", f"{origin.host}/other:v1")
        assert not any("PUT" in line or "POST" in line for line, _ in (*empty.log, *trusted.log))


def test_a_file_of_mirrors_that_cannot_be_read_stops_the_start_with_its_place(
    isolated_session: None, tmp_path: Path
) -> None:
    file = tmp_path / "registries.toml"
    file.write_text('[[registry."quay.io".mirror]]\nurl = "ftp://mirror"\n')
    argv = [sys.executable, "-I", "-m", "hakobu.daemon", "--data-root", str(tmp_path / "d")]
    argv += ["--exec-root", str(tmp_path / "e"), "-H", f"unix://{tmp_path}/s", "--registries", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, cwd="/")
    assert done.returncode != 0
    assert f'{file}: registry."quay.io".mirror.url must be like https://HOST' in done.stderr


def test_pulled_images_go_when_nothing_has_used_them_for_long(own: Callable[..., Daemon], registry: Served) -> None:
    engine = own("--image-gc-age", "5s", "--image-gc-interval", "1s")
    engine.load("busybox")
    name = f"{registry.host}/team/app:v1"
    engine.hakobu("tag", "busybox", f"{registry.host}/team/local:v1")
    engine.hakobu("pull", name)  # the same image as busybox, which this makes one that can be had again
    mounted = _another(engine, registry, "mounted")
    engine.hakobu("create", "--name", "holds", "--mount", f"type=image,src={mounted},dst=/image", name)
    used = engine.hakobu("images", "-q").stdout
    other = _another(engine, registry, "other")
    assert other in engine.hakobu("images", "--format", "{{.Repository}}:{{.Tag}}").stdout
    until(lambda: other not in engine.hakobu("images", "--format", "{{.Repository}}:{{.Tag}}").stdout)
    assert engine.hakobu("images", "-q").stdout == used
    assert mounted in engine.hakobu("images", "--format", "{{.Repository}}:{{.Tag}}").stdout
    engine.hakobu("rm", "holds")
    until(lambda: engine.hakobu("images", "-q").stdout == "")
    assert name in engine.log() and "removed image sha256:" in engine.log()


def _another(engine: Daemon, registry: Served, what: str) -> str:
    """One more image that the registry has, too: it was made here and pushed there."""
    name = f"{registry.host}/team/{what}:v1"
    engine.hakobu("run", "--name", "makes", "--network", "none", "busybox", "touch", f"/{what}")
    engine.hakobu("commit", "makes", name)
    engine.hakobu("rm", "makes")
    engine.hakobu("push", "-q", name)
    return name
