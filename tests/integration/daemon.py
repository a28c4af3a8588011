"""A real daemon on roots and a socket of its own, in the test session's namespaces, and the clients' command lines."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from hakobu.bootstrap.command import make_archive, resolve
from hakobu.bootstrap.recipe import load

ROOT = Path(__file__).resolve().parents[2]
_READY_S = 30.0


def image_archive(name: str) -> Path:
    """The archive of the image of a recipe, shipped or of the examples; built once, kept until the recipe changes."""
    own = ROOT / "examples" / f"{name}.toml"
    recipe = resolve(load(name, str(own) if own.exists() else ""), "", "")
    path = ROOT / ".state" / "images" / f"{name}-{recipe.digest()[7:19]}.tar"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        make_archive(recipe, f"{name}:latest", path, print)
    return path


@dataclass(slots=True)
class Daemon:
    """A daemon that runs, or ran, below `folder`; `start` again after an end keeps its state."""

    folder: Path
    flags: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def socket(self) -> Path:
        return self.folder / "engine.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        argv = [sys.executable, "-I", "-m", "hakobu.daemon", "--data-root", f"{self.folder}/data"]
        argv += ["--exec-root", f"{self.folder}/exec", "-H", self.url, "--pidfile", f"{self.folder}/pid", *self.flags]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        deadline = time.monotonic() + _READY_S
        while self.hakobu("version", check=False).returncode:
            assert self.process.poll() is None, f"the daemon ended:\n{self.log()}"
            assert time.monotonic() < deadline, f"the daemon does not answer:\n{self.log()}"
            time.sleep(0.05)

    def stop(self) -> int:
        """Ends the daemon as an init would; its exit code."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the daemon did not end on SIGTERM:\n{self.log()}") from None

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-4000:]

    def load(self, name: str) -> None:
        self.hakobu("load", "-q", "-i", str(image_archive(name)))

    def hakobu(self, *argv: str, check: bool = True, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return self._client([sys.executable, "-I", "-m", "hakobu.cli.main"], argv, check, stdin)

    def start_hakobu(self, *argv: str) -> "subprocess.Popen[str]":
        """The command line left running, with its output in pipes."""
        program = [sys.executable, "-I", "-m", "hakobu.cli.main", *argv]
        environment = {**os.environ, "HAKOBU_HOST": self.url}
        pipe = subprocess.PIPE
        return subprocess.Popen(program, env=environment, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)

    def docker(self, *argv: str, check: bool = True, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        program = shutil.which("docker")
        assert program, "no docker command on PATH: apt install docker.io"
        return self._client([program], argv, check, stdin)

    def _client(
        self, program: list[str], argv: tuple[str, ...], check: bool, stdin: str
    ) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "HAKOBU_HOST": self.url, "DOCKER_HOST": self.url}
        done = subprocess.run([*program, *argv], env=environment, capture_output=True, text=True, input=stdin, cwd=ROOT)
        if check:
            assert done.returncode == 0, f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def remove_all(self) -> None:
        """Containers with their volumes, and networks, that tests left in the engine."""
        if ids := self.hakobu("ps", "-aq", check=False).stdout.split():
            self.hakobu("rm", "-fv", *ids, check=False)
        if ids := self.hakobu("network", "ls", "-q", "--filter", "type=custom", check=False).stdout.split():
            self.hakobu("network", "rm", *ids, check=False)
