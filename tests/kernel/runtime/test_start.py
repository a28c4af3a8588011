"""A container's first process: that it runs, where it runs, as whom, and how its end is told."""

import os
import re
from pathlib import Path

import pytest
from tests.kernel.runtime.bed import Bed, config, in_bed

from hakobu.errors import HakobuError
from hakobu.kernel import probe
from hakobu.runtime.failure import StepFailed
from hakobu.spec.plan import LogTarget
from hakobu.spec.runtime_config import CapabilitySets, Rlimit, Root, User

STATUS = ("cat", "/proc/self/status")


def fields(text: str) -> dict[str, str]:
    return {k: v.strip() for k, _, v in (line.partition(":") for line in text.splitlines())}


def test_prints_and_ends_with_its_code(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sh", "-c", "echo out; echo err >&2; exit 7"))
        ended = await box.run()
        assert (ended.code, ended.signal) == (7, 0)
        assert box.text() == "out\n"
        assert box.text("stderr") == "err\n"

    in_bed(tmp_path, body)


def test_a_signal_s_end_is_told_as_a_shell_does(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sleep", "1000"))
        await box.start()
        await bed.shims.signal(box.id, "", 9)
        ended = await box.exit_of()
        assert (ended.code, ended.signal) == (137, 9)

    in_bed(tmp_path, body)


def test_the_process_is_confined_as_docker_confines(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config(*STATUS))
        await box.run()
        status = fields(box.text())
        expected = {
            "CapInh": 0, "CapPrm": 0xA80425FB, "CapEff": 0xA80425FB, "CapBnd": 0xA80425FB, "CapAmb": 0,
            "SigBlk": 0, "SigIgn": 0, "SigCgt": 0,
        }  # fmt: skip
        assert {k: int(status[k], 16) for k in expected} == expected
        assert (status["Seccomp"], status["NoNewPrivs"], status["Groups"]) == ("2", "0", "0")
        assert status["NSpid"] == "1"

    in_bed(tmp_path, body)


def test_a_plain_user_has_no_capability_but_the_bounding_set(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sh", "-c", "cat /proc/self/status; echo HOME:$HOME", process_user=User(name="web")))
        await box.run()
        status = fields(box.text())
        assert (int(status["CapEff"], 16), int(status["CapPrm"], 16)) == (0, 0)
        assert int(status["CapBnd"], 16) == 0xA80425FB
        assert status["Uid"].split() == ["1000"] * 4 and status["Gid"].split() == ["1001"] * 4
        assert sorted(status["Groups"].split()) == ["1", "1001", "2000"]
        assert status["HOME"] == "/home/web"
        assert status["Seccomp"] == "2"

    in_bed(tmp_path, body)


def test_no_new_privileges_and_an_ambient_capability(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        one = ("CAP_NET_BIND_SERVICE",)
        sets = CapabilitySets(bounding=one, effective=one, permitted=one, inheritable=one, ambient=one)
        box = bed.box(
            config(
                *STATUS,
                process_user=User(uid=1000, gid=1001), process_capabilities=sets, process_no_new_privileges=True,
            )
        )  # fmt: skip
        await box.run()
        status = fields(box.text())
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        assert {status[k] for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0000000000000400"}

    in_bed(tmp_path, body)


def test_nothing_of_the_engine_is_inherited(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        script = "ls -C /proc/1/fd; env; readlink /proc/1/exe; readlink /proc/1/cwd"
        box = bed.box(config("sh", "-c", script))
        await box.run()
        lines = box.text().splitlines()
        # ls is a child of PID 1: what PID 1 has open is its stdio alone
        assert lines[0].split() == ["0", "1", "2"]
        assert "HOME=/root" in lines and not [line for line in lines if "PYTHON" in line or "LD_" in line]
        assert lines[-2:] == ["/bin/busybox", "/"]

    in_bed(tmp_path, body)


def test_namespaces_are_its_own(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        kinds = ("pid", "net", "mnt", "ipc", "uts", "time", "user", "cgroup")
        box = bed.box(config("sh", "-c", f"for n in {' '.join(kinds)}; do readlink /proc/self/ns/$n; done"))
        await box.run()
        inside = dict(zip(kinds, box.text().split(), strict=True))
        outside = {k: os.readlink(f"/proc/self/ns/{k}") for k in kinds}
        assert {k for k in kinds if inside[k] != outside[k]} == {"pid", "net", "mnt", "ipc", "uts", "time"}

    in_bed(tmp_path, body)


def test_mounts_masks_and_read_only_paths(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("cat", "/proc/self/mountinfo"))
        await box.run()
        seen = {line.split()[4]: line.split() for line in box.text().splitlines()}
        options = {path: set(words[5].split(",")) for path, words in seen.items()}
        assert options["/proc"] == {"rw", "nosuid", "nodev", "noexec", "relatime"}
        assert options["/dev"] == {"rw", "nosuid"}
        assert {"ro", "nosuid", "nodev", "noexec"} <= options["/sys"]
        assert {"rw", "nosuid", "nodev", "noexec"} <= options["/dev/shm"]
        for path in ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys"):
            assert {"ro", "nosuid", "nodev", "noexec"} <= options[path]
        assert seen["/proc/keys"][3] == "/null"
        assert "ro" in options["/sys/firmware"]
        assert not [path for path in seen if str(tmp_path) in path]

    in_bed(tmp_path, body)


def test_the_host_sees_no_mount_of_a_container(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        before = Path("/proc/self/mountinfo").read_text()
        box = bed.box(config("sleep", "1000"))
        await box.start()
        assert Path("/proc/self/mountinfo").read_text() == before
        shim = Path(f"/proc/{box.created.shim_pid}/mountinfo").read_text() if box.created else ""
        assert "overlay" not in shim.replace("overlay overlay", "") or shim.count("\n") == before.count("\n")

    in_bed(tmp_path, body)


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("nosuchcmd",), 127, 'exec: "nosuchcmd": executable file not found in $PATH'),
        (("/no/such",), 127, 'exec: "/no/such": stat /no/such: no such file or directory'),
        (("/etc/passwd",), 126, 'exec: "/etc/passwd": permission denied'),
        (("/etc",), 126, 'exec: "/etc": is a directory: permission denied'),
    ],
)
def test_a_program_that_cannot_run_is_told_before_anything_started(
    tmp_path: Path, argv: tuple[str, ...], code: int, words: str
) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config(*argv))
        with pytest.raises(StepFailed) as failure:
            await box.run()
        assert (failure.value.exit_code, failure.value.message) == (code, words)

    in_bed(tmp_path, body)


def test_a_script_without_its_interpreter_and_a_file_that_is_no_program(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        base = tmp_path / "snapshots/base/bin"
        (base / "script").write_text("#!/no/interpreter\n")
        (base / "garbage").write_bytes(b"\x00\x01\x02")
        for name, code in (("script", 127), ("garbage", 126)):
            (base / name).chmod(0o755)
            box = bed.box(config(name))
            with pytest.raises(StepFailed) as failure:
                await box.run()
            assert failure.value.exit_code == code, failure.value.message

    in_bed(tmp_path, body)


def test_a_user_the_image_does_not_know(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("true", process_user=User(name="nobody-there")))
        with pytest.raises(HakobuError) as failure:
            await box.run()
        assert failure.value.message == "unable to find user nobody-there: no matching entries in passwd file"

    in_bed(tmp_path, body)


def test_a_working_directory_is_made_and_a_file_there_is_refused(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("pwd", process_cwd="/made/for/me"), working_dir="/made/for/me")
        await box.run()
        assert box.text() == "/made/for/me\n"
        refused = bed.box(config("pwd", process_cwd="/etc/passwd"))
        with pytest.raises(HakobuError) as failure:
            await refused.run()
        assert "chdir" in failure.value.message

    in_bed(tmp_path, body)


def test_limits_of_the_process(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(
            config(
                "sh", "-c", "ulimit -n; ulimit -c; cat /proc/self/oom_score_adj; umask",
                process_rlimits=(
                    Rlimit(type="RLIMIT_NOFILE", soft=100, hard=200),
                    Rlimit(type="RLIMIT_CORE", soft=0, hard=0),
                ),
                process_oom_score_adj=500, process_user=User(umask=0o027),
            )
        )  # fmt: skip
        await box.run()
        assert box.text().split() == ["100", "0", "500", "0027"]

    in_bed(tmp_path, body)


def test_sysctls_hostname_and_domain(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(
            config(
                "sh", "-c", "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax; hostname; "
                "cat /proc/sys/kernel/domainname",
                hostname="deep", domainname="example.org",
                linux_sysctl={"net.ipv4.ip_unprivileged_port_start": "0", "kernel.msgmax": "9999"},
            )
        )  # fmt: skip
        await box.run()
        assert box.text().split() == ["0", "9999", "deep", "example.org"]

    in_bed(tmp_path, body)


def test_a_read_only_root_leaves_what_is_mounted_writable(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(
            config("sh", "-c", "touch /x; echo $?; touch /dev/shm/x /dev/y; echo $?", root=Root(path="", readonly=True))
        )
        await box.run()
        assert box.text().split() == ["1", "0"], box.text("stderr")
        assert "Read-only file system" in box.text("stderr")

    in_bed(tmp_path, body)


@pytest.mark.parametrize("pretended", ["", "6.1"])
def test_an_overlay_of_many_layers(tmp_path: Path, pretended: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if pretended:
        monkeypatch.setenv(probe.ENVIRONMENT, pretended)

    async def body(bed: Bed) -> None:
        names = [f"l{n:03}" for n in range(123)]
        for name in names:
            (tmp_path / "snapshots" / name).mkdir()
            (tmp_path / "snapshots" / name / name).touch()
        box = bed.box(config("ls", "/"), lower=("init", *names, "base"))
        await box.run()
        assert set(names) <= set(box.text().split())

    in_bed(tmp_path, body)


def test_an_existing_directory_as_root(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        root = str(tmp_path / "snapshots/base")
        box = bed.box(config("sh", "-c", "echo here; touch /tmp/seen", root=Root(path=root)), rootfs=None)
        ended = await box.run()
        assert ended.code == 0 and box.text() == "here\n"
        assert (tmp_path / "snapshots/base/tmp/seen").exists()

    in_bed(tmp_path, body)


def test_a_large_environment_and_a_long_exec_root(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 60)
    deep.mkdir(parents=True)

    async def body(bed: Bed) -> None:
        settings = tuple(f"V{n}={'x' * 100_000}" for n in range(20))
        box = bed.box(config("sh", "-c", "env | wc -c", process_env=("PATH=/bin", *settings)))
        await box.run()
        assert int(box.text()) > 2_000_000

    in_bed(deep, body)


def test_every_failpoint_leaves_nothing(tmp_path: Path) -> None:
    names = sorted({step.name for step in _plan(tmp_path)})

    for name in names:

        async def body(bed: Bed, name: str = name) -> None:
            box = bed.box(config("true", hostname="x"))
            with pytest.raises(StepFailed) as failure:
                await box.run()
            assert re.search("failpoint", failure.value.message), name

        where = tmp_path / name
        where.mkdir()
        in_bed(where, body, failpoint=name)


def _plan(tmp_path: Path) -> tuple[object, ...]:
    found: list[object] = []

    async def body(bed: Bed) -> None:
        found.extend(bed.box(config("true", hostname="x")).plan.steps)

    where = tmp_path / "plan"
    where.mkdir()
    in_bed(where, body)
    return tuple(found)


def test_a_log_that_cannot_be_opened_is_an_error_of_its_own(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("true"))
        with pytest.raises(StepFailed) as failure:
            await box.run(log=LogTarget("json-file", str(tmp_path / "no/such/log")))
        assert "no/such/log" in failure.value.message

    in_bed(tmp_path, body)
