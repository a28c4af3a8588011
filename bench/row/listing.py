"""Looking at many containers: `docker ps` of 500, and an inspect by the API."""

import time

from bench.engine import Engine
from bench.figure import Figure, in_turns, median
from bench.process import timed
from bench.world import World
from hakobu.client.engine import Engine as Client

_CONTAINERS = 500
_RUNS = 7
_INSPECTS = 200


def measure(world: World) -> list[Figure]:
    ids = {engine.name: _create(engine) for engine in world.rivals}

    def ps(engine: Engine) -> float:
        return timed(engine.docker("ps", "-a"))

    raw = in_turns(
        _RUNS,
        ours_s=lambda _: ps(world.ours),
        dockerd_s=lambda _: ps(world.dockerd),
        nothing_s=lambda _: ps(world.nothing),
    )
    inspects = _inspect_ms(world.ours, ids["hakobu"][0])
    for engine in world.rivals:
        with Client(f"unix://{engine.socket}") as client:
            for container in ids[engine.name]:
                client.containers.remove(container)
    ours, theirs, nothing = (median(raw[name]) for name in ("ours_s", "dockerd_s", "nothing_s"))
    detail = f"{ours * 1e3:.0f} / {theirs * 1e3:.0f} ms, an empty list {nothing * 1e3:.0f} ms"
    return [
        Figure(
            f"docker ps of {_CONTAINERS} containers, ours / dockerd", ours / theirs, 0.65, "", detail=detail, raw=raw
        ),
        Figure("inspect by API", median(inspects), 2, "ms", raw={"ours_ms": inspects}),
    ]


def _create(engine: Engine) -> list[str]:
    with Client(f"unix://{engine.socket}") as client:
        config = {"Image": "busybox", "Cmd": ["true"], "Labels": {"bench": "listing"}}
        return [client.containers.create(config)["Id"] for _ in range(_CONTAINERS)]


def _inspect_ms(engine: Engine, container: str) -> list[float]:
    found: list[float] = []
    with Client(f"unix://{engine.socket}") as client:
        for _ in range(_INSPECTS):
            began = time.perf_counter()
            client.containers.inspect(container)
            found.append((time.perf_counter() - began) * 1e3)
    return found
