"""How long others wait while a large image is loaded: `_ping`, and the start of a container."""

import subprocess
import time
from collections.abc import Callable

from bench.figure import Figure, median, p99
from bench.image import large_archive
from bench.process import output
from bench.world import World
from hakobu.client.engine import Engine as Client

_SIZE_BYTES = 1 << 30
_IDLE_S = 6.0


def measure(world: World) -> list[Figure]:
    archive = world.folder / "huge.tar"
    large_archive(archive, "huge", _SIZE_BYTES, block_bytes=16 << 20)
    with Client(f"unix://{world.ours.socket}") as client:
        end = time.monotonic() + _IDLE_S
        idle_ping, idle_start = _sample(client, lambda: time.monotonic() < end)
        loading = subprocess.Popen(world.ours.docker("load", "-q", "-i", str(archive)), stdout=subprocess.DEVNULL)
        busy_ping, busy_start = _sample(client, lambda: loading.poll() is None)
    assert loading.returncode == 0
    ids = output(world.ours.docker("ps", "-aq", "--filter", "label=bench=latency")).split()
    subprocess.run(world.ours.docker("rm", "-f", *ids), capture_output=True)
    raw = {"idle_ping_s": idle_ping, "busy_ping_s": busy_ping, "idle_start_s": idle_start, "busy_start_s": busy_start}
    return [
        Figure("p99 of _ping while 1 GB is loaded, against idle", p99(busy_ping) / p99(idle_ping), 2, "x",
               detail=f"{p99(busy_ping) * 1e3:.1f} / {p99(idle_ping) * 1e3:.1f} ms "
                      f"(medians {median(busy_ping) * 1e3:.1f} / {median(idle_ping) * 1e3:.1f})", raw=raw),
        Figure("p99 of a start while 1 GB is loaded, against idle", p99(busy_start) / p99(idle_start), 2, "x",
               detail=f"{p99(busy_start) * 1e3:.1f} / {p99(idle_start) * 1e3:.1f} ms "
                      f"(medians {median(busy_start) * 1e3:.1f} / {median(idle_start) * 1e3:.1f})"),
    ]  # fmt: skip


def _sample(client: Client, go_on: Callable[[], bool]) -> tuple[list[float], list[float]]:
    """Times of pings, with a start among every twenty."""
    pings: list[float] = []
    starts: list[float] = []
    while go_on() or len(starts) < 5:
        for _ in range(20):
            began = time.perf_counter()
            client.system.ping()
            pings.append(time.perf_counter() - began)
            time.sleep(0.005)
        created = client.containers.create({"Image": "busybox", "Cmd": ["true"], "Labels": {"bench": "latency"}})
        began = time.perf_counter()
        client.containers.start(created["Id"])
        starts.append(time.perf_counter() - began)
    return pings, starts
