"""Requests through a published port: ours in the kernel, dockerd's by docker-proxy on localhost."""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench.engine import Engine
from bench.figure import Figure, in_turns, median
from bench.process import output
from bench.world import World

_RUNS = 3
_SECONDS = 4
_PORT = 20080
_HERE, _THERE = "10.231.7.1", "10.231.7.2"


def measure(world: World) -> list[Figure]:
    for engine in world.rivals:
        output(engine.docker("run", "-d", "--name", "wrk-target", "-p", f"{_PORT}:80", "nginx"))
    time.sleep(1)
    figures = [
        _figure(world, "localhost, kept alive", 1.7, lambda engine: engine.inside(*_wrk("127.0.0.1"))),
        _figure(
            world, "localhost, a connection each", 1.7, lambda engine: engine.inside(*_wrk("127.0.0.1", closing=True))
        ),
    ]
    with _neighbour(world.ours) as ours, _neighbour(world.dockerd) as theirs:
        names = {world.ours.name: ours, world.dockerd.name: theirs}

        def outside(engine: Engine, *, closing: bool) -> list[str]:
            return ["nsenter", f"--net=/run/netns/{names[engine.name]}", *_wrk(_HERE, closing=closing)]

        figures += [
            _figure(world, "another machine's side, kept alive", 0.95, lambda engine: outside(engine, closing=False)),
            _figure(
                world, "another machine's side, a connection each", 0.95, lambda engine: outside(engine, closing=True)
            ),
        ]
    for engine in world.rivals:
        output(engine.docker("rm", "-f", "wrk-target"))
    return figures


def _wrk(address: str, *, closing: bool = False) -> list[str]:
    headers = ["-H", "Connection: close"] if closing else []
    return ["wrk", "-t1", "-c8", f"-d{_SECONDS}s", *headers, f"http://{address}:{_PORT}/"]


def _figure(world: World, what: str, goal: float, argv: Callable[[Engine], list[str]]) -> Figure:
    def requests(engine: Engine) -> float:
        text = output(argv(engine))
        found = re.search(r"Requests/sec: +([\d.]+)", text)
        assert found and "Non-2xx" not in text, text
        return float(found[1])

    raw = in_turns(_RUNS, ours_per_s=lambda _: requests(world.ours), dockerd_per_s=lambda _: requests(world.dockerd))
    ours, theirs = median(raw["ours_per_s"]), median(raw["dockerd_per_s"])
    detail = f"{ours:.0f} / {theirs:.0f} requests/s"
    return Figure(f"wrk through a port, {what}, ours / dockerd", ours / theirs, goal, "x", "at least", detail, raw)


@contextmanager
def _neighbour(engine: Engine) -> Iterator[str]:
    """A network namespace on the other end of a cable to the engine's own."""
    name = f"{engine.netns}-n"
    output(["ip", "netns", "add", name])
    try:
        output(["ip", "-n", engine.netns, "link", "add", "cable", "type", "veth", "peer", "cable", "netns", name])
        for netns, address in ((engine.netns, _HERE), (name, _THERE)):
            output(["ip", "-n", netns, "address", "add", f"{address}/24", "dev", "cable"])
            output(["ip", "-n", netns, "link", "set", "cable", "up"])
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)
