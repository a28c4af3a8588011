"""What the rows share: the three engines with their images loaded, and a folder for large files."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.engine import Engine, doing_nothing, running
from bench.image import recipe_archive
from bench.process import output


@dataclass(frozen=True, slots=True)
class World:
    ours: Engine
    dockerd: Engine
    nothing: Engine
    folder: Path

    @property
    def rivals(self) -> tuple[Engine, Engine]:
        return self.ours, self.dockerd


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """All engines up, `busybox` and `nginx` loaded into both real ones."""
    with ExitStack() as stack:
        ours = stack.enter_context(running("hakobu", folder / "hakobu"))
        dockerd = stack.enter_context(running("dockerd", folder / "dockerd"))
        nothing = stack.enter_context(doing_nothing(folder / "nothing"))
        for engine in (ours, dockerd):
            for name in ("busybox", "nginx"):
                output(engine.docker("load", "-i", str(recipe_archive(name))))
        yield World(ours, dockerd, nothing, folder)
