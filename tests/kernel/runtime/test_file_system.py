"""Mounts a user asks for: what they show, how they propagate, and what stays read-only."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.kernel.runtime.bed import Bed, config, in_bed

from hakobu.errors import HakobuError
from hakobu.kernel import mount
from hakobu.runtime import defaults
from hakobu.spec.runtime_config import ConfigMount, DeviceNode, RuntimeConfig


def with_mounts(configuration: RuntimeConfig, *mounts: ConfigMount) -> RuntimeConfig:
    return replace(configuration, mounts=(*configuration.mounts, *mounts))


def bind(source: Path, target: str, *options: str) -> ConfigMount:
    return ConfigMount(destination=target, type="bind", source=str(source), options=options or ("rbind", "rprivate"))


def test_a_bind_mount_is_the_host_s_directory(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "file").write_text("from outside\n")

    async def body(bed: Bed) -> None:
        box = bed.box(
            with_mounts(
                config("sh", "-c", "echo in > /made/for/it/x; cat /etc/one; echo no > /ro/y; echo $?"),
                bind(tmp_path / "data", "/made/for/it"),
                bind(tmp_path / "file", "/etc/one", "bind", "ro"),
                bind(tmp_path / "data", "/ro", "rbind", "ro"),
            )
        )
        await box.run()
        assert box.text() == "from outside\n1\n"
        assert (tmp_path / "data/x").read_text() == "in\n"

    in_bed(tmp_path, body)


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(with_mounts(config("true"), bind(tmp_path / "nothing", "/x")))
        with pytest.raises(HakobuError) as failure:
            await box.run()
        assert "/nothing" in failure.value.message

    in_bed(tmp_path, body)


def test_a_file_and_a_directory_do_not_fit(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()

    async def body(bed: Bed) -> None:
        box = bed.box(with_mounts(config("true"), bind(tmp_path / "data", "/etc/passwd")))
        with pytest.raises(HakobuError) as failure:
            await box.run()
        assert "/etc/passwd" in failure.value.message

    in_bed(tmp_path, body)


@pytest.mark.parametrize(("words", "inner"), [(("rbind", "ro"), "0"), (("rbind", "rro"), "1"), (("bind", "ro"), "1")])
def test_read_only_and_what_is_mounted_below(tmp_path: Path, words: tuple[str, ...], inner: str) -> None:
    """`ro` is the top mount alone (as mount(8) has it), `rro` all of the tree; without `r` nothing below comes."""
    (tmp_path / "data/sub").mkdir(parents=True)
    mount.mount("tmpfs", tmp_path / "data/sub", "tmpfs", 0)

    async def body(bed: Bed) -> None:
        script = "touch /m/x 2>/dev/null; echo $?; touch /m/sub/x 2>/dev/null; echo $?"
        box = bed.box(with_mounts(config("sh", "-c", script), bind(tmp_path / "data", "/m", *words)))
        await box.run()
        assert box.text().split() == ["1", inner]

    try:
        in_bed(tmp_path, body)
    finally:
        mount.umount2(tmp_path / "data/sub", 0)


@pytest.mark.parametrize(("word", "arrives", "leaves"), [("rprivate", 0, 0), ("rslave", 1, 0), ("rshared", 1, 1)])
def test_propagation(tmp_path: Path, word: str, arrives: int, leaves: int) -> None:
    shared = tmp_path / "shared"
    for name in ("host", "container"):
        (shared / name).mkdir(parents=True)
    mount.mount(shared, shared, None, mount.MS_BIND)
    mount.mount(None, shared, None, mount.MS_SHARED)

    async def body(bed: Bed) -> None:
        caps = (*defaults.CAPABILITIES, "CAP_SYS_ADMIN")
        configuration = config("sleep", "1000", linux_rootfs_propagation=word if leaves else "")
        sets = replace(configuration.process.capabilities, bounding=caps, effective=caps, permitted=caps)
        process = replace(configuration.process, capabilities=sets)
        box = bed.box(
            with_mounts(replace(configuration, process=process), bind(shared, "/m", "rbind", word)), seccomp_program=""
        )
        bed.seccomp = ""
        await box.start()
        mount.mount("tmpfs", shared / "host", "tmpfs", 0)
        _, out, _ = await box.output_of("sh", "-c", "grep -c ' /m/host ' /proc/self/mountinfo")
        assert int(out) == arrives
        code, _, err = await box.output_of("mount", "-t", "tmpfs", "none", "/m/container")
        assert code == 0, err
        assert Path("/proc/self/mountinfo").read_text().count(f" {shared}/container ") == leaves

    try:
        in_bed(tmp_path, body)
    finally:
        mount.umount2(shared, mount.MNT_DETACH)


def test_tmpfs_with_its_options(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        options = ("nosuid", "nodev", "noexec", "size=1m", "mode=700")
        tmpfs = ConfigMount(destination="/run/it", type="tmpfs", source="tmpfs", options=options)
        box = bed.box(with_mounts(config("sh", "-c", "grep /run/it /proc/mounts; stat -c %a /run/it"), tmpfs))
        await box.run()
        assert "nosuid,nodev,noexec" in box.text() and "size=1024k" in box.text()
        assert box.text().split()[-1] == "700"

    in_bed(tmp_path, body)


def test_devices_are_made_and_used_as_the_rules_say(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        devices = (DeviceNode(path="/dev/deep/kmsg", type="c", major=1, minor=11, mode=0o600),)
        script = "stat -c '%t:%T %a' /dev/deep/kmsg; head -c 1 /dev/deep/kmsg; echo $?; head -c 4 /dev/zero | wc -c"
        box = bed.box(config("sh", "-c", script, linux_devices=devices))
        await box.run()
        assert box.text().split() == ["1:b", "600", "1", "4"]
        assert "Operation not permitted" in box.text("stderr")

    in_bed(tmp_path, body)


def test_init_is_first_and_reaps(tmp_path: Path) -> None:
    tini = "/usr/bin/tini-static"
    if not os.path.exists(tini):
        pytest.skip("this machine lacks: tini-static")

    async def body(bed: Bed) -> None:
        script = "sh -c 'sleep 0.05 &'; sleep 0.3; ps -o pid,stat,comm"
        box = bed.box(config("/sbin/docker-init", "--", "sh", "-c", script), init=tini)
        await box.run()
        lines = box.text().splitlines()
        assert "docker-init" in lines[1] and not [line for line in lines if " Z" in line]

    in_bed(tmp_path, body)
