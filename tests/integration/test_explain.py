"""What explain shows is what ran: each step's system calls, as strace saw them, in the time the step reports."""

import json
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.daemon import Daemon
from tests.leaks import need

from hakobu.client.engine import Engine
from hakobu.spec.runtime_parse import parse_runtime_config

# What a step must not do without saying so: calls that change what a process is, sees or may do.
DEFINING = {"mount", "pivot_root", "mknodat", "symlinkat", "sethostname", "setdomainname", "capset", "seccomp"}
DEFINING |= {"setresuid", "setresgid", "setgroups", "setns", "unshare", "execve", "clone", "clone3", "fork", "sendto"}
# Steps for a target that need not exist: nothing is there to be masked.
OPTIONAL = {"path.mask", "path.readonly"}
_MARGIN_NS = 5_000  # the two clocks are compared by reading one after the other
_LINE = re.compile(r"(\d+) +(\d+\.\d+) ([a-z_0-9]+)\(")


@dataclass(frozen=True, slots=True)
class Call:
    pid: int
    at_ns: int
    name: str


def _traced_start(engine: Daemon, trace: Path) -> dict[str, Any]:
    """Starts a container under strace of the launcher; the plan that the engine then tells."""
    assert engine.process is not None
    launcher = subprocess.run(
        ["pgrep", "-P", str(engine.process.pid), "-f", "runtime.launcher"], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    argv = ["strace", "-f", "-qq", "--absolute-timestamps=format:unix,precision:ns", "-o", str(trace)]
    # a shim may be waiting already, forked before anybody traces the launcher
    argv += [option for pid in (launcher, *_descendants(launcher)) for option in ("-p", pid)]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as tracer:
        while not trace.exists() or f"\nTracerPid:\t{tracer.pid}\n" not in Path(f"/proc/{launcher}/status").read_text():
            assert tracer.poll() is None, "strace ended"
            time.sleep(0.02)
        engine.hakobu("run", "-d", "--name", "traced", "busybox", "sleep", "100")
        tracer.send_signal(signal.SIGINT)
    return json.loads(engine.hakobu("explain", "--format", "json", "traced").stdout)


def _descendants(pid: str) -> list[str]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [*children, *(below for child in children for below in _descendants(child))]


def _calls(trace: Path, pid: int) -> list[Call]:
    """The calls of one process, with CLOCK_MONOTONIC times as the engine's results have them."""
    offset = time.time_ns() - time.monotonic_ns()
    found: list[Call] = []
    for line in trace.read_text().splitlines():
        if (match := _LINE.match(line)) and int(match[1]) == pid:
            seconds, _, fraction = match[2].partition(".")
            found.append(Call(pid, int(seconds) * 10**9 + int(fraction) - offset, match[3]))
    return found


def _holds(wanted: tuple[str, ...], seen: list[str]) -> bool:
    rest = iter(seen)
    return all(any(call == other for other in rest) for call in wanted)


def test_the_steps_shown_are_those_that_ran(engine: Daemon, tmp_path: Path) -> None:
    need(shutil.which("strace") is not None, "strace")
    trace = tmp_path / "trace"
    try:
        shown = _traced_start(engine, trace)
        client = Engine(engine.url)
        plan = client.system.hakobu("GET", "/v1/containers/traced/plan")
        pid = int(client.containers.inspect("traced")["State"]["Pid"])
        client.close()
    finally:
        engine.hakobu("rm", "-f", "traced", check=False)
    assert [step["name"] for step in shown["steps"]] == [step["name"] for step in plan["steps"]]
    calls = _calls(trace, pid)
    assert calls
    wrong: list[str] = []
    for step in plan["steps"]:
        if step["place"] != "child" or "took_ns" not in step:
            continue
        start, end = step["started_ns"], step["started_ns"] + step["took_ns"]
        inside = [c.name for c in calls if start - _MARGIN_NS <= c.at_ns <= end + _MARGIN_NS]
        if not _holds(tuple(step["syscalls"]), inside) and step["name"] not in OPTIONAL:
            wrong.append(f"{step['name']} {step['args']}: says {step['syscalls']}, did {inside}")
        strange = set(inside) & DEFINING - set(step["syscalls"])
        if strange:
            wrong.append(f"{step['name']}: also did {sorted(strange)}")
    assert not wrong, "\n".join(wrong)


def test_a_start_imports_nothing(engine: Daemon, tmp_path: Path) -> None:
    """What a shim, its servers and a container's child run was loaded by the launcher, before the first of them."""
    need(shutil.which("strace") is not None, "strace")
    trace = tmp_path / "trace"
    try:
        _traced_start(engine, trace)
    finally:
        engine.hakobu("rm", "-f", "traced", check=False)
    lines = trace.read_text().splitlines()
    (started,) = [line for line in lines if "execve(" in line and '"sleep"' in line]
    ours = [line for line in lines if line.split()[0] != started.split()[0] or line < started]
    opened = [line for line in ours if re.search(r" (open|openat|openat2|stat|newfstatat|access)\(", line)]
    assert opened, "nothing was traced"
    assert not [line for line in opened if re.search(r"\.pyc?\"|\.so|/site-packages|/lib/python3", line)]
    assert not [line for line in ours if "execve(" in line and line != started]


def test_explain_before_and_after_tell_the_same_steps(engine: Daemon) -> None:
    try:
        before = json.loads(engine.hakobu("explain", "--format", "json", "run", "busybox", "sleep", "100").stdout)
        engine.hakobu("run", "-d", "--name", "told", "busybox", "sleep", "100")
        after = json.loads(engine.hakobu("explain", "--format", "json", "told").stdout)
    finally:
        engine.hakobu("rm", "-f", "told", check=False)
    assert [s["name"] for s in before["steps"]] == [s["name"] for s in after["steps"]]
    assert all(s["took_ms"] is None for s in before["steps"])
    assert any(s["took_ms"] is not None for s in after["steps"])


def test_japanese_and_exec(engine: Daemon) -> None:
    try:
        engine.hakobu("run", "-d", "--name", "told", "busybox", "sleep", "100")
        assert "コンテナ" in engine.hakobu("explain", "--lang", "ja", "told").stdout
        told = engine.hakobu("explain", "exec", "told", "ls").stdout
        assert "namespaces.enter" in told
        assert "exec told ls" in told
    finally:
        engine.hakobu("rm", "-f", "told", check=False)


def test_the_files_shown_for_a_limit_hold_it(engine: Daemon) -> None:
    """Whichever cgroup layout is mounted: what was written is there to be read, and so is where to look."""
    engine.hakobu("run", "-d", "--name", "limited", "--memory", "64m", "--pids-limit", "77", "busybox", "sleep", "100")
    steps = json.loads(engine.hakobu("explain", "--format", "json", "limited").stdout)["steps"]
    made = next(step for step in steps if step["name"] == "cgroup.create")
    written = dict(re.findall(r'write\("([^"]+)", "([^"]+)"\)', " ".join(made["syscalls"])))
    assert {"67108864", "77"} <= {*written.values()}
    for file, value in written.items():
        assert Path(file).read_text().strip() == value, file
    assert Path(made["see"].split()[0]).is_dir()
    before = json.loads(engine.hakobu("explain", "--format", "json", "run", "--memory", "64m", "busybox").stdout)[
        "steps"
    ]
    assert any('"67108864"' in call for call in next(s for s in before if s["name"] == "cgroup.create")["syscalls"])
    joined = next(step for step in steps if step["name"] == "cgroup.join")["syscalls"][0]
    assert "CLONE_INTO_CGROUP" in joined or Path(re.search(r'write\("([^"]+)"', joined)[1]).exists()  # type: ignore[index]
    engine.hakobu("rm", "-f", "limited")


def test_what_a_start_did_is_known_after_the_engine_was_killed(own: Daemon) -> None:
    """The trace, and the OCI configuration as it was started, lie beside the container's other files; root's alone."""
    own.hakobu("run", "-d", "--name", "kept", "-e", "SECRET=s", "busybox", "sleep", "100")
    told = json.loads(own.hakobu("explain", "--format", "json", "kept").stdout)
    container_id = own.hakobu("ps", "-q", "--no-trunc").stdout.split()[0]
    directory = own.folder / "data" / "containers" / container_id
    while not (directory / "config.json").exists():  # written a moment after the start
        assert own.process is not None and own.process.poll() is None
        time.sleep(0.05)
    own.kill()
    own.start()
    assert json.loads(own.hakobu("explain", "--format", "json", "kept").stdout) == told
    assert told["steps"][0]["took_ms"] > 0
    config = parse_runtime_config((directory / "config.json").read_bytes())
    assert "SECRET=s" in config.process.env
    assert {(directory / name).stat().st_mode & 0o777 for name in ("config.json", "trace.json")} == {0o600}
