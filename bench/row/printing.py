"""A container that prints a lot, and reading it back."""

import hashlib
import subprocess

from bench.engine import Engine
from bench.figure import Figure, in_turns, median
from bench.process import output, timed
from bench.world import World

_RUNS = 3
_LINE = "x" * 99
_LINES = 1_000_000


def measure(world: World) -> list[Figure]:
    script = f"yes {_LINE} | head -n {_LINES}"

    def write(engine: Engine, number: int) -> float:
        """Until the container has ended, detached: what the engine's log writer takes."""
        name = f"print{number + 1}"
        started = engine.docker("run", "-d", "--name", name, "busybox", "sh", "-c", script)
        waited = engine.docker("wait", name)
        return timed(["sh", "-c", '"$@"', "sh", *started]) + timed(waited)

    def read(engine: Engine, number: int) -> float:
        return timed(engine.docker("logs", f"print{number + 1}"))

    written = in_turns(_RUNS, ours_s=lambda n: write(world.ours, n), dockerd_s=lambda n: write(world.dockerd, n))
    logs = in_turns(_RUNS, ours_s=lambda n: read(world.ours, n), dockerd_s=lambda n: read(world.dockerd, n))
    _complete(world.ours)
    for engine in world.rivals:
        output(engine.docker("rm", "-f", *(f"print{n}" for n in range(_RUNS + 1))))
    ratio_written = median(written["ours_s"]) / median(written["dockerd_s"])
    ratio_logs = median(logs["ours_s"]) / median(logs["dockerd_s"])
    return [
        Figure("a container prints 100 MB, ours / dockerd", ratio_written, 1.2, "", raw=written,
               detail=f"{median(written['ours_s']):.1f} / {median(written['dockerd_s']):.1f} s"),
        Figure("logs of it, ours / dockerd", ratio_logs, 1.0, "", raw=logs,
               detail=f"{median(logs['ours_s']):.1f} / {median(logs['dockerd_s']):.1f} s"),
    ]  # fmt: skip


def _complete(engine: Engine) -> None:
    """A quick reader that loses lines would not be quick."""
    with subprocess.Popen(engine.docker("logs", "print0"), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        digest = hashlib.file_digest(process.stdout, "sha256").hexdigest()  # type: ignore[arg-type]
    expected = hashlib.sha256((_LINE + "\n").encode() * _LINES).hexdigest()
    assert digest == expected, "logs differ from what the container printed"
