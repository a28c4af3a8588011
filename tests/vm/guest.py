"""Inside the machine: PID 1's only program. Sets the machine up, does the main job, writes a line for each check.

Lines on the second serial port: `ok NAME SECONDS DETAIL`, `FAIL NAME: WHAT`, and `END` last. The standard library
alone until the engine is started; the machine ends with this program.
"""

import ctypes
import os
import subprocess
import sys
import time
import traceback
import urllib.request
from collections.abc import Callable
from pathlib import Path

PACKAGES = "/usr/local/lib/python3.11/dist-packages"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "CI": "1",
}
_KERNEL_TESTS_S = 150
_LAYOUT_TESTS_S = 200
# what differs by kernel or layout of cgroups; all of the tier takes too long in emulation
_KERNEL_TESTS = (
    "test_cgroup.py",
    "test_probe.py",
    "test_mount.py",
    "test_seccomp.py",
)
# `make test-vm`: what a layout of cgroups may change, from the hierarchies up to a container's start and its end
_LAYOUT_TESTS = (
    "test_cgroup.py",
    "runtime/test_confinement.py",
    "runtime_cli/test_life.py::test_create_start_kill_delete",
    "runtime_cli/test_life.py::test_the_exit_code_is_the_process_s",
    "runtime_cli/test_life.py::test_all_of_a_container_that_shares_the_host_s_pids_ends",
    "runtime_cli/test_life.py::test_limits_are_changed_and_remembered",
    "runtime/test_start.py::test_prints_and_ends_with_its_code",
    "runtime/test_namespace.py::test_a_small_memory_limit_still_starts_and_kills_what_exceeds_it",
)
# the default bridge and its table outlive the daemon, as docker's do
_STAYS = {"hakobu0", "table inet hakobu"}
_libc = ctypes.CDLL(None, use_errno=True)
_out = open("/dev/null", "w")  # noqa: SIM115


def say(line: str) -> None:
    print(line, file=_out, flush=True)


def mount(source: str, target: str, kind: str, options: str = "", flags: int = 0) -> None:
    os.makedirs(target, exist_ok=True)
    if _libc.mount(source.encode(), target.encode(), kind.encode(), flags, options.encode()) < 0:
        raise OSError(ctypes.get_errno(), f"mount {kind} on {target}")


def run(*argv: str) -> str:
    """The output of a command; AssertionError with all it said where it fails."""
    done = subprocess.run(argv, env=ENVIRONMENT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{' '.join(argv)} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def check(name: str, body: Callable[[], object]) -> bool:
    started = time.monotonic()
    try:
        detail = body()
    except BaseException as error:
        text = str(error) if isinstance(error, AssertionError) and str(error) else traceback.format_exc()
        say(f"FAIL {name}: {' | '.join(text.strip().splitlines()[-25:])}")
        return False
    say(f"ok {name} {time.monotonic() - started:.2f} s {detail or ''}".rstrip())
    return True


def set_up() -> None:
    """What an init does before anything else, and no more: this machine has no systemd."""
    mount("proc", "/proc", "proc")
    mount("sysfs", "/sys", "sysfs")
    mount("devpts", "/dev/pts", "devpts", "gid=5,mode=620,ptmxmode=666")
    for path in ("/run", "/tmp", "/dev/shm"):
        mount("tmpfs", path, "tmpfs", "mode=1777")
    mount_cgroups(layout())
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1")):
        if not os.path.lexists(f"/dev/{name}"):
            os.symlink(target, f"/dev/{name}")
    mount("/payload/packages", PACKAGES, "none", flags=4096)  # MS_BIND
    script = Path("/usr/local/bin/hakobu")
    script.write_text(
        "#!/usr/bin/python3 -I\nimport sys\nfrom hakobu.cli.main import main\n"
        "if __name__ == '__main__':\n    sys.exit(main())\n"
    )
    script.chmod(0o755)
    Path("/etc/resolv.conf").write_text("")
    Path("/etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    run("ip", "link", "set", "lo", "up")


def layout() -> str:
    """`v1` or `v2`, from the kernel's command line; empty in the smoke, which is v2 and the main job alone."""
    words = Path("/proc/cmdline").read_text().split()
    return next((word.partition("=")[2] for word in words if word.startswith("hakobu.layout=")), "")


def mount_cgroups(version: str) -> None:
    """All controllers in one tree, or each in its own as sysvinit's cgroupfs-mount has them, with no v2 tree."""
    if version != "v1":
        mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
        return
    mount("tmpfs", "/sys/fs/cgroup", "tmpfs", "mode=755")
    for line in Path("/proc/cgroups").read_text().splitlines()[1:]:
        name, _, _, enabled = line.split()
        if enabled == "1":
            mount("cgroup", f"/sys/fs/cgroup/{name}", "cgroup", name)


def the_machine() -> str:
    mounts = Path("/proc/mounts").read_text()
    assert os.uname().release.startswith("6.1."), os.uname().release
    if layout() == "v1":
        assert "cgroup2" not in mounts, mounts
        controllers = os.listdir("/sys/fs/cgroup")
    else:
        assert "cgroup2 /sys/fs/cgroup cgroup2" in mounts and " cgroup " not in mounts, mounts
        controllers = Path("/sys/fs/cgroup/cgroup.controllers").read_text().split()
    assert {"memory", "cpu", "pids"} <= set(controllers), controllers
    return f"{os.uname().release}, cgroup {layout() or 'v2'} alone: {' '.join(sorted(controllers))}"


def the_packages() -> str:
    return run("/usr/bin/python3", "-I", "-c", "import hakobu, httptools, msgspec, aiohttp; print(hakobu.__name__)")


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def main_job() -> None:
    """The first application, from loading its image to nothing left behind."""
    before = the_world()
    log = open("/run/daemon.log", "wb")  # noqa: SIM115
    daemon = subprocess.Popen(
        ["hakobu", "daemon"], env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"
    )
    try:
        if not check("daemon answers", lambda: wait_for_daemon(daemon)):
            return
        check("load", lambda: run("hakobu", "load", "-i", "/payload/images/nginx.tar"))
        compose = ("hakobu", "compose", "-f", "/payload/examples/first-app/compose.yaml")
        if check("compose up", lambda: run(*compose, "up", "-d") and None):
            looks(compose)
        check("compose down", lambda: run(*compose, "down") and None)
    finally:
        daemon.terminate()
        check("daemon ends", lambda: daemon.wait(30))
    check("nothing left", lambda: nothing_left(before))


def wait_for_daemon(daemon: "subprocess.Popen[bytes]") -> str:
    """Its socket first: a client that finds none starts an engine of its own, on demand."""
    deadline = time.monotonic() + 120
    while not os.path.exists("/run/hakobu/hakobu.sock"):
        assert daemon.poll() is None and time.monotonic() < deadline, f"no socket; the daemon's end: {daemon.poll()}"
        time.sleep(0.2)
    while True:
        done = subprocess.run(["hakobu", "version"], env=ENVIRONMENT, capture_output=True, text=True)
        if done.returncode == 0:
            return ""
        ended = daemon.poll()
        assert ended is None, f"the daemon ended with {ended}"
        assert time.monotonic() < deadline, done.stderr
        time.sleep(0.2)


def looks(compose: tuple[str, ...]) -> None:
    check("page", lambda: served("http://localhost:8080/"))
    inside = ("hakobu", "exec", "first-app-web")
    check("os-release", lambda: expect(run(*inside, "cat", "/etc/os-release"), "trixie"))
    check("ps aux", lambda: expect(run(*inside, "ps", "aux"), "nginx: master process nginx -g daemon off;"))
    check("ifconfig", lambda: expect(run(*inside, "ifconfig"), "inet "))
    check("uname", lambda: expect(run(*inside, "uname", "-r"), os.uname().release))
    check("limits", limits)
    check("logs", lambda: expect(run("hakobu", "logs", "first-app-web"), "GET / HTTP/1.1"))
    check("compose ps", lambda: expect(run(*compose, "ps"), "first-app-web"))


def served(url: str) -> str:
    expected = Path("/payload/examples/first-app/html/index.html").read_text()
    deadline = time.monotonic() + 20
    while True:
        try:
            assert page(url) == expected, "another page"
            return f"{len(expected)} characters"
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def limits() -> str:
    if layout() == "v1":
        files = "memory/memory.limit_in_bytes pids/pids.max cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us"
    else:
        files = "memory.max pids.max cpu.max"
    out = run("hakobu", "run", "--rm", "--memory", "64m", "--pids-limit", "50", "--cpus", "0.5", "nginx", "sh", "-c",
              f"cd /sys/fs/cgroup; cat {files}")  # fmt: skip
    assert out.split() == ["67108864", "50", "50000", "100000"], out
    return " ".join(out.split())


def layouts_job() -> None:
    """What the engine does with a layout's controllers: device rules, the freezer, the killer, pressure, delegation."""
    log = open("/run/daemon.log", "wb")  # noqa: SIM115
    daemon = subprocess.Popen(
        ["hakobu", "daemon"], env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"
    )
    try:
        if not check("daemon answers", lambda: wait_for_daemon(daemon)):
            return
        check("load", lambda: run("hakobu", "load", "-i", "/payload/images/busybox.tar"))
        check("devices", devices)
        check("freezer", freezer)
        check("out of memory", out_of_memory)
        check("update", update)
        check("stats", stats)
        if layout() == "v2":
            check("pressure", pressure)
    finally:
        daemon.terminate()
        check("daemon ends", lambda: daemon.wait(30))
    sys.stderr.write(Path("/run/daemon.log").read_text()[-4000:])


def devices() -> str:
    """A node can be made (CAP_MKNOD), and opened where the rules allow it: by BPF on v2, by the kernel's list on v1."""
    script = "mknod /tmp/d b 254 0; dd if=/tmp/d of=/dev/null count=1 2>&1; dd if=/dev/zero of=/dev/null count=1 2>&1"
    out = run("hakobu", "run", "--rm", "busybox", "sh", "-c", script)
    assert "not permitted" in out and "1+0 records in" in out, out
    out = run("hakobu", "run", "--rm", "--device-cgroup-rule", "b 254:0 r", "busybox", "sh", "-c", script)
    assert "not permitted" not in out, out
    return ""


def freezer() -> str:
    run("hakobu", "run", "-d", "--name", "counter", "busybox", "sh", "-c", "while :; do echo x; usleep 20000; done")
    run("hakobu", "pause", "counter")
    first = run("hakobu", "logs", "counter").count("x")
    time.sleep(1)
    assert run("hakobu", "logs", "counter").count("x") == first, "it went on"
    run("hakobu", "unpause", "counter")
    deadline = time.monotonic() + 20
    while run("hakobu", "logs", "counter").count("x") == first:
        assert time.monotonic() < deadline, "it did not go on"
    run("hakobu", "pause", "counter")
    run("hakobu", "rm", "-f", "counter")
    return f"held at {first} lines, removed while frozen"


def out_of_memory() -> str:
    """Of init and of a child only."""
    eat = "x=x; while true; do x=$x$x$x; done"
    small = ("--memory", "16m", "--memory-swap", "16m")
    done = subprocess.run(
        ["hakobu", "run", "--name", "eater", *small, "busybox", "sh", "-c", eat], env=ENVIRONMENT, capture_output=True
    )
    told = run("hakobu", "inspect", "-f", "{{.State.OOMKilled}}", "eater").strip()
    run("hakobu", "rm", "eater")
    assert (done.returncode, told) == (137, "true"), (done, told)
    out = run("hakobu", "run", "--rm", *small, "busybox", "sh", "-c", f"sh -c '{eat}'; echo lives on with $?")
    assert "lives on with 137" in out, out
    return ""


def update() -> str:
    run("hakobu", "run", "-d", "--name", "box", "--memory", "64m", "busybox", "sleep", "1000")
    run("hakobu", "update", "--memory", "32m", "--pids-limit", "7", "box")
    name = "memory/memory.limit_in_bytes pids/pids.max" if layout() == "v1" else "memory.max pids.max"
    out = run("hakobu", "exec", "box", "sh", "-c", f"cd /sys/fs/cgroup; cat {name}")
    run("hakobu", "rm", "-f", "box")
    assert out.split() == ["33554432", "7"], out
    return ""


def stats() -> str:
    run("hakobu", "run", "-d", "--name", "box", "--memory", "64m", "busybox", "sleep", "1000")
    out = run("hakobu", "stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}", "box")
    run("hakobu", "rm", "-f", "box")
    assert "64MiB" in out and out.split()[-1] == "1", out
    return out.strip()


def pressure() -> str:
    """A container sees its own: the files are in the cgroup that its namespace has for a root."""
    out = run("hakobu", "run", "--rm", "busybox", "cat", "/sys/fs/cgroup/memory.pressure")
    assert out.startswith("some avg10="), out
    return out.splitlines()[0]


def users_without_delegation() -> str:
    """Where no cgroup was delegated a limit is refused with the reason, and nothing runs without it."""
    done = subprocess.run(
        ["hakobu", "run", "--rm", "--memory", "64m", "busybox", "true"], env=_USERS_ENVIRONMENT, capture_output=True,
        text=True, stdin=subprocess.DEVNULL, user=_UID, group=_UID, extra_groups=[], cwd="/",
    )  # fmt: skip
    assert done.returncode == 125 and "cgroup" in done.stderr, done
    out = as_user("hakobu", "run", "--rm", "busybox", "echo", "unlimited")
    assert out == "unlimited\n", out
    return done.stderr.strip().splitlines()[0]


def expect(text: str, part: str) -> str:
    assert part in text, text
    return ""


def the_world() -> dict[str, set[str]]:
    """What the main job must not add to."""
    return {
        "links": {line.split(":")[1].strip() for line in run("ip", "-o", "link").splitlines()},
        "tables": set(run("nft", "list", "tables").splitlines()),
        "mounts": {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "namespaces": set(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else set(),
        "processes": {
            comm
            for pid in os.listdir("/proc")
            if pid.isdigit() and (comm := command_line(pid))
        },
    }  # fmt: skip


def command_line(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def nothing_left(before: dict[str, set[str]]) -> str:
    deadline = time.monotonic() + 10
    while True:
        after = the_world()
        left = {kind: extra for kind in after if (extra := after[kind] - before[kind] - _STAYS)}
        if not left:
            return ""
        assert time.monotonic() < deadline, repr(left)
        time.sleep(0.3)


_UID = 1000
_USERS_HOME = Path("/home/alice")
_USERS_ENVIRONMENT = {**ENVIRONMENT, "HOME": str(_USERS_HOME), "XDG_RUNTIME_DIR": f"/run/user/{_UID}"}
_DELEGATED = Path("/sys/fs/cgroup/user.slice/engine.scope")


def as_user(*argv: str) -> str:
    """The output of a command of an ordinary user's."""
    done = subprocess.run(
        argv, env=_USERS_ENVIRONMENT, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        user=_UID, group=_UID, extra_groups=[], cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(argv)} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def an_ordinary_user() -> None:
    """What adduser, a login and systemd's `Delegate=yes` leave behind."""
    for path, line in (
        ("/etc/passwd", f"alice:x:{_UID}:{_UID}::{_USERS_HOME}:/bin/sh\n"),
        ("/etc/subuid", "alice:100000:65536\n"),
        ("/etc/subgid", "alice:100000:65536\n"),
    ):
        with open(path, "a") as file:
            file.write(line)
    for folder in (_USERS_HOME, Path(_USERS_ENVIRONMENT["XDG_RUNTIME_DIR"])):
        folder.mkdir(parents=True, mode=0o700)
        os.chown(folder, _UID, _UID)
    run("modprobe", "tun")
    os.chmod("/dev/net/tun", 0o666)
    if layout() == "v1":
        return
    _DELEGATED.mkdir(parents=True)
    for folder in (_DELEGATED.parent.parent, _DELEGATED.parent):
        (folder / "cgroup.subtree_control").write_text("+cpu +memory +pids")
    for path in (_DELEGATED, *(_DELEGATED / f"cgroup.{name}" for name in ("procs", "threads", "subtree_control"))):
        os.chown(path, _UID, _UID)


def rootless() -> None:
    """An ordinary user's engine in a delegated cgroup: the limits that one without it refuses."""
    if not check("a user", an_ordinary_user):
        return
    log = open("/run/user-daemon.log", "wb")  # noqa: SIM115
    ids = f"--reuid {_UID} --regid {_UID} --clear-groups"
    join = "true" if layout() == "v1" else f"echo $$ > {_DELEGATED}/cgroup.procs"
    into = f"{join} && exec setpriv {ids} hakobu daemon"
    daemon = subprocess.Popen(
        ["sh", "-c", into], env=_USERS_ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/"
    )
    try:
        if check("user's daemon answers", lambda: users_socket(daemon)):
            check("user's load", lambda: as_user("hakobu", "load", "-i", "/payload/images/busybox.tar"))
            if layout() == "v1":
                check("user's limits are refused", users_without_delegation)
            else:
                check("user's limits", users_limits)
                check("user's pause", users_pause)
                check("user's out of memory", users_oom)
            check("user's port", users_port)
    finally:
        daemon.terminate()
        check("user's daemon ends", lambda: daemon.wait(30))
    check("nothing of the user's runs", users_end)


def users_socket(daemon: "subprocess.Popen[bytes]") -> str:
    deadline = time.monotonic() + 120
    while not os.path.exists(f"/run/user/{_UID}/hakobu/hakobu.sock"):
        told = Path("/run/user-daemon.log").read_text()
        assert daemon.poll() is None and time.monotonic() < deadline, f"no socket ({daemon.poll()}): {told}"
        time.sleep(0.2)
    return as_user("hakobu", "info", "--format", "{{.CgroupDriver}} {{.CgroupVersion}} {{.SecurityOptions}}").strip()


def users_limits() -> str:
    out = as_user("hakobu", "run", "--rm", "--memory", "64m", "--pids-limit", "50", "--cpus", "0.5", "busybox",
                  "sh", "-c", "cd /sys/fs/cgroup; cat memory.max pids.max cpu.max")  # fmt: skip
    assert out.split() == ["67108864", "50", "50000", "100000"], out
    return " ".join(out.split())


def users_pause() -> str:
    as_user("hakobu", "run", "-d", "--name", "paused", "busybox", "sleep", "1000")
    as_user("hakobu", "pause", "paused")
    state = as_user("hakobu", "inspect", "-f", "{{.State.Status}}", "paused")
    as_user("hakobu", "unpause", "paused")
    as_user("hakobu", "rm", "-f", "paused")
    assert state.strip() == "paused", state
    return ""


def users_oom() -> str:
    eat = "x=x; while true; do x=$x$x$x; done"
    run_it = ["hakobu", "run", "--name", "eater", "--memory", "16m", "--memory-swap", "16m", "busybox", "sh", "-c", eat]
    code = as_user("sh", "-c", f"{' '.join(run_it[:-1])} '{eat}' >/dev/null 2>&1; echo $?")
    told = as_user("hakobu", "inspect", "-f", "{{.State.OOMKilled}}", "eater")
    as_user("hakobu", "rm", "eater")
    assert (code.strip(), told.strip()) == ("137", "true"), (code, told)
    return ""


def users_port() -> str:
    serve = "echo hello > /index.html; exec httpd -f -p 80 -h /"
    as_user("hakobu", "run", "-d", "--name", "web", "-p", "8081:80", "busybox", "sh", "-c", serve)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                return expect(page("http://localhost:8081/"), "hello")
            except OSError:
                assert time.monotonic() < deadline, "no answer"
                time.sleep(0.1)
    finally:
        as_user("hakobu", "rm", "-f", "web")


def users_end() -> str:
    deadline = time.monotonic() + 20
    while left := [
        line for pid in os.listdir("/proc") if pid.isdigit() and owner(pid) >= _UID and (line := command_line(pid))
    ]:
        assert time.monotonic() < deadline, repr(left)
        time.sleep(0.2)
    return ""


def owner(pid: str) -> int:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return 0


def wanted_tests() -> list[str]:
    """The kernel tests to run: those above, or what the host's side was told."""
    chosen = Path("/payload/kernel-tests").read_text().split()
    usual = _LAYOUT_TESTS if layout() else _KERNEL_TESTS
    return chosen or [name for name in usual if os.path.exists(f"/payload/tests/kernel/{name.partition('::')[0]}")]


def kernel_tests() -> str:
    """The kernel tier on this kernel; what needs another layout of cgroups skips itself."""
    argv = ["/usr/bin/python3", "-m", "pytest", "-v", "--rootdir=/payload", "-c", "/payload/pyproject.toml"]
    argv += ["-o", "faulthandler_timeout=60"]
    argv += [f"/payload/tests/kernel/{name}" for name in wanted_tests()]
    with open("/run/kernel-tests", "w+") as out:
        with subprocess.Popen(argv, env={**ENVIRONMENT, "CI": ""}, cwd="/payload", stdout=out, stderr=out) as tests:
            try:
                status = tests.wait(_LAYOUT_TESTS_S if layout() else _KERNEL_TESTS_S)
            except subprocess.TimeoutExpired:
                tests.kill()
                status = -1
        text = Path("/run/kernel-tests").read_text()
    print(text, flush=True)
    lines = text.strip().splitlines()
    assert status in (0, 5), "\n".join([f"pytest ended with {status}", *lines[-20:]])
    return lines[-1].strip("= ")


def main() -> None:
    global _out
    set_up()
    _out = open("/dev/ttyS1", "w")  # noqa: SIM115
    check("machine", the_machine)
    check("packages", the_packages)
    if layout():
        layouts_job()
        rootless()
    elif os.path.exists(f"{PACKAGES}/hakobu/daemon/__main__.py"):
        main_job()
        if os.path.exists("/run/daemon.log"):
            sys.stderr.write(Path("/run/daemon.log").read_text()[-4000:])
        rootless()
    check("kernel tests", kernel_tests)
    say("END")


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
        say("FAIL machine: " + traceback.format_exc().replace("\n", " | "))
    finally:
        os.sync()
        _libc.reboot(0x01234567)  # LINUX_REBOOT_CMD_RESTART: qemu ends, it runs with -no-reboot
