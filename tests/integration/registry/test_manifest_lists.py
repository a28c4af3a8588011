"""`manifest create`, `annotate`, `push`, `rm` beside docker's own program: the same words, files and digests."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.daemon import Daemon
from tests.leaks import need

from .server import REGISTRY, Served, serving


@pytest.fixture(scope="module")
def registry(engine: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With an image for amd64 and one for arm64, in repositories of their own."""
    need(REGISTRY is not None, "docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    (folder / "file").write_text("x")
    os.system(f"tar cf {folder}/fs.tar -C {folder} file")
    with serving(folder) as found:
        engine.hakobu("tag", "busybox", f"{found.host}/one/amd:v1")
        engine.hakobu("import", "--platform", "linux/arm64/v8", f"{folder}/fs.tar", f"{found.host}/two/arm:v1")
        for name in ("one/amd:v1", "two/arm:v1"):
            engine.hakobu("push", f"{found.host}/{name}")
            engine.hakobu("rmi", f"{found.host}/{name}")
        yield found


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Path]]:
    """docker's folder, one for each program."""
    yield {"docker": tmp_path / "theirs", "hakobu": tmp_path / "ours"}


class Both:
    """Runs a line with both programs; what they say must be the same."""

    def __init__(self, engine: Daemon, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        self._engine, self._folders, self._patch = engine, folders, monkeypatch

    def one(self, program: str, *argv: str) -> tuple[int, str, str]:
        self._patch.setenv("DOCKER_CONFIG", str(self._folders[program]))
        run = self._engine.docker if program == "docker" else self._engine.hakobu
        done = run("manifest", *argv, check=False)
        return done.returncode, done.stdout, done.stderr.replace("hakobu: ", "")

    def __call__(self, *argv: str) -> tuple[int, str, str]:
        insecure = ("--insecure",) if argv[0] in ("create", "push", "inspect") else ()
        theirs, ours = (self.one(p, argv[0], *insecure, *argv[1:]) for p in ("docker", "hakobu"))
        assert ours == theirs, argv
        return ours

    def files(self, program: str) -> dict[str, object]:
        top = self._folders[program] / "manifests"
        return {str(p.relative_to(top)): json.loads(p.read_text()) for p in sorted(top.rglob("*")) if p.is_file()}


@pytest.fixture
def both(engine: Daemon, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Both:
    return Both(engine, folders, monkeypatch)


def test_a_list_is_made_annotated_pushed_and_removed_as_by_docker(registry: Served, both: Both) -> None:
    target, amd, arm = (f"{registry.host}/{n}" for n in ("multi/app:1.0", "one/amd:v1", "two/arm:v1"))
    assert both("create", target, amd) == (0, f"Created manifest list {target}\n", "")
    assert both("create", target, arm)[0] == 1
    both("create", "--amend", target, arm)
    more = ("--variant", "v8", "--os-features", "a,b", "--os-version", "10")
    both("annotate", target, arm, "--arch", "arm64", *more)
    assert both.files("hakobu") == both.files("docker") != {}
    for look in ((target,), ("-v", target), (target, arm), ("-v", target, arm)):
        both("inspect", *look)
    _, told, _ = both("push", target)
    assert told.count("Pushed ref") == 2 and told.splitlines()[-1].startswith("sha256:")
    both("push", "--purge", target)
    both("push", target)
    assert both.files("hakobu") == both.files("docker") == {}
    assert json.loads(both("inspect", target)[1])["manifests"][1]["platform"]["os.version"] == "10"


def test_a_list_of_ours_is_what_engines_pull(engine: Daemon, registry: Served, both: Both) -> None:
    target, amd, arm = (f"{registry.host}/{n}" for n in ("multi/pulled", "one/amd:v1", "two/arm:v1"))
    both.one("hakobu", "create", target, amd, arm)
    assert both.one("hakobu", "push", "-p", target)[0] == 0
    try:
        engine.hakobu("run", "--rm", target, "true")
        engine.docker("pull", "--platform", "linux/arm64", target)
        shown = engine.docker("image", "inspect", "-f", "{{.Architecture}}", target, check=False).stdout
        assert shown == "arm64\n"
    finally:
        engine.hakobu("rmi", "-f", target)


def test_a_list_begun_with_docker_is_pushed_by_ours(registry: Served, both: Both, folders: dict[str, Path]) -> None:
    target, amd = f"{registry.host}/multi/begun", f"{registry.host}/one/amd:v1"
    both.one("docker", "create", "--insecure", target, amd)
    folders["hakobu"] = folders["docker"]
    assert both.one("hakobu", "push", target)[0] == 0
    assert both.one("hakobu", "rm", target) == (0, "", "")


def test_what_cannot_be_is_said_as_docker_says_it(registry: Served, both: Both) -> None:
    target, amd, arm = (f"{registry.host}/{n}" for n in ("multi/bad", "one/amd:v1", "two/arm:v1"))
    both("create", target, amd)
    for argv in (
        ("annotate", target, arm, "--arch", "arm64"),
        ("annotate", target, amd, "--arch", "weird"),
        ("annotate", f"{target}x", amd, "--arch", "arm64"),
        ("push", f"{target}x"),
        ("rm", f"{target}x", f"{target}y"),
        ("create", "UPPER", amd),
    ):
        assert both(*argv)[0] == 1
    both.one("hakobu", "push", target)
    assert both("create", f"{target}z", target)[2] == f"{target}:latest is a manifest list\n"
    foreign = both.one("hakobu", "create", "127.0.0.1:1/multi/x", amd)
    assert foreign[0] == 0
    assert "different registry than the target image" in both.one("hakobu", "push", "127.0.0.1:1/multi/x")[2]
