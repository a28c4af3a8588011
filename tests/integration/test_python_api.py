"""The client as a library: the examples of docs/python.md, both doors, and the pytest plugin."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hakobu.client import AsyncEngine, Engine, EngineError, NotReady

pytestmark = [pytest.mark.root]
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.S)
# The engine under test says what its own containers are; these make them known to a child.
CLEAN = ("DOCKER_HOST", "HAKOBU_HOST")


@pytest.fixture(autouse=True)
def cleared(engine):
    yield
    assert engine.hakobu("ps", "-aq").stdout == ""
    assert engine.hakobu("network", "ls", "-q", "--filter", "type=custom").stdout == ""


def child(engine, argv: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    env = {**{name: value for name, value in os.environ.items() if name not in CLEAN}, "HAKOBU_HOST": engine.url}
    return subprocess.run([sys.executable, "-W", "error", *argv], env=env, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_of_the_documentation(engine, tmp_path, number):
    code = EXAMPLES[number]
    if code.startswith("# test_"):
        name = code.partition("\n")[0].removeprefix("# ")
        (tmp_path / name).write_text(code)
        argv = ["-m", "pytest", "-q", "-p", "no:cacheprovider", name]
        done = child(engine, argv, tmp_path)
        assert "1 passed" in done.stdout, done.stdout + done.stderr
    else:
        done = child(engine, ["-c", code], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_plugin_removes_what_a_failing_test_left(engine, tmp_path):
    (tmp_path / "test_it.py").write_text(
        "def test_it(hakobu_container, hakobu_network):\n"
        "    n = hakobu_network('left')\n"
        "    hakobu_container('busybox', ['sleep', '60'], network=n.name)\n"
        "    assert False\n"
    )
    argv = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    done = child(engine, argv, tmp_path)
    assert "1 failed" in done.stdout and "error" not in done.stdout


def test_a_container_is_removed_whatever_happens(engine):
    with Engine(engine.url) as client:
        with pytest.raises(ZeroDivisionError), client.run("busybox", ["sleep", "60"]):
            raise ZeroDivisionError
        with pytest.raises(EngineError, match="executable file not found"), client.run("busybox", ["nosuch"]):
            pass
        with client.run("busybox", ["sh", "-c", "exit 3"]) as container:
            assert container.wait() == 3
            with pytest.raises(NotReady, match="exited"):
                container.wait_ready()
        policy = {"HostConfig": {"RestartPolicy": {"Name": "always"}}}
        with client.run("busybox", ["false"], extra=policy) as container:
            # Between two of its runs it counts as running; the pauses grow, this one is longer than the wait.
            while (found := container.inspect())["RestartCount"] < 4 or not found["State"]["Restarting"]:
                pass
            with pytest.raises(NotReady, match=r"was not ready after 0.1 s \(restarting"):
                container.wait_ready(0.1)


def test_input_is_sent_while_output_is_read(engine, tmp_path):
    """More of both than all buffers in between hold: whoever sends all before reading waits for ever."""
    data = os.urandom(4 << 20)
    (tmp_path / "data").write_bytes(data)
    with Engine(engine.url) as client, client.run("busybox", ["sleep", "600"]) as container:
        hexed = container.exec(["hexdump", "-v", "-e", '1/1 "%02x"'], stdin=data)
        assert (hexed.exit_code, hexed.stdout == data.hex(), hexed.stderr) == (0, True, "")
        assert container.exec(["true"], stdin=data).exit_code == 0
        argv = ["-m", "hakobu.cli.main", "exec", "-i", container.id, "hexdump", "-v", "-e", '1/1 "%02x"']
        with (tmp_path / "data").open("rb") as file:
            done = subprocess.run(
                [sys.executable, *argv], stdin=file, env={**os.environ, "HAKOBU_HOST": engine.url}, capture_output=True
            )
        assert (done.returncode, done.stdout.decode() == data.hex(), done.stderr) == (0, True, b"")


def test_a_stream_that_is_left_ends_its_thread(engine):
    """Events never end by themselves: leaving the loop must free the thread that waits for the next one."""

    async def main() -> None:
        async with AsyncEngine(engine.url) as client:
            for _ in range(70):  # More than the pool has threads.
                events = client.events(since="1")
                reading = asyncio.ensure_future(anext(aiter(events)))
                async with await client.run("busybox", ["true"]):
                    await reading
                await events.close()
            waiting = asyncio.ensure_future(anext(aiter(client.events(filters={"event": ["never"]}))))
            await client.system.ping()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    asyncio.run(main())


def test_a_wait_that_is_given_up_ends_its_thread(engine):
    async def main() -> None:
        async with AsyncEngine(engine.url) as client, await client.run("busybox", ["sleep", "600"]) as container:
            for _ in range(70):  # More than the pool has threads.
                waiting = asyncio.ensure_future(client.containers.wait(container.id))
                await client.system.ping()
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            waiting = asyncio.ensure_future(client.containers.wait(container.id))
            await container.kill()
            assert await waiting == 137
            assert (await client.containers.inspect(container.id))["State"]["ExitCode"] == 137

    asyncio.run(main())


def test_the_library_loads_what_is_used():
    code = "import sys, hakobu.client; print([n for n in sys.modules if n.startswith('hakobu')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['hakobu', 'hakobu.client']"
