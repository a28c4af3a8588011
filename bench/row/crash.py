"""kill -9 of the daemon while containers print: the same processes afterwards, and no line lost."""

import json
import time

from bench.figure import Figure
from bench.process import output
from bench.world import World

_CONTAINERS = 10
_PRINT = "i=0; while :; do echo line $i; i=$((i+1)); usleep 5000; done"


def measure(world: World) -> list[Figure]:
    """Counts what is wrong: a pid that changed, a line that is missing or doubled. The goal is none."""
    engine = world.ours
    names = [f"crash{number}" for number in range(_CONTAINERS)]
    for name in names:
        output(engine.docker("run", "-d", "--name", name, "busybox", "sh", "-c", _PRINT))
    time.sleep(1)
    before = _pids(world, names)
    engine.kill()
    time.sleep(1)
    began = time.monotonic()
    engine.start()
    back_s = time.monotonic() - began
    after = _pids(world, names)
    time.sleep(1)
    wrong = sum(before[name] != after[name] for name in names)
    lines = 0
    for name in names:
        printed = output(engine.docker("logs", name)).splitlines()
        lines += len(printed)
        wrong += sum(line != f"line {number}" for number, line in enumerate(printed))
    output(engine.docker("rm", "-f", *names))
    detail = f"{_CONTAINERS} containers, {lines} lines, back after {back_s:.2f} s"
    return [Figure("kill -9 and restart: pids changed, lines lost", wrong, 0, "", detail=detail)]


def _pids(world: World, names: list[str]) -> dict[str, int]:
    found = json.loads(output(world.ours.docker("inspect", *names)))
    return {item["Name"].lstrip("/"): item["State"]["Pid"] for item in found}
