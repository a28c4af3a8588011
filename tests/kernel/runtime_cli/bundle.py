"""A bundle of busybox and the real command, called as an engine calls it: an own root, an own cgroup, no daemon."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kernel.runtime.bed import CGROUP, make_base

import hakobu
from hakobu.kernel import cgroup, mount
from hakobu.runtime import defaults
from hakobu.spec.resources import Resources
from hakobu.spec.runtime_config import CapabilitySets, Linux, Namespace, Process, Root, RuntimeConfig

SOURCE = str(Path(hakobu.__file__).parent.parent)
BOOT = f"import sys; sys.path.insert(0, {SOURCE!r}); from hakobu.runtime_cli.entry import main; main()"
COMMAND = (sys.executable, "-I", "-S", "-B", "-c", BOOT)
NAMESPACES = ("pid", "network", "mount", "ipc", "uts")


@dataclass
class Said:
    code: int
    out: str
    err: str


@dataclass
class Bundle:
    """`config` is the document, free to be changed before a call."""

    where: Path
    config: dict[str, Any]
    command: tuple[str, ...] = COMMAND
    made: list[str] = field(default_factory=list)

    @property
    def rootfs(self) -> Path:
        return self.where / "rootfs"

    @property
    def root(self) -> Path:
        return self.where / "state"

    def write(self) -> None:
        (self.where / "config.json").write_text(json.dumps(self.config))

    def __call__(self, *words: str, stdin: str = "", through: str = "", globals: tuple[str, ...] = ()) -> Said:
        """One call of the command line. Output goes through files: a created container keeps its streams.

        `through` is shell code before the call, for descriptors of its own.
        """
        out, err = self.where / "out", self.where / "err"
        argv = [*self.command, "--root", str(self.root), *globals, *words]
        if through:
            argv = ["/bin/bash", "-c", f'{through}; exec "$@"', "bash", *argv]
        with out.open("wb") as out_file, err.open("wb") as err_file:
            called = subprocess.run(
                argv, input=stdin.encode(), stdout=out_file, stderr=err_file, cwd=self.where,
                env={"PATH": os.environ["PATH"]},
            )  # fmt: skip
        return Said(called.returncode, out.read_text(errors="replace"), err.read_text(errors="replace"))

    def run(self, *argv: str, name: str = "box", **options: Any) -> Said:
        """In the foreground, to its end."""
        self.set(*argv)
        return self("run", "--bundle", str(self.where), name, **options)

    def set(self, *argv: str) -> None:
        if argv:
            self.config["process"]["args"] = list(argv)
        self.write()

    def create(self, *argv: str, name: str = "box", options: tuple[str, ...] = (), **how: Any) -> Said:
        self.set(*argv)
        self.made.append(name)
        return self("create", *options, "--bundle", str(self.where), name, **how)

    def start(self, *argv: str, name: str = "box") -> int:
        """Created and let go; its pid."""
        said = self.create(*argv, name=name)
        assert said.code == 0, said.err
        said = self("start", name)
        assert said.code == 0, said.err
        return int(self.state(name)["pid"])

    def state(self, name: str = "box") -> dict[str, Any]:
        said = self("state", name)
        assert said.code == 0, said.err
        return json.loads(said.out)

    def kill_and_reap(self, name: str = "box", signal: str = "KILL") -> int:
        """This session is a subreaper: the container's process is ours once its maker has gone."""
        pid = int(self.state(name)["pid"])
        said = self("kill", name, signal)
        assert said.code == 0, said.err
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def output(self) -> str:
        """What a created container has printed by now, while nobody calls anything else."""
        return (self.where / "out").read_text()


@contextmanager
def installed(where: Path) -> Iterator[tuple[str, ...]]:
    """The command as an environment of its own has it, with a program of its own; its mounts are the session's.

    What it makes under /run goes in the end.
    """
    place = where / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--copies", "--without-pip", str(place)], check=True)
    (packages,) = place.glob("lib/python3*/site-packages")
    (packages / "hakobu.pth").write_text(f"{SOURCE}\n")
    command = place / "bin/hakobu-runtime"
    shutil.copy(f"{SOURCE}/hakobu-runtime", command)
    run = "/run/hakobu-runtime"
    Path(run).mkdir(exist_ok=True)
    mount.mount("tmpfs", run, "tmpfs", 0)
    try:
        yield (str(command),)
    finally:
        mount.umount2(run, mount.MNT_DETACH)


def document(*argv: str) -> dict[str, Any]:
    caps = defaults.CAPABILITIES
    return RuntimeConfig(
        process=Process(
            args=argv or ("true",),
            env=("PATH=/usr/bin:/bin",),
            capabilities=CapabilitySets(bounding=caps, effective=caps, permitted=caps),
        ),
        root=Root(path="rootfs"),
        hostname="box",
        mounts=tuple(m for m in defaults.mounts(shm_bytes=1 << 26, private_ipc=True) if m.type != "cgroup"),
        linux=Linux(
            namespaces=tuple(Namespace(type=t) for t in NAMESPACES),
            masked_paths=defaults.MASKED_PATHS,
            readonly_paths=defaults.READONLY_PATHS,
            resources=Resources(),
            cgroups_path=f"/{CGROUP}/{os.getpid()}-box",
        ),
    ).to_json()


@contextmanager
def bundle(where: Path, command: tuple[str, ...] = COMMAND) -> Iterator[Bundle]:
    """Gone with all of its containers in the end."""
    (where / "rootfs").mkdir(exist_ok=True)
    make_base(where / "rootfs")
    made = Bundle(where, document(), command)
    try:
        yield made
    finally:
        for name in dict.fromkeys([*made.made, "box"]):
            made("delete", "--force", name)
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break
        cgroup.open_tree().cgroup(f"/{CGROUP}").delete()
