"""`docker exec` of true into a running container."""

from bench.engine import Engine
from bench.figure import Figure, in_turns, median
from bench.process import output, timed
from bench.world import World

_RUNS = 20


def measure(world: World) -> list[Figure]:
    for engine in world.rivals:
        output(engine.docker("run", "-d", "--name", "exec-target", "busybox", "sleep", "3600"))

    def run(engine: Engine) -> float:
        return timed(engine.docker("exec", "exec-target", "true"))

    raw = in_turns(
        _RUNS,
        ours_s=lambda _: run(world.ours),
        dockerd_s=lambda _: run(world.dockerd),
        nothing_s=lambda _: run(world.nothing),
    )
    for engine in world.rivals:
        output(engine.docker("rm", "-f", "exec-target"))
    ours, theirs, nothing = (median(raw[name]) for name in ("ours_s", "dockerd_s", "nothing_s"))
    detail = f"{ours * 1e3:.0f} / {theirs * 1e3:.0f} ms, doing nothing {nothing * 1e3:.0f} ms ({nothing / theirs:.2f})"
    return [Figure("exec of true, ours / dockerd", ours / theirs, 0.35, "", detail=detail, raw=raw)]
