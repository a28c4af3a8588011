"""What an engine that has ended leaves on its host."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.api.engine import running
from tests.conformance.api.speaker import Speaker
from tests.integration import busybox_image
from tests.leaks import look, need

pytestmark = pytest.mark.root


@pytest.fixture
def folder(isolated_session: None) -> Iterator[Path]:
    need(busybox_image.available(), "busybox-static")
    made = Path(tempfile.mkdtemp(prefix="hakobu-end-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_bridges_and_rules_go_with_the_daemon_and_come_back_with_the_next(folder: Path):
    before = look()
    with running(folder) as engine:
        api = Speaker(str(engine.socket))
        made = api.json("POST", "/networks/create", {"Name": "mine", "Driver": "bridge"})["Id"]
        api.run("sleep", "1000", host={"NetworkMode": "mine"})
        held = look()
        assert len(held.links - before.links) >= 2
        assert held.nft_tables - before.nft_tables
        for container in api.json("GET", "/containers/json"):
            api.call("DELETE", f"/containers/{container['Id']}?force=1")
        engine.stop()
        after = look()
        assert after.links == before.links
        assert after.nft_tables == before.nft_tables
        engine.start()
        assert api.json("GET", "/networks/mine")["Id"] == made
        container = api.run("ip", "-4", "addr", "show", "eth0", host={"NetworkMode": "mine"})
        assert api.wait(container) == 0
        assert api.wait(api.run("ip", "link", "show", "eth0")) == 0


def test_what_a_running_container_needs_stays(folder: Path):
    with running(folder) as engine:
        api = Speaker(str(engine.socket))
        api.run("sleep", "1000")
        held = look()
        engine.stop()
        after = look()
        assert after.links == held.links
        assert after.nft_tables == held.nft_tables
        engine.start()
