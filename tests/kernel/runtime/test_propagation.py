"""Mounts that a container and the host are to see of each other, and those that they are not."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.runtime.bed import Bed, config, in_bed

from hakobu.kernel import mount as m
from hakobu.runtime import defaults
from hakobu.spec.runtime_config import CapabilitySets, ConfigMount

MOUNTS = defaults.mounts(shm_bytes=1 << 26, private_ipc=True)
ADMIN = (*defaults.CAPABILITIES, "CAP_SYS_ADMIN")


@pytest.fixture(params=["private", "shared"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A shared mount of the host, below a root that is private, or shared as systemd makes it."""
    if request.param == "shared":
        m.mount(None, "/", None, m.MS_REC | m.MS_SHARED)
    share = tmp_path / "share"
    share.mkdir()
    m.mount("tmpfs", str(share), "tmpfs", 0)
    m.mount(None, str(share), None, m.MS_SHARED)
    (share / "sub").mkdir()
    (share / "late").mkdir()
    yield share
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        if line.split()[4].startswith(str(share)):
            m.umount2(line.split()[4], m.MNT_DETACH)
    m.mount(None, "/", None, m.MS_REC | m.MS_PRIVATE)


def _points() -> list[str]:
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]


@pytest.mark.parametrize("propagation", ["rshared", "shared", "rslave", "slave", "rprivate"])
def test_mounts_go_where_the_propagation_says(host: Path, tmp_path: Path, propagation: str) -> None:
    async def body(bed: Bed) -> None:
        before = _points()
        bind = ConfigMount(destination="/x", type="bind", source=str(host), options=("rbind", propagation))
        root = {"rshared": "shared", "shared": "shared", "rslave": "rslave", "slave": "rslave"}.get(propagation, "")
        box = bed.box(
            config(
                "sh", "-c", "mount -t tmpfs t /x/sub && touch /x/sub/inside; read line < /x/go; cat /proc/mounts",
                mounts=(*MOUNTS, bind),
                linux_rootfs_propagation=root,
                process_capabilities=CapabilitySets(bounding=ADMIN, effective=ADMIN, permitted=ADMIN),
            ),
            seccomp_program="",
        )  # fmt: skip
        os.mkfifo(host / "go")
        await box.start()
        with open(host / "go", "w") as go:
            m.mount("tmpfs", str(host / "late"), "tmpfs", 0)
            go.write("\n")
        await box.exit_of()
        inside = [line.split()[1] for line in box.text().splitlines()]
        assert "/x/sub" in inside
        assert ("/x/late" in inside) == (propagation != "rprivate")
        arrived = [str(host / "sub")] if propagation in ("shared", "rshared") else []
        assert sorted(_points()) == sorted([*before, str(host / "late"), *arrived])

    in_bed(tmp_path, body)


def test_a_container_s_shared_memory_is_another_s_as_well(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        first = bed.box(config("sh", "-c", "echo told > /dev/shm/word; exec sleep 1000"))
        created = await first.start()
        while not Path(f"/proc/{created.pid}/root/dev/shm/word").exists():
            await asyncio.sleep(0.01)
        source = f"/proc/{created.pid}/root/dev/shm"
        bind = ConfigMount(destination="/dev/shm", type="bind", source=source, options=("rbind", "rprivate"))
        mounts = (*(mount for mount in MOUNTS if mount.destination != "/dev/shm"), bind)
        second = bed.box(config("sh", "-c", "cat /dev/shm/word; echo back > /dev/shm/answer", mounts=mounts))
        assert (await second.run()).code == 0
        assert second.text() == "told\n"
        assert (await first.output_of("cat", "/dev/shm/answer"))[1] == b"back\n"

    in_bed(tmp_path, body)
