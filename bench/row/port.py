"""Requests through a published port: ours in the kernel, dockerd's by docker-proxy, both on localhost."""

import re
import time

from bench.engine import Engine
from bench.figure import Figure, in_turns, median
from bench.process import output
from bench.world import World

_RUNS = 3
_SECONDS = 4


def measure(world: World) -> list[Figure]:
    for engine in world.rivals:
        output(engine.docker("run", "-d", "--name", "wrk-target", "-p", "127.0.0.1:20080:80", "nginx"))
    time.sleep(1)

    def requests(engine: Engine) -> float:
        argv = ("wrk", "-t1", "-c8", f"-d{_SECONDS}s", "http://127.0.0.1:20080/")
        text = output(engine.inside(*argv))
        found = re.search(r"Requests/sec: +([\d.]+)", text)
        assert found and "Non-2xx" not in text, text
        return float(found[1])

    raw = in_turns(_RUNS, ours_per_s=lambda _: requests(world.ours), dockerd_per_s=lambda _: requests(world.dockerd))
    for engine in world.rivals:
        output(engine.docker("rm", "-f", "wrk-target"))
    ours, theirs = median(raw["ours_per_s"]), median(raw["dockerd_per_s"])
    detail = f"{ours:.0f} / {theirs:.0f} requests/s"
    return [Figure("wrk through localhost's port, ours / dockerd", ours / theirs, 1.7, "x", "at least", detail, raw)]
