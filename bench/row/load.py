"""`docker load` of a large image, distinct ones for each turn."""

from bench.engine import Engine
from bench.figure import Figure, in_turns, median
from bench.image import large_archive
from bench.process import timed
from bench.world import World

_RUNS = 3
_SIZE_BYTES = 180_000_000


def measure(world: World) -> list[Figure]:
    def load(engine: Engine, number: int) -> float:
        archive = world.folder / f"load{number}.tar"
        if not archive.exists():
            large_archive(archive, f"load{number + 1}", _SIZE_BYTES)
        return timed(engine.docker("load", "-q", "-i", str(archive)))

    raw = in_turns(_RUNS, ours_s=lambda n: load(world.ours, n), dockerd_s=lambda n: load(world.dockerd, n))
    ours, theirs = median(raw["ours_s"]), median(raw["dockerd_s"])
    detail = f"{ours:.2f} / {theirs:.2f} s"
    return [Figure("load of a 180 MB image, ours / dockerd", ours / theirs, 0.5, "", detail=detail, raw=raw)]
