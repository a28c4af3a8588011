"""Bytes between a container and its user: cp of a large file and of many files, and an attached output."""

from collections.abc import Callable

from bench.engine import Engine
from bench.figure import Figure, in_turns, median
from bench.process import output, timed
from bench.world import World

_RUNS = 5
_FILES = 20_000
_MAKE_LARGE = "dd if=/dev/urandom of=/block bs=1M count=16; for i in $(seq 64); do cat /block; done > /large"
_MAKE_MANY = (
    "mkdir /many; cd /many; for d in $(seq 200); do mkdir $d; done; "
    f"for i in $(seq {_FILES}); do echo $i > $((i % 200 + 1))/$i; done"
)
_PRINT = "dd if=/dev/zero bs=1M count=500"


def measure(world: World) -> list[Figure]:
    for engine in world.rivals:
        for name, script in (("large", _MAKE_LARGE), ("many", _MAKE_MANY)):
            output(engine.docker("run", "--name", f"cp-{name}", "busybox", "sh", "-c", script))
    figures = [
        _against("cp of 1 GB out of a container", world, lambda e: timed(e.docker("cp", "cp-large:/large", "-"))),
        _against(
            f"cp of {_FILES} files out of a container", world, lambda e: timed(e.docker("cp", "cp-many:/many", "-"))
        ),
        _against("cp of 1 GB into a container", world, _into(world, "large")),
        _against(f"cp of {_FILES} files into a container", world, _into(world, "many")),
        _against("an attached container prints 500 MB", world, _attached),
    ]
    for engine in world.rivals:
        output(engine.docker("rm", "-f", "cp-large", "cp-many"))
    return figures


def _against(name: str, world: World, run: Callable[[Engine], float]) -> Figure:
    raw = in_turns(_RUNS, ours_s=lambda _: run(world.ours), dockerd_s=lambda _: run(world.dockerd))
    ours, theirs = median(raw["ours_s"]), median(raw["dockerd_s"])
    detail = f"{ours:.2f} / {theirs:.2f} s"
    return Figure(f"{name}, throughput against dockerd's", theirs / ours, 0.95, "x", "at least", detail, raw)


def _into(world: World, what: str) -> Callable[[Engine], float]:
    """The same archive for both, from a file: what a `cp - NAME:DIR` unpacks."""
    archive = world.folder / f"cp-{what}.tar"

    def run(engine: Engine) -> float:
        if not archive.exists():
            with archive.open("wb") as file:
                output(["sh", "-c", '"$@" > ' + file.name, "sh", *engine.docker("cp", f"cp-{what}:/{what}", "-")])
        target = f"{engine.folder.name}-into"
        output(engine.docker("create", "--name", target, "busybox"))
        try:
            return timed(["sh", "-c", '"$@" < ' + str(archive), "sh", *engine.docker("cp", "-", f"{target}:/")])
        finally:
            output(engine.docker("rm", "-f", target))

    return run


def _attached(engine: Engine) -> float:
    return timed(engine.docker("run", "--rm", "--log-driver", "none", "busybox", "sh", "-c", _PRINT))
