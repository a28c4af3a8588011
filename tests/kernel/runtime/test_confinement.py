"""Docker's default confinement, line by line, as a process inside sees it: init, execs, privileged, read-only.

What each door changes is said in one place, `EXPECTED`; everything else must be the same for all of them.
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from tests.kernel.runtime.bed import Bed, config, held_capabilities, in_bed

from hakobu.kernel import capability
from hakobu.runtime import defaults
from hakobu.spec.resources import DeviceRule, Resources
from hakobu.spec.runtime_config import CapabilitySets, Root, User

LOOK = r"""
grep -E '^(Cap|Sig(Blk|Ign)|NoNewPrivs|Seccomp|Groups|Umask)' /proc/self/status
echo "adj: $(cat /proc/self/oom_score_adj)"
for f in /dev/*; do [ -c $f ] && [ ! -L $f ] && echo "node $f $(stat -c '%t:%T %a %u:%g' $f)"; done
for f in fd stdin stdout stderr ptmx; do echo "link $f $(readlink /dev/$f)"; done
echo "keys: $(cat /proc/keys | wc -c)"
for p in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/irq/default_smp_affinity; do
  (exec 9>$p) 2>/dev/null && echo "written $p"; done
for p in / /tmp /dev /dev/shm; do (echo x > $p/probe) 2>/dev/null && echo "writes $p"; done
(unshare -U true) 2>/dev/null && echo "unshared"
(mount -t tmpfs t /mnt || mount -t proc p /proc) 2>/dev/null && echo "mounted"
mknod /tmp/node b 7 0 2>/dev/null && (head -c1 /tmp/node) 2>/dev/null && echo "read a block device"
env | sort | sed 's/^/env /'
"""
HARMLESS = "\n".join(line for line in LOOK.splitlines() if line.startswith(("grep", "for f in /dev")))
"""Of it, what a privileged process may do without changing the host."""
SETS = frozenset({"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
NODES = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}
DEFAULT = 0xA80425FB
ROOT_WRITES = {"/", "/tmp", "/dev", "/dev/shm"}
EXPECTED: dict[str, dict[str, Any]] = {
    "init": {"caps": DEFAULT, "writes": ROOT_WRITES, "groups": "0"},
    "exec": {"caps": DEFAULT, "writes": ROOT_WRITES, "groups": "0"},
    "exec of another user": {"caps": 0, "writes": {"/tmp", "/dev/shm"}, "groups": "1 1001 2000"},
    "no new privileges": {"caps": DEFAULT, "writes": ROOT_WRITES, "groups": "0", "frozen": "1"},
    "read-only": {"caps": DEFAULT, "writes": {"/dev", "/dev/shm"}, "groups": "0"},
}


async def look(bed: Bed, door: str) -> str:
    changes: dict[str, Any] = {}
    if door == "read-only":
        changes["root"] = Root(path="", readonly=True)
    if door == "no new privileges":
        changes["process_no_new_privileges"] = True
    if not door.startswith("exec"):
        box = bed.box(config("sh", "-c", LOOK, **changes))
        await box.run()
        return box.text()
    box = bed.box(config("sleep", "1000"))
    await box.start()
    user = {"user": User(name="web")} if "another" in door else {}
    _, out, _ = await box.output_of("sh", "-c", LOOK, **user)
    return out.decode()


@pytest.mark.parametrize("door", EXPECTED)
def test_every_line_of_the_default_confinement(tmp_path: Path, door: str) -> None:
    expected = EXPECTED[door]

    async def body(bed: Bed) -> None:
        said = await look(bed, door)
        status = dict(re.findall(r"^(\w+):\s+(.*?)\s*$", said, re.MULTILINE))
        wanted = {"CapInh": 0, "CapAmb": 0, "CapBnd": DEFAULT, "CapPrm": expected["caps"], "CapEff": expected["caps"]}
        assert {k: int(status[k], 16) for k in SETS} == wanted
        assert (status["SigBlk"], status["SigIgn"]) == ("0" * 16, "0" * 16)
        assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", expected.get("frozen", "0"))
        assert (status["Groups"], status["Umask"], status["adj"], status["keys"]) == (
            expected["groups"],
            "0022",
            "0",
            "0",
        )
        nodes = dict(re.findall(r"^node /dev/(\w+) (\S+ \S+ \S+)$", said, re.MULTILINE))
        assert {n: nodes.pop(n) for n in NODES} == {n: f"{number} 666 0:0" for n, number in NODES.items()}
        assert set(nodes) <= {"ptmx", "console"}
        links = dict(re.findall(r"^link (\w+) (\S+)$", said, re.MULTILINE))
        fds = {name: f"/proc/self/fd/{n}" for n, name in enumerate(("stdin", "stdout", "stderr"))}
        assert links == {**fds, "fd": "/proc/self/fd", "ptmx": "pts/ptmx"}
        assert set(re.findall(r"^writes (\S+)$", said, re.MULTILINE)) == expected["writes"]
        for forbidden in ("written", "unshared", "mounted", "read a block device"):
            assert forbidden not in said, said
        names = set(re.findall(r"^env (\w+)=", said, re.MULTILINE)) - {"SHLVL", "PWD", "OLDPWD", "_"}
        assert names == {"PATH", "HOME"}

    in_bed(tmp_path, body)


def test_a_privileged_container_has_what_the_engine_holds_and_no_more(tmp_path: Path) -> None:
    held = tuple(sorted(held_capabilities()))

    async def body(bed: Bed) -> None:
        sets = CapabilitySets(bounding=held, effective=held, permitted=held)
        everything = Resources(devices=(DeviceRule(allow=True),))
        box = bed.box(
            config(
                "sh", "-c", HARMLESS, process_capabilities=sets, linux_resources=everything,
                linux_masked_paths=(), linux_readonly_paths=(),
                mounts=defaults.mounts(shm_bytes=1 << 26, private_ipc=True, sysfs_writable=True),
            ),
            seccomp_program="", host_devices=True,
        )  # fmt: skip
        await box.run()
        said = box.text()
        status = dict(re.findall(r"^(\w+):\s+(.*?)\s*$", said, re.MULTILINE))
        mask = capability.mask(held)
        assert {k: int(status[k], 16) for k in SETS} == {
            "CapInh": 0, "CapAmb": 0, "CapBnd": mask, "CapPrm": mask, "CapEff": mask,
        }  # fmt: skip
        assert (status["Seccomp"], status["NoNewPrivs"]) == ("0", "0")
        host = {n for n in os.listdir("/dev") if os.path.exists(f"/dev/{n}") and n in ("mem", "kmsg", "loop-control")}
        assert host <= {n for n, _ in re.findall(r"^node /dev/(\S+) (\S+)", said, re.MULTILINE)}

    in_bed(tmp_path, body)
