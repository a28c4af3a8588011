"""The shop of the examples in its other forms: started, selling over HTTP, keeping what it sold."""

import sys
import time
import urllib.request
from pathlib import Path

import pytest
from tests.integration.daemon import ROOT, Daemon
from tests.integration.init import Systemd

COMPOSE = str(ROOT / "examples/shop/compose.yaml")
URL = "http://127.0.0.1:8082/orders"


def sell(item: str) -> None:
    urllib.request.urlopen(URL, data=f"item={item}".encode(), timeout=30).close()


def sold() -> str:
    with urllib.request.urlopen(URL, timeout=30) as response:
        return response.read().decode()


def await_sold(item: str) -> None:
    deadline = time.monotonic() + 60
    while item not in sold():
        assert time.monotonic() < deadline, sold()
        time.sleep(0.2)


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "hakobu"
    path.write_text(f"#!{sys.executable} -I\nimport sys\nfrom hakobu.cli.main import main\nsys.exit(main())\n")
    path.chmod(0o755)
    return str(path)


def test_the_shop_as_a_kubernetes_file(stack: Daemon, tmp_path: Path) -> None:
    file = str(tmp_path / "shop.yaml")
    told = stack.hakobu("convert", COMPOSE, "--to", "kube", "-o", file).stderr
    assert "services.worker.depends_on: pods start in no order: database, queue\n" in told
    assert stack.hakobu("kube", "play", "--wait", file).stdout.split() == ["database", "queue", "web", "worker"]
    sell("tea")
    await_sold("tea")
    written = stack.hakobu("kube", "generate", "web", "worker", "queue", "database")
    assert written.stderr == ""
    stack.hakobu("kube", "down", file)
    assert stack.hakobu("ps", "-aq").stdout == ""
    stack.hakobu("kube", "play", "--wait", "-", stdin=written.stdout)
    await_sold("tea")
    stack.hakobu("kube", "down", "--force", "-", stdin=written.stdout)
    assert stack.hakobu("volume", "ls", "-q").stdout == ""


def test_the_shop_as_services(stack: Daemon, program: str, tmp_path: Path) -> None:
    units, root = tmp_path / "units", tmp_path / "root"
    stack.hakobu("convert", COMPOSE, "--to", "quadlet", "-o", str(units))
    stack.hakobu("quadlet", "install", "--root", str(root), "--program", program, str(units))
    started: list[Systemd] = []
    try:
        for item in ("coffee", "milk"):
            systemd = Systemd(root / "etc/systemd/system")
            started.append(systemd)
            for name in ("web.service", "worker.service"):
                systemd.start(name)
            assert systemd.started.index("database.service") < systemd.started.index("web.service")
            stack.hakobu(
                "wait", "--condition", "healthy", "systemd-web"
            )  # nobody waits for it, so its service does not
            sell(item)
            await_sold(item)
            assert "coffee" in sold()
            systemd.stop_all()
            assert stack.hakobu("ps", "-aq").stdout == ""
    finally:
        stack.remove_all()
        for systemd in started:
            systemd.end()
    stack.hakobu("volume", "rm", "shop_database", "shop_queue")
