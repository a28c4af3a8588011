"""`docker update` on a container that runs: each limit is read back from the kernel, not from the engine."""

from pathlib import Path

import pytest
from tests.conformance.api.speaker import Speaker
from tests.integration.daemon import Daemon
from tests.leaks import need

pytestmark = pytest.mark.root

MIB = 1 << 20


def limit(pid: int, v1: str, v2: str) -> str:
    """A file of the process's cgroup: `controller/file` on v1, the file's name on v2."""
    groups = dict[str, str]()
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        groups |= dict.fromkeys(controllers.split(","), path)
    controller, _, name = v1.partition("/")
    for mount in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options = mount.split()[:4]
        if kind == "cgroup" and controller in options.split(","):
            return Path(f"{place}{groups[controller]}/{name}").read_text().strip()
    place = next(m.split()[1] for m in Path("/proc/self/mounts").read_text().splitlines() if " cgroup2 " in m)
    return Path(f"{place}{groups['']}/{v2}").read_text().strip()


@pytest.fixture
def running(api: Speaker) -> tuple[str, int]:
    container = api.run("sleep", "1000", host={"Memory": 64 * MIB})
    return container, api.json("GET", f"/containers/{container}/json")["State"]["Pid"]


@pytest.mark.parametrize(
    ("flags", "v1", "v2", "values"),
    [
        ("--cpus 0.5", "cpu/cpu.cfs_quota_us", "cpu.max", {"50000", "50000 100000"}),
        ("--cpu-quota 20000 --cpu-period 50000", "cpu/cpu.cfs_period_us", "cpu.max", {"50000", "20000 50000"}),
        ("--cpu-quota 20000 --cpu-period 50000", "cpu/cpu.cfs_quota_us", "cpu.max", {"20000", "20000 50000"}),
        ("--cpu-shares 512", "cpu/cpu.shares", "cpu.weight", {"512", "20", "59"}),
        ("--cpuset-cpus 0", "cpuset/cpuset.cpus", "cpuset.cpus", {"0"}),
        ("--cpuset-mems 0", "cpuset/cpuset.mems", "cpuset.mems", {"0"}),
        ("-m 128m", "memory/memory.limit_in_bytes", "memory.max", {str(128 * MIB)}),
        ("-m 32m", "memory/memory.limit_in_bytes", "memory.max", {str(32 * MIB)}),
        (
            "-m 128m --memory-swap 256m",
            "memory/memory.memsw.limit_in_bytes",
            "memory.swap.max",
            {str(256 * MIB), str(128 * MIB)},
        ),
        ("--memory-swap -1", "memory/memory.memsw.limit_in_bytes", "memory.swap.max", {str(2**63 - 4096), "max"}),
        ("--memory-reservation 32m", "memory/memory.soft_limit_in_bytes", "memory.low", {str(32 * MIB)}),
        ("--pids-limit 77", "pids/pids.max", "pids.max", {"77"}),
        ("--pids-limit -1", "pids/pids.max", "pids.max", {"max"}),
        ("--blkio-weight 300", "blkio/blkio.bfq.weight", "io.bfq.weight", {"300", "default 300"}),
    ],
)
def test_each_limit_holds_at_once(running: tuple[str, int], daemon: Daemon, flags, v1, v2, values):
    container, pid = running
    daemon.docker("update", *flags.split(), container)
    assert limit(pid, v1, v2).splitlines()[0] in values


def test_a_cpuset_moves_what_runs(running: tuple[str, int], daemon: Daemon):
    container, pid = running
    daemon.docker("update", "--cpuset-cpus", "0", container)
    allowed = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "Cpus_allowed_list" in line]
    assert allowed[0].split()[1] == "0"
    # and who comes later
    assert "Cpus_allowed_list:\t0\n" in daemon.docker("exec", container, "cat", "/proc/self/status").stdout


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("BlkioDeviceReadBps", "read_bps"),
        ("BlkioDeviceWriteBps", "write_bps"),
        ("BlkioDeviceReadIOps", "read_iops"),
        ("BlkioDeviceWriteIOps", "write_iops"),
    ],
)
def test_throttles_of_a_device(api: Speaker, running: tuple[str, int], field, name):
    disk = next(
        (d for d in Path("/sys/block").iterdir() if (d / "dev").exists() and d.name[:2] in ("vd", "sd", "nv")), None
    )
    need(disk is not None, "a disk")
    assert disk is not None
    container, pid = running
    number = (disk / "dev").read_text().strip()
    api.json("POST", f"/containers/{container}/update", {field: [{"Path": f"/dev/{disk.name}", "Rate": 1048576}]})
    key = {"read_bps": "rbps", "write_bps": "wbps", "read_iops": "riops", "write_iops": "wiops"}[name]
    text = limit(pid, f"blkio/blkio.throttle.{name}_device", "io.max")
    assert text == f"{number} 1048576" or f"{key}=1048576" in text


def test_what_is_updated_is_kept_for_the_next_start(api: Speaker, running: tuple[str, int], daemon: Daemon):
    container, _ = running
    daemon.docker(
        "update", "-m", "96m", "--memory-swap", "96m", "--pids-limit", "55", "--restart", "on-failure:3", container
    )
    daemon.docker("restart", "-t", "0", container)
    told = api.json("GET", f"/containers/{container}/json")
    host = told["HostConfig"]
    assert (host["Memory"], host["PidsLimit"]) == (96 * MIB, 55)
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    pid = told["State"]["Pid"]
    assert limit(pid, "memory/memory.limit_in_bytes", "memory.max") == str(96 * MIB)
    assert limit(pid, "pids/pids.max", "pids.max") == "55"


@pytest.mark.parametrize(
    ("before", "flags", "text"),
    [
        ("--cpus 1", "--cpu-period 50000", "CPU Period cannot be updated as NanoCPUs has already been set"),
        ("--cpus 1", "--cpu-quota 50000", "CPU Quota cannot be updated as NanoCPUs has already been set"),
        ("--cpu-period 50000", "--cpus 1", "Nano CPUs cannot be updated as CPU Period has already been set"),
        ("--cpu-quota 50000", "--cpus 1", "Nano CPUs cannot be updated as CPU Quota has already been set"),
        (
            "-m 64m --memory-swap 64m",
            "-m 96m",
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        ),
        ("-m 64m", "-m 1m", "Minimum memory limit allowed is 6MB"),
        ("-m 64m", "--cpuset-cpus 4096", "Requested CPUs are not available - requested 4096, available: "),
        ("-m 64m", "--cpuset-mems 77", "Requested memory nodes are not available - requested 77, available: "),
    ],
)
def test_what_contradicts_is_refused_and_changes_nothing(api: Speaker, daemon: Daemon, before, flags, text):
    container = daemon.docker("run", "-d", *before.split(), "bb", "sleep", "1000").stdout.strip()
    was = api.json("GET", f"/containers/{container}/json")["HostConfig"]
    refused = daemon.docker("update", *flags.split(), container, check=False)
    assert refused.returncode == 1
    assert text in refused.stderr
    assert api.json("GET", f"/containers/{container}/json")["HostConfig"] == was
