"""Many at once: 32 clients that each run containers one after the other."""

import subprocess
import time

from bench.engine import Engine
from bench.figure import Figure, in_turns, median
from bench.world import World

_CLIENTS = 32
_EACH = 3
_RUNS = 3


def measure(world: World) -> list[Figure]:
    def rate(engine: Engine) -> float:
        """Containers a second, by the docker CLI."""
        command = f'for i in $(seq {_EACH}); do "$@" || exit 1; done'
        argv = ["sh", "-c", command, "sh", *engine.docker("run", "--rm", "busybox", "true")]
        began = time.perf_counter()
        clients = [subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(_CLIENTS)]
        for client in clients:
            _, said = client.communicate()
            assert client.returncode == 0, said.decode(errors="replace")
        return _CLIENTS * _EACH / (time.perf_counter() - began)

    raw = in_turns(_RUNS, ours_per_s=lambda _: rate(world.ours), dockerd_per_s=lambda _: rate(world.dockerd))
    ours, theirs = median(raw["ours_per_s"]), median(raw["dockerd_per_s"])
    detail = f"{ours:.1f} / {theirs:.1f} containers/s"
    return [
        Figure(
            f"{_CLIENTS} clients with run --rm, rate against dockerd's", ours / theirs, 4, "x", "at least", detail, raw
        )
    ]
