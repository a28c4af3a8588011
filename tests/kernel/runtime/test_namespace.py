"""Namespaces that are joined, shared with the host or mapped, offsets of clocks, hooks, limits."""

import asyncio
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from tests.kernel.runtime.bed import NAMESPACES, Bed, config, in_bed
from tests.leaks import need

from hakobu.errors import HakobuError
from hakobu.kernel.cgroup import detect
from hakobu.spec.resources import DEFAULT_DEVICE_RULES, Memory, Resources
from hakobu.spec.runtime_config import Hook, Hooks, IdMap, Namespace, RuntimeConfig


def joining(configuration: RuntimeConfig, pid: int, *types: str) -> RuntimeConfig:
    files = {"network": "net", "mount": "mnt"}
    namespaces = tuple(
        Namespace(type=n.type, path=f"/proc/{pid}/ns/{files.get(n.type, n.type)}") if n.type in types else n
        for n in configuration.linux.namespaces
    )
    return replace(configuration, linux=replace(configuration.linux, namespaces=namespaces))


def test_namespaces_of_another_container(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        first = bed.box(config("sleep", "1000", hostname="first"))
        created = await first.start()
        script = (
            "hostname; for n in pid net ipc uts time; do readlink /proc/self/ns/$n; done; ps | grep -c 'sleep 1000'"
        )
        second = bed.box(
            joining(config("sh", "-c", script, hostname=""), created.pid, "pid", "network", "ipc", "uts", "time")
        )
        await second.run()
        seen = second.text().split()
        assert seen[0] == "first"
        assert seen[1:6] == [os.readlink(f"/proc/{created.pid}/ns/{n}") for n in ("pid", "net", "ipc", "uts", "time")]
        assert int(seen[6]) >= 1
        assert not first.exit_of().done()

    in_bed(tmp_path, body)


def test_a_namespace_that_is_not_there(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(joining(config("true"), 2**22, "network"))
        with pytest.raises(HakobuError) as failure:
            await box.run()
        assert "network namespace" in failure.value.message

    in_bed(tmp_path, body)


def test_the_host_s_namespaces(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        kinds = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts"}
        script = "; ".join(f"readlink /proc/self/ns/{n}" for n in kinds.values())
        box = bed.box(config("sh", "-c", script, namespaces=("mount",)))
        await box.run()
        assert box.text().split() == [os.readlink(f"/proc/self/ns/{n}") for n in kinds.values()]

    in_bed(tmp_path, body)


def test_clocks_with_offsets(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sh", "-c", "cut -d. -f1 /proc/uptime", linux_time_offsets={"boottime": (864000, 0)}))
        await box.run()
        assert int(box.text()) > 864000

    in_bed(tmp_path, body)


def test_a_user_namespace_of_its_own(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        for folder in (tmp_path / "snapshots", tmp_path, tmp_path.parent, tmp_path.parent.parent):
            folder.chmod(0o711)
        maps = (IdMap(container_id=0, host_id=100000, size=65536),)
        for name in ("base", "init"):
            for folder, names, files in os.walk(tmp_path / "snapshots" / name):
                for entry in (*names, *files, "."):
                    os.lchown(f"{folder}/{entry}", 100000, 100000)
        box = bed.box(
            config(
                "sh", "-c", "cat /proc/self/uid_map; id -u; ls -ld /bin; echo x > /dev/null && echo null",
                namespaces=(*NAMESPACES, "user"), linux_uid_mappings=maps, linux_gid_mappings=maps,
            ),
        )  # fmt: skip
        for name in ("fs", "work"):
            os.chown(tmp_path / "snapshots" / box.id[:12] / name, 100000, 100000)
        created = await box.start()
        await box.exit_of()
        assert created.pid
        lines = box.text().splitlines()
        assert lines[0].split() == ["0", "100000", "65536"]
        assert lines[1] == "0" and "root" in lines[2] and lines[3] == "null"

    in_bed(tmp_path, body)


def test_hooks_run_in_their_order_and_get_the_state(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        log = tmp_path / "hooks"

        def hook(name: str) -> tuple[Hook, ...]:
            return (Hook(path="/bin/sh", args=("sh", "-c", f"(echo {name}; cat; echo) >> {log}")),)

        hooks = Hooks(prestart=hook("prestart"), create_runtime=hook("runtime"), poststart=hook("poststart"))
        box = bed.box(config("sh", "-c", "echo ran", hooks=hooks))
        created = await box.start()
        await box.exit_of()
        text = log.read_text()
        assert re.findall("prestart|runtime|poststart", text) == ["prestart", "runtime", "poststart"]
        assert f'"pid": {created.pid}' in text and box.id in text

    in_bed(tmp_path, body)


def test_a_hook_that_fails_fails_the_start(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        hooks = Hooks(create_runtime=(Hook(path="/bin/false"),))
        box = bed.box(config("true", hooks=hooks))
        with pytest.raises(HakobuError) as failure:
            await box.run()
        assert "hook" in failure.value.message

    in_bed(tmp_path, body)


def test_a_small_memory_limit_still_starts_and_kills_what_exceeds_it(tmp_path: Path) -> None:
    need(detect().has("memory"), "the memory controller")

    async def body(bed: Bed) -> None:
        limits = Resources(devices=DEFAULT_DEVICE_RULES, memory=Memory(limit=6 << 20, swap=6 << 20))
        box = bed.box(config("true", linux_resources=limits))
        assert (await box.run()).code == 0
        greedy = bed.box(config("sh", "-c", "tail /dev/zero; sleep 1", linux_resources=limits))
        await greedy.run()
        assert [e for e in bed.seen if e.kind == "oom" and e.container_id == greedy.id]
        alone = bed.box(config("tail", "/dev/zero", linux_resources=limits))
        ended = await alone.run()
        assert (ended.code, ended.oom_killed) == (137, True)

    in_bed(tmp_path, body)


def test_a_limit_of_processes(tmp_path: Path) -> None:
    need(detect().has("pids"), "the pids controller")

    async def body(bed: Bed) -> None:
        limits = Resources(devices=DEFAULT_DEVICE_RULES, pids_limit=3)
        box = bed.box(config("sh", "-c", "for n in 1 2 3 4 5; do sleep 1 & done", linux_resources=limits))
        await box.run()
        assert "can't fork" in box.text("stderr")

    in_bed(tmp_path, body)


def test_a_shim_that_is_killed_takes_its_container_with_it(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sleep", "1000"))
        created = await box.start()
        pidfd = os.pidfd_open(created.pid)
        os.kill(created.shim_pid, signal.SIGKILL)
        while not [e for e in bed.seen if e.kind == "gone"]:
            await asyncio.sleep(0.01)
        os.close(pidfd)
        await bed.shims.delete(box.id)

    in_bed(tmp_path, body)
