"""The integration tier: a real daemon for each module, in namespaces of the session's own; nothing left behind.

The engine has done everything once before a test looks at the world: its bridge, its firewall table and its
resolver come with the first use and stay with the engine.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.daemon import Daemon, image_archive
from tests.leaks import isolate, need, no_leaks

__all__ = ["no_leaks"]


@pytest.fixture(scope="session", autouse=True)
def isolated_session(request: pytest.FixtureRequest) -> None:
    """The images first: behind the isolation there is no mirror of Debian's to make them from."""
    need(shutil.which("mmdebstrap") is not None, "mmdebstrap")
    wanted = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    for name in ("busybox", "nginx", *({"stack"} & wanted)):
        image_archive(name)
    isolate()


def _warm(daemon: Daemon) -> None:
    """Runs a container on the default bridge and one on a network of its own, and removes all of it."""
    daemon.load("busybox")
    daemon.hakobu("run", "--rm", "busybox", "true")
    daemon.hakobu("network", "create", "warm")
    daemon.hakobu("run", "--rm", "--network", "warm", "busybox", "true")
    daemon.hakobu("network", "rm", "warm")


@pytest.fixture(scope="module")
def engine(isolated_session: None) -> Iterator[Daemon]:
    """A running engine with the image `busybox`, gone with the module."""
    need(shutil.which("mmdebstrap") is not None, "mmdebstrap")
    # why not pytest's tmp_path: its folders are deep, and unix sockets' paths short
    folder = Path(tempfile.mkdtemp(prefix="hakobu-test-"))
    daemon = Daemon(folder)
    try:
        daemon.start()
        try:
            _warm(daemon)
            yield daemon
            daemon.remove_all()
        finally:
            daemon.stop()
    except BaseException:
        print(daemon.log())
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def nginx(engine: Daemon) -> Daemon:
    """The engine, with the image `nginx` as well."""
    engine.load("nginx")
    return engine


@pytest.fixture(scope="module")
def stack(engine: Daemon) -> Daemon:
    """The engine, with the image of the examples that keep data."""
    engine.load("stack")
    return engine


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Our program under docker's name."""
    path = tmp_path_factory.mktemp("bin") / "docker"
    path.write_text(f"#!{sys.executable}\nimport sys\nfrom hakobu.cli.main import main\nsys.exit(main())\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def own(isolated_session: None) -> Iterator[Daemon]:
    """An engine of the test's own, which it may kill; with the network `app`."""
    folder = Path(tempfile.mkdtemp(prefix="hakobu-test-"))
    daemon = Daemon(folder)
    daemon.start()
    try:
        daemon.load("busybox")
        daemon.hakobu("network", "create", "app")
        yield daemon
        daemon.remove_all()
    finally:
        daemon.stop()
        shutil.rmtree(folder)
