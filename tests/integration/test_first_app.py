"""The main job: the first application, by our command line, by docker's, and by docker-py."""

import os
import time
import urllib.request
from collections.abc import Iterator

import docker
import pytest
from tests.integration.daemon import ROOT, Daemon

COMPOSE = ("compose", "-f", "examples/first-app/compose.yaml")
URL = "http://localhost:8080/"


def _page() -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 20
    while True:
        try:
            with opener.open(URL, timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            assert time.monotonic() < deadline, "the page does not come"
            time.sleep(0.05)


@pytest.fixture
def app(nginx: Daemon) -> Iterator[Daemon]:
    """The application, up for the time of one test."""
    nginx.hakobu(*COMPOSE, "up", "-d")
    yield nginx
    nginx.hakobu(*COMPOSE, "down")


def test_the_page_is_served_and_its_file_is_shared(app: Daemon) -> None:
    assert _page() == (ROOT / "examples/first-app/html/index.html").read_text()


@pytest.mark.parametrize("client", ["hakobu", "docker"])
def test_the_looks_inside(app: Daemon, client: str) -> None:
    def inside(*argv: str) -> str:
        return getattr(app, client)("exec", "first-app-web", *argv).stdout

    assert 'VERSION_CODENAME=trixie' in inside("cat", "/etc/os-release")  # fmt: skip
    processes = inside("ps", "aux")
    assert "nginx: master process nginx -g daemon off;" in processes
    first = next(line.split() for line in processes.splitlines()[1:] if line.split()[1] == "1")
    assert first[0] == "root"
    assert any(line.startswith("nginx ") and "worker process" in line for line in processes.splitlines())
    assert "inet " in inside("ifconfig")
    assert inside("uname", "-r").strip() == os.uname().release


def test_docker_py_finds_the_container(app: Daemon) -> None:
    client = docker.DockerClient(base_url=app.url)
    try:
        container = client.containers.get("first-app-web")
        assert container.status == "running"
        assert container.labels["com.docker.compose.service"] == "web"
        assert container.exec_run(["uname", "-r"]).output.decode().strip() == os.uname().release
    finally:
        client.close()


def test_a_second_up_changes_nothing(app: Daemon) -> None:
    before = app.hakobu("inspect", "first-app-web").stdout
    app.hakobu(*COMPOSE, "up", "-d")
    assert app.hakobu("inspect", "first-app-web").stdout == before


def test_down_leaves_neither_container_nor_network(app: Daemon) -> None:
    app.hakobu(*COMPOSE, "down")
    assert app.hakobu("ps", "-aq").stdout == ""
    assert "first-app" not in app.hakobu("network", "ls").stdout
    with pytest.raises(OSError):
        urllib.request.urlopen(URL, timeout=5)


def test_the_log_holds_what_nginx_says(app: Daemon) -> None:
    _page()
    assert "GET / HTTP/1.1" in app.hakobu("logs", "first-app-web").stdout
