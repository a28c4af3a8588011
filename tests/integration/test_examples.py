"""The applications in `examples/`, as a user runs them: up, used, down, up again with all their data, and updated."""

import shutil
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from tests.integration.daemon import ROOT, Daemon

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
SHOP, SITE, NOTES = (f"http://localhost:{port}" for port in (8082, 8083, 8084))


class Example:
    """`hakobu compose` for a copy of one of the examples, which a test may change."""

    def __init__(self, engine: Daemon, name: str, folder: Path) -> None:
        self.engine, self.name, self.folder = engine, name, folder / name
        shutil.copytree(ROOT / "examples" / name, self.folder)

    def __call__(self, *argv: str, check: bool = True) -> CompletedProcess[str]:
        return self.engine.hakobu("compose", "-f", str(self.folder / "compose.yaml"), *argv, check=check)


@pytest.fixture
def example(stack: Daemon, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Example]:
    found = Example(stack, request.param, tmp_path)
    try:
        started = found("up", "-d", "--wait", check=False)
        assert started.returncode == 0, f"{started.stderr}{found('logs', check=False).stdout}"
        yield found
    finally:
        found("down", "-v", "-t", "1")
        assert stack.docker("volume", "ls", "-q", "--filter", f"name={found.name}").stdout == ""


def _get(url: str) -> str:
    with OPENER.open(url) as answer:
        return answer.read().decode()


def _post(url: str, text: str) -> None:
    OPENER.open(url, data=text.encode()).close()


def _until(url: str, text: str) -> None:
    """Waits for what another process does."""
    while _get(url) != text:
        time.sleep(0.1)


@pytest.mark.parametrize("example", ["shop"], indirect=True)
def test_a_shop_keeps_its_orders(example: Example) -> None:
    _post(f"{SHOP}/orders", "item=tea&item=cake")
    _until(f"{SHOP}/orders", "1 tea\n2 cake\n")
    example("stop", "worker")
    _post(f"{SHOP}/orders", "item=jam")
    example("down")
    told = example("up", "-d", "--wait").stderr.splitlines()
    for needed in ("database", "queue"):
        assert told.index(f" Container shop-{needed}-1  Healthy") < told.index(" Container shop-web-1  Starting")
    _until(f"{SHOP}/orders", "1 tea\n2 cake\n3 jam\n")  # the last one was in the queue's volume


@pytest.mark.parametrize("example", ["migration"], indirect=True)
def test_a_migration_runs_before_what_needs_it(example: Example) -> None:
    _post(NOTES, "mine")
    example("down")
    (example.folder / "app/migrations/003-more.sql").write_text("INSERT INTO note (text) VALUES ('from the third');")
    example("up", "-d", "--wait")
    assert _get(NOTES) == "1 the first note comes with the table\n2 mine\n3 from the third\n"
    assert "003-more.sql: done" in example("logs", "migrate").stdout
    (example.folder / "app/migrations/004-bad.sql").write_text("SELECT * FROM nothing;")
    failed = example("up", "-d", "--wait", check=False)
    assert failed.returncode == 1
    assert "service 'migrate' didn't complete successfully: exit 1" in failed.stderr
    assert 'relation "nothing" does not exist' in example("logs", "migrate").stderr


class Load:
    """Requests without a pause from several threads, until the end of the block; what came of them is counted."""

    def __init__(self, url: str, threads: int = 2) -> None:
        self._url = url
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        self.answers: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self.answers[_get(self._url).partition(",")[0]] += 1
            except OSError as e:
                self.failures[repr(e)] += 1

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


_INSIDE = """
import collections, os, urllib.request
answers = collections.Counter()
while not os.path.exists("/site/over"):
    try:
        with urllib.request.urlopen("http://site:8000/") as answer:
            answers[answer.read().decode().partition(",")[0]] += 1
    except OSError as e:
        answers[repr(e)] += 1
print(dict(answers))
"""


@pytest.mark.parametrize("example", ["rolling"], indirect=True)
def test_an_update_under_load_loses_no_request(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither through the proxy's published port, nor by the service's name, looked up for each request."""
    first = _get(SITE)
    (example.folder / "site/load.py").write_text(_INSIDE)
    program = ("python", "/site/load.py")
    example("run", "-d", "--name", "load", "--no-deps", "site", *program)
    before = example("ps", "-q", "site").stdout.split()
    monkeypatch.setenv("VERSION", "2")
    with Load(SITE) as load:
        example("up", "-d")
    (example.folder / "site/over").touch()
    example.engine.docker("wait", "load")
    inside = example.engine.docker("logs", "load").stdout
    example.engine.docker("rm", "load")
    assert not load.failures
    assert {*load.answers} == {"version 1", "version 2"}
    assert set(eval(inside)) == {"version 1", "version 2"}  # noqa: S307
    assert not {*before} & {*example("ps", "-q", "site").stdout.split()}
    assert example.engine.docker("ps", "-aq", "--filter", "name=rolling-site").stdout.count("\n") == 3
    visits = int(_get(SITE).rpartition(" ")[2])
    assert visits > int(first.rpartition(" ")[2])
    example("down")
    example("up", "-d", "--wait")
    assert _get(SITE) == f"version 2, visit {visits + 1}\n"


@pytest.mark.parametrize("example", ["rolling"], indirect=True)
def test_an_update_that_fails_is_rolled_back_under_load(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second replica of the new version does not get healthy: the first one's place is given back."""
    before = sorted(example("ps", "-q", "site").stdout.split())
    site = example.folder / "site/site.py"
    fails = "\nimport sys\nif os.environ['VERSION'] == '2' and os.path.exists('/data/one'):\n    sys.exit(1)\n"
    mark = "if os.environ['VERSION'] == '2':\n    open('/data/one', 'w').close()\n"
    text = site.read_text()
    at = text.index("class Site")
    site.write_text(text[:at] + fails + mark + "\n\n" + text[at:])
    monkeypatch.setenv("VERSION", "2")
    with Load(SITE) as load:
        failed = example("up", "-d", check=False)
    assert failed.returncode == 1
    assert "update of rolling-site-2 failed, the service is what it was before" in failed.stderr
    assert " Container rolling-site-1  Rolled back" in failed.stderr
    assert not load.failures
    assert "version 2" in load.answers
    assert sorted(example("ps", "-q", "site").stdout.split()) == before
    assert example.engine.docker("ps", "-aq", "--filter", "name=rolling-site").stdout.count("\n") == 3
    assert _get(SITE).startswith("version 1,")
