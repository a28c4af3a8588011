"""`python -m bench.cold FOLDER RUNS`: milliseconds of a cold `run` of true by the OCI command lines, as JSON.

Inside a mount namespace of its own, where the mount that our command makes for itself goes with the process.
"""

import compileall
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import hakobu
from bench.figure import in_turns
from bench.process import output, timed
from hakobu.kernel.libc import MACHINE
from hakobu.spec import seccomp_default
from hakobu.spec.seccomp import ARCHITECTURES

COMMAND = str(Path(sys.executable).parent / "hakobu-runtime")
_SECCOMP = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "architectures": list(ARCHITECTURES[MACHINE]),
    "syscalls": [
        {"names": sorted(seccomp_default.ALWAYS | seccomp_default.BY_MACHINE[MACHINE]), "action": "SCMP_ACT_ALLOW"}
    ],
}
"""What every container may call, in OCI's shape: the greater part of Docker's default profile."""


def _bundle(where: Path, **linux: Any) -> str:
    """What `runc spec` says, with true of busybox as the program."""
    (where / "rootfs/bin").mkdir(parents=True)
    output(["cp", "/bin/busybox", str(where / "rootfs/bin/true")])
    output(["runc", "spec", "--bundle", str(where)])
    path = where / "config.json"
    config = json.loads(path.read_text())
    config["process"] |= {"terminal": False, "args": ["/bin/true"]}
    config["linux"] |= linux
    path.write_text(json.dumps(config))
    return str(where)


def _measure(bundle: str, runs: int) -> dict[str, list[float]]:
    def run(command: str, number: int) -> float:
        return timed([command, "run", "--bundle", bundle, f"bench{number}x"]) * 1e3

    bare = [sys.executable, "-I", "-S", "-c", "pass"]
    return in_turns(
        runs,
        ours_ms=lambda n: run(COMMAND, n),
        runc_ms=lambda n: run("runc", n),
        python_ms=lambda _: timed(bare) * 1e3,
    )


def main(folder: Path, runs: int) -> None:
    for there in ("/run/hakobu-runtime", "/run/runc"):
        Path(there).mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", there], check=True)
    compileall.compile_dir(
        str(Path(hakobu.__file__).parent), quiet=2
    )  # as an installation does; the command writes none
    plain, filtered = _bundle(folder / "plain"), _bundle(folder / "filtered", seccomp=_SECCOMP)
    print(json.dumps({"plain": _measure(plain, runs), "filtered": _measure(filtered, runs)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
