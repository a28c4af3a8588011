"""The corpus: small projects that cover every attribute and merge rule, with what docker compose 2.40.3 says of each.

A case is a folder below `corpus/`: its files, `args` (command line before `config`), `env` (variables beside HOME), and
either `expected.yaml` with `expected.hash`, as docker compose printed them for these files, or `refused`, our own words
for what both refuse. `difference` says why the two differ. Recorded anew with

    python -m tests.unit.compose.corpus PATH_TO_DOCKER_COMPOSE
"""

import argparse
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from hakobu.compose.canonical import service_document, service_hash
from hakobu.compose.config import to_json, to_yaml
from hakobu.compose.load import Selection, load
from hakobu.compose.model.project import Project
from hakobu.errors import HakobuError

ROOT = Path(__file__).parent / "corpus"
HERE = "/corpus"
"""What stands for the case's own folder in what is recorded."""
ABOVE = "/above"
"""What stands there for the folder above it."""


@dataclass(frozen=True, slots=True)
class Case:
    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    def recorded(self, name: str) -> str | None:
        file = self.folder / name
        return file.read_text() if file.exists() else None

    @property
    def arguments(self) -> list[str]:
        return shlex.split(self.recorded("args") or "")

    @property
    def environment(self) -> dict[str, str]:
        pairs = [line.partition("=") for line in (self.recorded("env") or "").splitlines()]
        return {"HOME": "/root", **{name: value for name, _, value in pairs}}

    @property
    def project(self) -> Project:
        parser = argparse.ArgumentParser()
        for flag in ("-f", "--profile", "--env-file"):
            parser.add_argument(flag, action="append", default=[])
        given = parser.parse_args(self.arguments)
        return load(
            Selection(
                files=tuple(given.f),
                profiles=tuple(given.profile),
                env_files=tuple(given.env_file),
                environment=self.environment,
                working_directory=str(self.folder),
            )
        )

    def refusal(self) -> str | None:
        """Our words where we refuse the files."""
        try:
            _ = self.project
        except HakobuError as e:
            return self._placed(str(e)) + "\n"
        return None

    def yaml(self) -> str:
        return self._placed(to_yaml(self.project))

    def json(self) -> str:
        return self._placed(to_json(self.project))

    def hashes(self, *, with_paths: bool) -> dict[str, str]:
        """Those of the services; the folder's path is part of some, which are then not comparable elsewhere."""
        services = self.project.services.values()
        return {
            s.name: service_hash(s) for s in services if with_paths or str(self.folder) not in str(service_document(s))
        }

    def _placed(self, text: str) -> str:
        return text.replace(str(self.folder), HERE).replace(str(self.folder.parent), ABOVE)

    def ask(self, program: str, *flags: str) -> "subprocess.CompletedProcess[str]":
        """What docker compose prints for the case."""
        environment = {"PATH": os.environ["PATH"], **self.environment}
        argv = [program, *self.arguments, "config", *flags]
        ran = subprocess.run(argv, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        return subprocess.CompletedProcess(argv, ran.returncode, self._placed(ran.stdout), self._placed(ran.stderr))


CASES = [Case(folder) for folder in sorted(ROOT.iterdir())]


def record(program: str) -> None:
    for case in CASES:
        for name in ("expected.yaml", "expected.hash", "refused"):
            (case.folder / name).unlink(missing_ok=True)
        printed = case.ask(program)
        if printed.returncode == 0:
            (case.folder / "expected.yaml").write_text(printed.stdout)
            (case.folder / "expected.hash").write_text(case.ask(program, "--hash", "*").stdout)
        elif (words := case.refusal()) is not None:
            (case.folder / "refused").write_text(words)


if __name__ == "__main__":
    record(sys.argv[1])
