"""Images and containers that mean harm, after published vulnerabilities of engines and runtimes.

Each test looks at the host afterwards: nothing of it was read, made, mounted or changed.
"""

import os
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.kernel.runtime.bed import Bed, config, in_bed

from hakobu.errors import HakobuError
from hakobu.runtime import defaults
from hakobu.spec.resources import DEFAULT_DEVICE_RULES, Memory, Resources
from hakobu.spec.runtime_config import ConfigMount, User

IMAGE_FIRST = ("evil", "base")
DOCKERS_ORDER = ("init", "evil", "base")
MOUNTS = defaults.mounts(shm_bytes=1 << 26, private_ipc=True)


def evil(where: Path) -> Path:
    """A layer of the attacker's, in the place of an image's top layer."""
    layer = where / "snapshots/evil"
    layer.mkdir(parents=True, exist_ok=True)
    return layer


def trap(where: Path) -> Path:
    """A directory of the host that links in the image point to."""
    outside = where / "host"
    outside.mkdir()
    (outside / "secret").write_text("of the host")
    return outside


def state(path: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below a directory, with modes and contents."""
    found: dict[str, tuple[int, bytes]] = {}
    for item in sorted(path.rglob("*")):
        info = item.lstat()
        content = item.read_bytes() if stat.S_ISREG(info.st_mode) else b""
        found[str(item)] = (info.st_mode, content)
    return found


async def attempt(bed: Bed, *argv: str, lower: tuple[str, ...] = DOCKERS_ORDER, **changes: Any) -> str:
    """What the container printed, or the words of the refusal."""
    evil(bed.where)
    box = bed.box(config(*argv, **changes), lower=lower)
    try:
        await box.run()
    except HakobuError as error:
        return f"refused: {error}"
    return box.text() + box.text("stderr")


@pytest.mark.parametrize("lower", [IMAGE_FIRST, DOCKERS_ORDER], ids=["no init layer", "init layer"])
@pytest.mark.parametrize("name", ["proc", "sys", "dev", "dev/shm", "dev/pts", "etc"])
def test_a_mount_point_that_is_a_link_to_the_host(tmp_path: Path, name: str, lower: tuple[str, ...]) -> None:
    """CVE-2019-19921, CVE-2023-28642, CVE-2025-54867, CVE-2026-41579."""
    outside = trap(tmp_path)
    before = state(outside)

    async def body(bed: Bed) -> None:
        layer = evil(tmp_path)
        (layer / name).parent.mkdir(parents=True, exist_ok=True)
        (layer / name).symlink_to(outside)
        said = await attempt(bed, "sh", "-c", "cat /proc/self/mountinfo; mount", lower=lower)
        assert "of the host" not in said
        assert state(outside) == before
        assert str(outside) not in Path("/proc/self/mountinfo").read_text()

    in_bed(tmp_path, body)


@pytest.mark.parametrize("link", ["{outside}", "../../../../../../../..{outside}", "/proc/1/root{outside}"])
def test_a_bind_s_target_behind_a_link_to_the_host(tmp_path: Path, link: str) -> None:
    """CVE-2021-30465, CVE-2024-45310."""
    outside = trap(tmp_path)
    source = tmp_path / "source"
    source.write_text("mine")
    before = state(outside)

    async def body(bed: Bed) -> None:
        (evil(tmp_path) / "link").symlink_to(link.format(outside=outside))
        bind = ConfigMount(destination="/link/made", type="bind", source=str(source), options=("rbind", "rprivate"))
        await attempt(bed, "true", mounts=(*MOUNTS, bind))
        assert state(outside) == before

    in_bed(tmp_path, body)


def test_a_working_directory_through_a_descriptor_of_the_engine(tmp_path: Path) -> None:
    """CVE-2024-21626: a leaked directory descriptor as WORKDIR leads to the host."""
    trap(tmp_path)

    async def body(bed: Bed) -> None:
        for number in range(3, 12):
            path = f"/proc/self/fd/{number}"
            said = await attempt(bed, "sh", "-c", "pwd -P; ls ../../../../../..", process_cwd=path)
            # a descriptor of something inside is no harm
            assert said.startswith("refused: cwd.enter") or said.split()[1:3] == ["bin", "dev"], (path, said)

    in_bed(tmp_path, body)


def test_an_exec_s_working_directory_through_a_descriptor(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sleep", "1000"))
        await box.start()
        for number in range(3, 12):
            with pytest.raises(HakobuError):
                await box.exec("ls", cwd=f"/proc/self/fd/{number}")

    in_bed(tmp_path, body)


@pytest.mark.parametrize("lower", [IMAGE_FIRST, DOCKERS_ORDER], ids=["no init layer", "init layer"])
def test_a_user_is_looked_up_in_the_image_alone(tmp_path: Path, lower: tuple[str, ...]) -> None:
    outside = trap(tmp_path)
    (outside / "passwd").write_text("web:x:0:0::/root:/bin/sh\n")

    async def body(bed: Bed) -> None:
        (evil(tmp_path) / "etc").mkdir(exist_ok=True)
        (evil(tmp_path) / "etc/passwd").symlink_to(f"../../../../../../../../..{outside}/passwd")
        said = await attempt(bed, "id", "-u", lower=lower, process_user=User(name="web"))
        assert said.startswith("refused"), said

    in_bed(tmp_path, body)


@pytest.mark.parametrize("kind", ["fifo", "zero", "directory", "endless line"])
def test_a_passwd_that_is_no_file_of_users(tmp_path: Path, kind: str) -> None:
    """CVE-2022-1708, CVE-2026-30892 and the like: no hang, no memory, no root by mistake."""

    async def body(bed: Bed) -> None:
        etc = evil(tmp_path) / "etc"
        etc.mkdir(exist_ok=True)
        path = etc / "passwd"
        match kind:
            case "fifo":
                os.mkfifo(path)
            case "zero":
                os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
            case "directory":
                path.mkdir()
            case _:
                with path.open("wb") as file:
                    file.truncate(1 << 30)
        said = await attempt(bed, "id", "-u", process_user=User(name="web"))
        assert said.startswith("refused"), said

    in_bed(tmp_path, body)


def test_a_number_is_never_taken_for_a_name(tmp_path: Path) -> None:
    """CVE-2016-3697."""

    async def body(bed: Bed) -> None:
        etc = evil(tmp_path) / "etc"
        etc.mkdir(exist_ok=True)
        (etc / "passwd").write_text("1000:x:0:0::/root:/bin/sh\n")
        assert (await attempt(bed, "id", "-u", process_user=User(name="1000"))).strip() == "1000"

    in_bed(tmp_path, body)


def test_a_volume_over_proc_takes_no_write_of_the_engine(tmp_path: Path) -> None:
    """CVE-2019-16884, CVE-2025-52881."""
    fake = tmp_path / "fake"
    (fake / "sys/kernel").mkdir(parents=True)
    (fake / "sys/kernel/msgmax").write_text("0")
    (fake / "self").mkdir()
    (fake / "self/oom_score_adj").write_text("0")

    async def body(bed: Bed) -> None:
        over = ConfigMount(destination="/proc", type="bind", source=str(fake), options=("rbind", "rprivate"))
        mounts = (*(m for m in MOUNTS if m.destination != "/proc"), over)
        said = await attempt(bed, "true", mounts=mounts, linux_sysctl={"kernel.msgmax": "65536"})
        assert said.startswith("refused"), said
        assert (fake / "sys/kernel/msgmax").read_text() == "0"

    in_bed(tmp_path, body)


def test_python_files_of_the_image_are_never_run(tmp_path: Path) -> None:
    """CVE-2019-14271: a library of the image loaded by the engine's process inside."""

    async def body(bed: Bed) -> None:
        layer = evil(tmp_path)
        for directory in {f"{sys.base_prefix}/lib/python3.11", "/usr/lib/python3.11", "/usr/lib/python3/dist-packages"}:
            for name in ("encodings/idna.py", "encodings/cp437.py", "traceback.py", "linecache.py", "pwd.py", "grp.py"):
                path = layer / directory.lstrip("/") / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("open('/was-run', 'w').close()\n")
        for user, argv in (("web", ("ls", "/")), ("nobody-there", ("ls", "/")), ("", ("/no/such/program",))):
            said = await attempt(bed, *argv, process_user=User(name=user), process_cwd="/tmp/a.b")
            assert "was-run" not in said
        ran = list((tmp_path / "snapshots").glob("*/fs/was-run"))
        assert ran == []

    in_bed(tmp_path, body)


def test_a_joining_process_cannot_be_looked_into(tmp_path: Path) -> None:
    """CVE-2016-9962, CVE-2019-5736: exe, descriptors and memory of whoever enters are closed to those inside."""
    watcher = (
        "while :; do for p in /proc/[0-9]*; do "
        'e=$(readlink $p/exe 2>/dev/null) && case "$e" in /bin/busybox) ;; *) echo "exe $e";; esac; '
        'for f in $(ls $p/fd 2>/dev/null); do t=$(readlink $p/fd/$f 2>/dev/null); case "$t" in '
        '*memfd*|*hakobu*|*snapshots*) echo "fd $t";; esac; done; done; done'
    )

    async def body(bed: Bed) -> None:
        box = bed.box(config("sh", "-c", watcher))
        await box.start()
        for _ in range(12):
            code, out, _ = await box.output_of("echo", "hello")
            assert (code, out) == (0, b"hello\n")
        assert box.text() == ""

    in_bed(tmp_path, body)


ESCAPES = {
    "a block device of the host": "mknod /tmp/d b $DISK && cat /tmp/d > /dev/null",
    "memory": "mknod /tmp/m c 1 1 && head -c1 /tmp/m",
    "a cgroup file system": "mkdir -p /tmp/c && mount -t cgroup -o memory c /tmp/c",
    "an unshared user namespace": "unshare -U true",
    "a mount": "mount -t tmpfs t /mnt",
    "a remount": "mount -o remount,rw /proc/sys",
    "a sysctl": "echo x > /proc/sys/kernel/core_pattern",
    "sysrq": "echo b > /proc/sysrq-trigger",
    "sysfs": "echo x > /sys/kernel/uevent_helper || echo x > /sys/kernel/mm/ksm/run",
    "kernel memory": "head -c1 /proc/kcore",
    "another root": "chroot /proc/1/root/.. cat /etc/hostname-of-the-host",
    "the host name": "hostname changed",
    "a module": "insmod /tmp/x.ko",
    "the clock": "date -s 2001-01-01 >&2; test $(date +%Y) = 2001",
    "an immutable file": "chattr +i /tmp",
    "a swap area": "swapon /tmp",
}


@pytest.mark.parametrize("name", ESCAPES)
def test_what_root_inside_must_not_do(tmp_path: Path, name: str) -> None:
    root = os.stat("/").st_dev
    script = ESCAPES[name].replace("$DISK", f"{os.major(root)} {os.minor(root)}")

    async def body(bed: Bed) -> None:
        said = await attempt(bed, "sh", "-c", f"if {script}; then echo ESCAPED; else echo held; fi")
        assert "held" in said.splitlines() and "ESCAPED" not in said, said

    in_bed(tmp_path, body)


def test_little_memory_is_enough_to_start(tmp_path: Path) -> None:
    """The setup's own memory must not count against a container of 6 MB."""

    async def body(bed: Bed) -> None:
        limits = Resources(devices=DEFAULT_DEVICE_RULES, memory=Memory(limit=6 << 20, swap=6 << 20))
        box = bed.box(config("echo", "small", linux_resources=limits))
        ended = await box.run()
        assert (ended.code, ended.oom_killed, box.text()) == (0, False, "small\n")

    in_bed(tmp_path, body)


def test_masked_files_cannot_be_unmasked_or_looked_under(tmp_path: Path) -> None:
    """CVE-2025-31133: the mask is the engine's null device, whatever the image says /dev/null is."""

    async def body(bed: Bed) -> None:
        layer = evil(tmp_path)
        (layer / "dev").mkdir(exist_ok=True)
        (layer / "dev/null").symlink_to("/proc/sys/kernel/core_pattern")
        said = await attempt(
            bed, "sh", "-c", "wc -c < /proc/keys; umount /proc/keys && echo ESCAPED; ls -l /dev/null", lower=IMAGE_FIRST
        )
        assert said.splitlines()[0] == "0"
        assert "ESCAPED" not in said and "crw-rw-rw-" in said

    in_bed(tmp_path, body)
