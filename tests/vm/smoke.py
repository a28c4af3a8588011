"""`make test-vm-smoke`: boots the machine, reads its result lines from a serial port, prints the verdict.

    python -m tests.vm.smoke [--console] [TEST...]

`--console` shows the machine's own output as well; TEST are files below tests/kernel to run there instead of the usual.

Runs as root (the root file system keeps its owners). Emulated on purpose: what is behind /dev/kvm differs from
machine to machine (nested, paravirtualized kernels hang), and the whole run takes a minute or two.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.vm import parts

_TIME_LIMIT_S = 300
_KERNEL_OPTIONS = (
    "console=ttyS0 panic=-1 quiet mitigations=off no_timer_check random.trust_cpu=on cryptomgr.notests "
    "raid=noautodetect init_on_alloc=0"
)


def _qemu(kernel: Path, initrd: Path, root: Path, payload: Path, results: str, console: str, options: str) -> list[str]:
    return [
        "qemu-system-x86_64",
        *("-accel", "tcg,thread=multi,tb-size=256", "-machine", "pc", "-cpu", "max", "-m", "1536", "-smp", "2"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-serial", f"file:{console}", "-serial", f"file:{results}"),
        *("-drive", f"if=virtio,format=raw,file={root},snapshot=on"),
        *("-drive", f"if=virtio,format=raw,file={payload},readonly=on"),
        *("-kernel", str(kernel), "-initrd", str(initrd), "-append", f"{_KERNEL_OPTIONS} {options}".rstrip()),
    ]


def _follow(process: "subprocess.Popen[bytes]", results: Path, deadline: float) -> list[str]:
    """Prints result lines as they come, until the machine has ended."""
    lines: list[str] = []
    rest = ""
    with results.open() as file:
        while True:
            ended = process.poll() is not None
            rest += file.read()
            *whole, rest = rest.split("\n")
            for line in whole:
                lines.append(line.rstrip("\r"))
                print(f"  {lines[-1]}", flush=True)
            if ended:
                return lines
            if time.monotonic() > deadline:
                process.kill()
                return [*lines, f"FAIL time: the machine did not end within {_TIME_LIMIT_S} s"]
            time.sleep(0.2)


def as_root() -> None:
    if os.geteuid() != 0:
        os.execvp("sudo", ["sudo", "--preserve-env=CI", sys.executable, *sys.orig_argv[1:]])


def boot(
    name: str, machine: tuple[Path, Path, Path], payload: Path, *, options: str = "", console: bool = False
) -> bool:
    """Runs the machine to its end and prints its lines and the verdict; whether all was well."""
    kernel, initrd, root = machine
    booted = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hakobu-vm-") as folder:
        results, output = Path(folder) / "results", Path(folder) / "console"
        results.touch()
        argv_qemu = _qemu(kernel, initrd, root, payload, str(results), str(output), options)
        with subprocess.Popen(argv_qemu, stdin=subprocess.DEVNULL) as process:
            lines = _follow(process, results, booted + _TIME_LIMIT_S)
        console_text = output.read_text(errors="replace") if output.exists() else ""
    passed = sum(line.startswith("ok ") for line in lines)
    failed = [line for line in lines if line.startswith("FAIL")]
    whole = bool(lines) and "END" in lines
    if console or failed or not whole:
        print("vm: the console said:", console_text[-8000:], sep="\n")
    verdict = "passed" if whole and not failed and passed else "FAILED"
    print(f"vm {name} {verdict}: {passed} ok, {len(failed)} failed{'' if whole else ', did not reach its end'}; "
          f"{time.monotonic() - booted:.0f} s in the machine", flush=True)  # fmt: skip
    return verdict == "passed"


def main(argv: list[str]) -> int:
    as_root()
    started = time.monotonic()
    machine = parts.machine()
    payload = parts.payload(("nginx", "busybox"), tuple(arg for arg in argv if not arg.startswith("-")))
    print(f"vm: booting {machine[0]} (parts ready after {time.monotonic() - started:.0f} s)", flush=True)
    return 0 if boot("smoke", machine, payload, console="--console" in argv) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
