"""The conformance tier of the API: a real engine, spoken to by nothing but sockets."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.api.speaker import Speaker
from tests.integration import busybox_image
from tests.integration.daemon import Daemon
from tests.leaks import isolated_session, need

__all__ = ["isolated_session"]


@pytest.fixture(scope="package")
def daemon(isolated_session: None) -> Iterator[Daemon]:
    need(busybox_image.available(), "busybox-static")
    folder = Path(tempfile.mkdtemp(prefix="hakobu-api-"))
    engine = Daemon(folder)
    try:
        engine.start()
        try:
            yield engine
            engine.remove_all()
        finally:
            engine.stop()
    except BaseException:
        print(engine.log())
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def loaded(daemon: Daemon) -> Speaker:
    speaker = Speaker(str(daemon.socket))
    status, _, body = speaker.call("POST", "/images/load?quiet=1", busybox_image.archive("bb:latest"))
    assert status == 200, body
    assert b"Loaded image: bb:latest" in body
    return speaker


@pytest.fixture
def api(loaded: Speaker) -> Iterator[Speaker]:
    """The engine with the image `bb`; what a test makes in it is removed."""
    yield loaded
    for container in loaded.json("GET", "/containers/json?all=1"):
        loaded.call("DELETE", f"/containers/{container['Id']}?force=1&v=1")
    for network in loaded.json("GET", "/networks"):
        if network["Name"] not in ("bridge", "host", "none"):
            loaded.call("DELETE", f"/networks/{network['Id']}")
    loaded.call("POST", '/volumes/prune?filters={"all":["true"]}')
