"""Pulling an image of ten layers from a registry on the engine's own loopback."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.engine import Engine
from bench.figure import Figure, in_turns, median
from bench.image import layered_archive
from bench.process import output, timed
from bench.world import World

_RUNS = 5
_LAYERS = 10
_SIZE_BYTES = 120_000_000
_NAME = "127.0.0.1:5000/layers:latest"
_CONFIG = """version: 0.1
storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: false}}}}
http: {{addr: "127.0.0.1:5000"}}
"""


def measure(world: World) -> list[Figure]:
    """Both pull the same bytes; the registry of each engine's network namespace serves one folder."""
    archive = world.folder / "layers.tar"
    layered_archive(archive, "layers", _SIZE_BYTES, _LAYERS)
    config = world.folder / "registry.yml"
    config.write_text(_CONFIG.format(root=world.folder / "registry"))
    with _registry(world.ours, str(config)), _registry(world.dockerd, str(config)):
        output(world.ours.docker("load", "-q", "-i", str(archive)))
        output(world.ours.docker("tag", "layers:latest", _NAME))
        output(world.ours.docker("push", "-q", _NAME))
        output(world.ours.docker("rmi", "layers:latest", _NAME))

        def pull(engine: Engine) -> float:
            took_s = timed(engine.docker("pull", "-q", _NAME))
            output(engine.docker("rmi", _NAME))
            return took_s

        raw = in_turns(_RUNS, ours_s=lambda _: pull(world.ours), dockerd_s=lambda _: pull(world.dockerd))
    ours, theirs = median(raw["ours_s"]), median(raw["dockerd_s"])
    detail = f"{ours:.2f} / {theirs:.2f} s"
    return [Figure(f"pull of {_LAYERS} layers, ours / dockerd", ours / theirs, 0.6, "", detail=detail, raw=raw)]


@contextmanager
def _registry(engine: Engine, config: str) -> Iterator[None]:
    argv = engine.inside("docker-registry", "serve", config)
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while subprocess.run(
            engine.inside("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5000"), capture_output=True
        ).returncode:
            assert process.poll() is None, "docker-registry ended"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()
