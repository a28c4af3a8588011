"""Starting a container: by the docker CLI, by the API alone, inside the runtime, and with many others running."""

import subprocess
import time

from bench.engine import ROOT, Engine
from bench.figure import Figure, in_turns, median
from bench.process import output, timed
from bench.runtime_share import rounds
from bench.world import World
from hakobu.client.engine import Engine as Client

_RUNS = 15
_MANY = 200


def measure_run(world: World) -> list[Figure]:
    """`docker run --rm` of true on the default bridge, against dockerd, and less the client's own share."""

    def run(engine: Engine) -> float:
        return timed(engine.docker("run", "--rm", "busybox", "true"))

    raw = in_turns(
        _RUNS,
        ours_s=lambda _: run(world.ours),
        dockerd_s=lambda _: run(world.dockerd),
        nothing_s=lambda _: run(world.nothing),
    )
    ours, theirs, nothing = (median(raw[name]) for name in ("ours_s", "dockerd_s", "nothing_s"))
    detail = f"{ours * 1e3:.0f} / {theirs * 1e3:.0f} ms, doing nothing {nothing * 1e3:.0f} ms ({nothing / theirs:.3f})"
    return [
        Figure("run --rm true, ours / dockerd", ours / theirs, 0.15, "", detail=detail, raw=raw),
        Figure("the same less an engine that does nothing", (ours - nothing) / (theirs - nothing), 0.08, ""),
    ]


def measure_api(world: World) -> list[Figure]:
    """create + start with a published port, as a client sees it, in milliseconds."""

    def once(engine: Engine, number: int) -> float:
        config = {
            "Image": "busybox",
            "Cmd": ["sleep", "600"],
            "ExposedPorts": {"80/tcp": {}},
            "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": str(20_100 + number)}]}},
        }
        with Client(f"unix://{engine.socket}") as client:
            client.system.ping()
            started = time.perf_counter()
            created = client.containers.create(config, name=f"api{number}x")
            client.containers.start(created["Id"])
            elapsed = time.perf_counter() - started
        return elapsed * 1e3

    raw = in_turns(_RUNS, ours_ms=lambda n: once(world.ours, n), dockerd_ms=lambda n: once(world.dockerd, n))
    for engine in world.rivals:
        subprocess.run(engine.docker("rm", "-f", *(f"api{n}x" for n in range(-1, _RUNS))), capture_output=True)
    detail = f"dockerd {median(raw['dockerd_ms']):.0f} ms"
    return [
        Figure("create + start by API, bridge and one port", median(raw["ours_ms"]), 10, "ms", detail=detail, raw=raw)
    ]


def measure_runtime(world: World) -> list[Figure]:
    """Launcher, shim and child alone, against a C program that clones, pivots and execs."""
    floor = world.folder / "floor"
    output(["gcc", "-O2", "-o", str(floor), str(ROOT / "bench" / "floor.c")])
    rootfs = world.folder / "rootfs"
    (rootfs / "proc").mkdir(parents=True)
    (rootfs / "bin").mkdir()
    output(["cp", "/bin/busybox", str(rootfs / "bin" / "true")])
    c_ms = [float(line) / 1e3 for line in output([str(floor), str(rootfs), "40"]).split()]
    ours_ms = rounds(world.folder / "runtime", 40)
    raw = {"c_ms": c_ms, "ours_ms": ours_ms}
    detail = f"{median(ours_ms):.2f} / {median(c_ms):.2f} ms"
    name = "inside the runtime, ours / clone + pivot + exec in C"
    return [Figure(name, median(ours_ms) / median(c_ms), 3, "x", detail=detail, raw=raw)]


def measure_scale(world: World) -> list[Figure]:
    """The start of the next container with many running, against the first ones."""

    def next_ones(count: int) -> list[float]:
        times: list[float] = []
        with Client(f"unix://{world.ours.socket}") as client:
            for _ in range(count):
                config = {"Image": "busybox", "Cmd": ["sleep", "3600"], "Labels": {"bench": "scale"}}
                created = client.containers.create(config)
                started = time.perf_counter()
                client.containers.start(created["Id"])
                times.append(time.perf_counter() - started)
        return times

    next_ones(2)
    first = next_ones(8)
    next_ones(_MANY - 10)
    last = next_ones(8)
    ids = output(world.ours.docker("ps", "-aq", "--filter", "label=bench=scale")).split()
    subprocess.run(world.ours.docker("rm", "-f", *ids), capture_output=True)
    detail = f"{median(last) * 1e3:.1f} / {median(first) * 1e3:.1f} ms"
    return [
        Figure(
            f"start with {_MANY} running, against the first",
            median(last) / median(first),
            1.3,
            "x",
            detail=detail,
            raw={"first_s": first, "last_s": last},
        )
    ]
