"""Hostile bundles, images and neighbours against the command line; races with an attacker that is a real process.

Each test looks at the host afterwards. RACE_S in the environment makes the races longer.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.kernel.runtime_cli.bundle import COMMAND, Bundle, bundle, installed
from tests.leaks import need

from hakobu.runtime_cli import interpreter

RACE_S = float(os.environ.get("RACE_S", "2"))
RENAME_EXCHANGE = 2
SECRET = "of the host alone"


@contextmanager
def exchanging(first: Path, second: Path) -> Iterator[None]:
    """A neighbour with the same volume: another process that swaps two names without a pause."""
    pid = os.fork()
    if pid == 0:
        libc = ctypes.CDLL(None)
        a, b = os.fsencode(first), os.fsencode(second)
        while True:
            libc.renameat2(-100, a, -100, b, RENAME_EXCHANGE)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def host_state(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(p): (p.lstat().st_mode, p.read_bytes() if p.is_file() and not p.is_symlink() else b"")
        for p in sorted(directory.rglob("*"))
    }


def outside(box: Bundle) -> Path:
    directory = box.where / "host"
    directory.mkdir()
    (directory / "secret").write_text(SECRET)
    (directory / "below").mkdir()
    return directory


REOPEN = """
exec >/found/said
while :; do for p in /proc/[0-9]*; do
  t=$(readlink $p/exe) || continue
  case $t in *python*) ;; *) continue;; esac
  exec 8<$p/exe || continue
  echo "HELD $t"
  for i in 1 2 3 4 5 6; do
    sleep 0.2
    dd if=/proc/self/fd/8 of=/proc/self/fd/8 bs=1 count=1 conv=notrunc && echo "WROTE $t"
  done
  echo TRIED
done; done 2>/dev/null
"""


@pytest.mark.parametrize(("how", "program"), [("in memory", "/memfd:"), ("installed", interpreter.ROOT)])
def test_the_interpreter_of_the_host_cannot_be_had_for_writing(tmp_path: Path, how: str, program: str) -> None:
    """CVE-2019-5736: the program of an exec is the runtime itself, with libraries of the image's own.

    A second program holds what it finds and writes to it (the byte that is there already) when nobody runs it any
    more. From a sealed copy in memory, and, as installed, from the read-only mount.
    """
    with ExitStack() as stack:
        command = COMMAND if how == "in memory" else stack.enter_context(installed(tmp_path))
        box = stack.enter_context(bundle(tmp_path, command))
        for path in ("/lib", "/lib64", "/usr/lib", sys.base_prefix):
            if os.path.isdir(path):
                box.config["mounts"].append(
                    {"destination": path, "type": "bind", "source": path, "options": ["rbind", "ro"]}
                )
        found = tmp_path / "found"
        found.mkdir()
        box.config["mounts"].append(
            {"destination": "/found", "type": "bind", "source": str(found), "options": ["bind"]}
        )
        before = os.stat(os.path.realpath(sys.executable)).st_mtime_ns
        box.start("sh", "-c", REOPEN)
        printed = found / "said"
        home = ("--env", f"PYTHONHOME={sys.base_prefix}", "--env", f"LD_LIBRARY_PATH={sys.base_prefix}/lib")
        said = box("exec", *home, "box", "/proc/self/exe", "-c", "import time; time.sleep(0.5)")
        assert said.code == 0, said.err
        until = time.monotonic() + 60
        while not printed.exists() or "TRIED" not in printed.read_text():
            assert time.monotonic() < until, "the attacker has not met the runtime"
        told = printed.read_text()
        assert f"HELD {program}" in told and "WROTE" not in told and "HELD /usr" not in told, told
        assert os.stat(os.path.realpath(sys.executable)).st_mtime_ns == before


def test_no_file_of_the_root_is_read_as_code_or_library(tmp_path: Path) -> None:
    """CVE-2019-14271 and §3.7: strace sees no .py, .pyc or .so of the container opened by the runtime."""
    need(shutil.which("strace") is not None, "strace")
    with bundle(tmp_path) as box:
        for name in ("encodings/idna.py", "traceback.py", "linecache.py", "libnss_files.so.2"):
            for directory in (f"{sys.base_prefix}/lib/python3.11".lstrip("/"), "lib/x86_64-linux-gnu"):
                path = box.rootfs / directory / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("raise SystemExit(99)")
        for argv in (("true",), ("/no/such",)):
            box.set(*argv)
            trace = tmp_path / "trace"
            subprocess.run(
                ["strace", "-f", "-y", "-e", "trace=open,openat,openat2,pivot_root,execve", "-o", trace, *COMMAND,
                 "--root", str(box.root), "run", "--bundle", str(tmp_path), "box"], capture_output=True, check=False,
            )  # fmt: skip
            lines = trace.read_text().splitlines()
            entered = next(i for i, line in enumerate(lines) if "pivot_root(" in line)
            child = lines[entered].split()[0]
            later = [line for line in lines[entered:] if line.startswith(child) and "open" in line]
            upto = next((i for i, line in enumerate(later) if "execve(" in line), len(later))
            assert not [line for line in later[:upto] if ".py" in line or ".so" in line], later


def test_no_descriptor_of_the_host_reaches_the_program(tmp_path: Path) -> None:
    """CVE-2024-21626: in init, in an exec, and by a working directory of their numbers."""
    with bundle(tmp_path) as box:
        said = box.run("sh", "-c", "ls -l /proc/self/fd")
        assert said.out.count(" -> ") == 3, said.out
        box.start("sleep", "1000")
        said = box("exec", "box", "sh", "-c", "ls -l /proc/self/fd", through="exec 7</etc")
        assert said.code == 0 and said.out.count(" -> ") == 3, said.out
        for number in range(3, 24):
            said = box("exec", "--cwd", f"/proc/self/fd/{number}", "box", "ls", "/proc/self/cwd/", through="exec 7</")
            assert said.code == 255 or set(said.out.split()) <= {
                "bin",
                "etc",
                "tmp",
                "root",
                "usr",
                "var",
                "home",
                "sbin",
                "proc",
                "dev",
                "sys",
            }, said.out


def test_secrets_of_the_caller_are_in_nobody_s_memory_inside(tmp_path: Path) -> None:
    """§3.1, §3.9: the environment of whoever calls stays outside, and what waits at the gate cannot be looked into."""
    with bundle(tmp_path) as box:
        said = box.create("sleep", "1000", through="export REGISTRY_PASSWORD=canary-4711")
        assert said.code == 0
        pid = box.state()["pid"]
        said = box(
            "exec",
            "box",
            "sh",
            "-c",
            "env; cat /proc/1/environ /proc/1/maps; ls -l /proc/1/fd /proc/1/exe; readlink /proc/1/cwd",
        )
        assert "canary" not in said.out and "memfd" not in said.out and "exec.fifo" not in said.out
        assert Path(f"/proc/{pid}/status").read_text().count("Uid:\t0") == 1
        assert box("start", "box").code == 0
        assert "canary" not in box("exec", "box", "cat", "/proc/1/environ").out


@pytest.mark.parametrize("name", ["proc", "sys", "dev", "etc", "dev/shm", "dev/pts"])
def test_a_link_of_the_bundle_in_the_place_of_a_mount(tmp_path: Path, name: str) -> None:
    """CVE-2019-19921, CVE-2023-28642, CVE-2025-54867, CVE-2026-41579: nothing is mounted or made where it leads."""
    with bundle(tmp_path) as box:
        trap = outside(box)
        path = box.rootfs / name
        if path.is_dir():
            shutil.rmtree(path)
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(trap)
        before, mounts = host_state(trap), Path("/proc/self/mountinfo").read_text()
        said = box.run("cat", f"/{name}/secret")
        assert SECRET not in said.out and host_state(trap) == before
        assert Path("/proc/self/mountinfo").read_text() == mounts


def test_the_null_device_of_an_image_is_not_what_masks(tmp_path: Path) -> None:
    """CVE-2025-31133: with a /dev that is not ours, a mask by a link of the image's is refused."""
    with bundle(tmp_path) as box:
        fake = tmp_path / "dev"
        (fake / "pts").mkdir(parents=True)
        (fake / "shm").mkdir()
        (fake / "mqueue").mkdir()
        (fake / "null").symlink_to("/proc/sys/kernel/core_pattern")
        box.config["mounts"] = [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "bind", "source": str(fake), "options": ["rbind"]},
        ]
        box.config["linux"]["maskedPaths"] = ["/proc/keys"]
        said = box.run("true")
        assert said.code == 1 and "path.mask /proc/keys" in said.err, said.err


def race(box: Bundle, trap: Path, *argv: str, name: str = "box") -> int:
    """Starts for RACE_S seconds; how many succeeded. What is printed must never be the host's."""
    until, ran = time.monotonic() + RACE_S, 0
    while time.monotonic() < until:
        said = box.run(*argv, name=name)
        assert SECRET not in said.out + said.err
        ran += said.code == 0
    return ran


def test_a_mount_target_that_is_swapped_while_it_is_mounted(tmp_path: Path) -> None:
    """CVE-2021-30465, CVE-2024-45310, CVE-2021-43784's end: a volume shared with an attacker, as root of a mount."""
    with bundle(tmp_path) as box:
        trap = outside(box)
        volume = tmp_path / "volume"
        (volume / "a").mkdir(parents=True)
        (volume / "b").symlink_to(f"../../../../../../../../../..{trap}")
        box.config["mounts"] += [
            {"destination": "/volume", "type": "bind", "source": str(volume), "options": ["rbind", "rprivate"]},
            {"destination": "/volume/a/made", "type": "tmpfs", "source": "tmpfs"},
        ]
        before, mounts = host_state(trap), Path("/proc/self/mountinfo").read_text()
        with exchanging(volume / "a", volume / "b"):
            race(box, trap, "sh", "-c", "cat /volume/a/secret /volume/b/secret 2>/dev/null; true")
        assert host_state(trap) == before and Path("/proc/self/mountinfo").read_text() == mounts


def test_a_proc_that_is_swapped_while_it_is_mounted(tmp_path: Path) -> None:
    """CVE-2019-19921, CVE-2023-27561, CVE-2025-52881: writes to /proc go to a proc, or the start fails."""
    with bundle(tmp_path) as box:
        trap = outside(box)
        (trap / "sys/kernel").mkdir(parents=True)
        (trap / "sys/kernel/msgmax").write_text("untouched")
        (box.rootfs / "proc").mkdir(exist_ok=True)
        (box.rootfs / "cork").symlink_to(f"../../../../../../../../../..{trap}")
        box.config["linux"]["sysctl"] = {"kernel.msgmax": "70000"}
        before = host_state(trap)
        msgmax = Path("/proc/sys/kernel/msgmax").read_text()
        with exchanging(box.rootfs / "proc", box.rootfs / "cork"):
            race(box, trap, "true")
        assert host_state(trap) == before and Path("/proc/sys/kernel/msgmax").read_text() == msgmax


def test_a_working_directory_that_is_swapped(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        trap = outside(box)
        (box.rootfs / "work").mkdir()
        (box.rootfs / "other").symlink_to(f"../../../../../../../../../..{trap}")
        box.config["process"]["cwd"] = "/work"
        with exchanging(box.rootfs / "work", box.rootfs / "other"):
            race(box, trap, "sh", "-c", "cat secret 2>/dev/null; true")


@pytest.mark.parametrize("text", ["0x0", "-1", "4294967296", "1_0", "１２", "", "root", "1000:-1", "1000:root", " 1"])
def test_a_user_that_is_no_number_is_nobody(tmp_path: Path, text: str) -> None:
    """CVE-2026-30892, CVE-2024-40635, CVE-2016-3697: never uid 0 by mistake."""
    with bundle(tmp_path) as box:
        box.start("sleep", "1000")
        said = box("exec", "--user", text or ":", "box", "id", "-u")
        assert said.code == 255 and "not a user or group id" in said.err, said


def test_capabilities_of_an_exec_are_never_inheritable(tmp_path: Path) -> None:
    """CVE-2022-29162, CVE-2022-24769."""
    with bundle(tmp_path) as box:
        box.start("sleep", "1000")
        said = box("exec", "--cap", "CAP_NET_ADMIN", "box", "grep", "-E", "Cap(Inh|Amb|Bnd)", "/proc/self/status")
        told = dict(line.split(":\t") for line in said.out.splitlines())
        assert told["CapInh"] == told["CapAmb"] == "0" * 16 and int(told["CapBnd"], 16) == 0xA80435FB
        said = box("exec", "--user", "1000", "box", "grep", "-E", "Cap(Prm|Eff)", "/proc/self/status")
        assert said.out.split()[1::2] == ["0" * 16] * 2


def test_an_allow_list_of_devices_is_one(tmp_path: Path) -> None:
    """GHSA-g54h-m393-cpwq."""
    root = os.stat("/").st_dev
    with bundle(tmp_path) as box:
        box.config["linux"]["resources"] = {
            "devices": [{"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}]
        }
        script = f"mknod /tmp/d b {os.major(root)} {os.minor(root)}; dd if=/tmp/d of=/dev/null count=1 && echo ESCAPED"
        said = box.run("sh", "-c", script)
        assert "ESCAPED" not in said.out and "not permitted" in said.err
