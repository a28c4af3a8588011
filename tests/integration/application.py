"""A Compose project on the engine under test, driven by `hakobu compose`; gone without a trace at the end."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

from tests.integration.daemon import Daemon


class App:
    """`hakobu compose` for one file."""

    def __init__(self, engine: Daemon, folder: Path, name: str, text: str) -> None:
        self.engine = engine
        self.name = name
        self.file = folder / "compose.yaml"
        self.file.write_text(text)

    def __call__(self, *argv: str, check: bool = True) -> CompletedProcess[str]:
        return self.engine.hakobu("compose", "-f", str(self.file), *argv, check=check)

    def states(self) -> dict[str, str]:
        rows = [json.loads(line) for line in self("ps", "-a", "--format", "json").stdout.splitlines()]
        return {row["Name"]: row["State"] for row in rows}

    def ids(self) -> list[str]:
        return sorted(self("ps", "-q").stdout.split())

    def left(self) -> str:
        """What the engine still has of the project."""
        mine = ("--filter", f"label=com.docker.compose.project={self.name}")
        lists = [("ps", "-aq"), ("volume", "ls", "-q"), ("network", "ls", "-q")]
        return "".join(self.engine.docker(*words, *mine).stdout for words in lists)


@contextlib.contextmanager
def application(engine: Daemon, folder: Path, name: str, text: str) -> Iterator[App]:
    found = App(engine, folder, name, text)
    yield found
    found.file.write_text(text)
    found("--profile", "*", "down", "-v", "--remove-orphans", "-t", "0")
    assert found.left() == ""
