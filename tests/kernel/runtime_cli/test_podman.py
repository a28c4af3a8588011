"""Podman on this runtime: run, exec, pause, kill, remove, and how it tells of what cannot be started."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.runtime.bed import CGROUP, make_base
from tests.kernel.runtime_cli.bundle import BOOT
from tests.leaks import need

from hakobu.kernel import cgroup


class Podman:
    def __init__(self, where: Path, short: Path) -> None:
        runtime = where / "hakobu-runtime"
        runtime.write_text(f"#!{sys.executable} -B\n{BOOT}\n")
        runtime.chmod(0o755)
        self._globals = [
            "podman", "--root", str(where / "root"), "--runroot", str(short / "run"), "--tmpdir", str(short / "tmp"),
            "--cgroup-manager", "cgroupfs", "--storage-driver", "vfs", "--events-backend", "file",
            "--runtime", str(runtime),
        ]  # fmt: skip

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self._globals, *words], capture_output=True, text=True, check=False)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        # its default limits are above what this process may give
        limits = ("--ulimit", "nofile=64:128", "--ulimit", "nproc=100:200", "--network", "none")
        return self("run", *limits, "--cgroup-parent", f"/{CGROUP}", *words)


@pytest.fixture
def podman(tmp_path: Path) -> Iterator[Podman]:
    need(shutil.which("podman") is not None and shutil.which("conmon") is not None, "podman")
    short = Path(tempfile.mkdtemp(prefix="hk"))  # podman wants fewer than 50 characters
    made = Podman(tmp_path, short)
    (tmp_path / "base").mkdir()
    make_base(tmp_path / "base")
    subprocess.run(["tar", "-C", tmp_path / "base", "-cf", tmp_path / "base.tar", "."], check=True)
    loaded = made("import", str(tmp_path / "base.tar"), "base:1")
    assert loaded.returncode == 0, loaded.stderr
    yield made
    made("rm", "--force", "--all", "--time", "0")
    made("rmi", "--force", "--all")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if line.split()[1].startswith((str(short), str(tmp_path))):
            subprocess.run(["umount", line.split()[1]], check=False)
    shutil.rmtree(short)
    cgroup.open_tree().cgroup(f"/{CGROUP}").delete()


def test_podman_runs_on_it(podman: Podman) -> None:
    ran = podman.run("--rm", "base:1", "sh", "-c", "echo hello; id -u; exit 3")
    assert (ran.returncode, ran.stdout) == (3, "hello\n0\n"), ran.stderr
    assert podman.run("--detach", "--name", "c1", "base:1", "sleep", "1000").returncode == 0
    said = podman("exec", "c1", "sh", "-c", "echo inside; exit 4")
    assert (said.returncode, said.stdout) == (4, "inside\n"), said.stderr
    assert podman("exec", "--user", "1000:1001", "c1", "id", "-u").stdout == "1000\n"
    assert podman("pause", "c1").returncode == 0
    assert podman("inspect", "--format", "{{.State.Status}}", "c1").stdout == "paused\n"
    assert podman("unpause", "c1").returncode == 0
    assert podman("kill", "c1").returncode == 0
    assert podman("wait", "c1").stdout == "137\n"
    assert podman("rm", "c1").returncode == 0


def test_podman_tells_what_cannot_be_started(podman: Podman) -> None:
    assert podman.run("--rm", "base:1", "nosuch").returncode == 127
    assert podman.run("--rm", "base:1", "/bin").returncode == 126
