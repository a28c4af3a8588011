"""`--metrics-addr`, read by the Prometheus client library's own parser."""

import re
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.conformance.api.engine import running
from tests.conformance.api.speaker import Speaker
from tests.integration import busybox_image
from tests.integration.daemon import Daemon
from tests.leaks import need

pytestmark = pytest.mark.root


@pytest.fixture
def measured(isolated_session: None) -> Iterator[Daemon]:
    need(busybox_image.available(), "busybox-static")
    folder = Path(tempfile.mkdtemp(prefix="hakobu-metrics-"))
    try:
        with running(folder, "--metrics-addr", "127.0.0.1:0") as engine:
            yield engine
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def page(port: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return answer.read().decode()


def samples(port: str) -> dict[tuple[str, str], float]:
    """Value by name and the one label that tells it apart."""
    return {
        (
            sample.name,
            sample.labels.get("state") or sample.labels.get("le", "") + sample.labels.get("action", ""),
        ): value
        for family in text_string_to_metric_families(page(port))
        for sample in family.samples
        for value in [sample.value]
    }


def test_a_prometheus_server_reads_what_happened(measured: Daemon):
    said = re.search(r"metrics are served on 127\.0\.0\.1 port (\d+)", measured.log())
    assert said, measured.log()
    before = samples(said[1])
    api = Speaker(str(measured.socket))
    assert f'graphdriver="{api.json("GET", "/info")["Driver"]}"' in page(said[1])
    running = api.run("sleep", "1000")
    api.create("true")
    after = samples(said[1])
    assert after["engine_daemon_container_states_containers", "running"] == 1
    assert after["engine_daemon_container_states_containers", "stopped"] == 1
    assert after["engine_daemon_container_actions_seconds_count", "create"] == 2
    assert after["engine_daemon_container_actions_seconds_bucket", "+Infstart"] == 1
    assert after["engine_daemon_events_total", ""] >= before["engine_daemon_events_total", ""] + 3
    api.call("DELETE", f"/containers/{running}?force=1")
    assert samples(said[1])["engine_daemon_container_actions_seconds_count", "delete"] == 1


def test_nothing_else_is_served_there(measured: Daemon):
    said = re.search(r"metrics are served on 127\.0\.0\.1 port (\d+)", measured.log())
    assert said, measured.log()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{said[1]}/containers/json")


def test_an_address_that_is_none_is_refused(measured: Daemon):
    folder = measured.folder / "second"
    folder.mkdir()
    with pytest.raises(AssertionError, match=r"invalid value for --metrics-addr: 'nonsense'"):
        Daemon(folder, ("--metrics-addr", "nonsense")).start()
