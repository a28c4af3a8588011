"""What config.json says, seen from inside: each field that the engine's own containers do not have."""

import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.kernel.runtime_cli.bundle import COMMAND, Bundle, bundle

from hakobu.kernel import rtnetlink
from hakobu.kernel.netlink import Netlink

HOOK = "#!/bin/sh\n(echo {kind}; cat; echo) >> {log}\n"
KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


@contextmanager
def receiving(path: Path) -> Iterator[list[tuple[bytes, list[int]]]]:
    """A socket that somebody sends descriptors to."""
    got: list[tuple[bytes, list[int]]] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                data, fds, _, _ = socket.recv_fds(sock, 65536, 8)
                got.append((data, fds))

        thread = threading.Thread(target=serve)
        thread.start()
        yield got
        thread.join()
        for _, fds in got:
            for fd in fds:
                os.close(fd)


def inside(box: Bundle, *argv: str, **how: Any) -> str:
    said = box.run(*argv, **how)
    assert said.code == 0, said.err
    return said.out


def test_hooks_of_all_kinds_in_order_with_the_state(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        log = tmp_path / "log"
        log.touch()
        box.config["mounts"].append({"destination": "/log", "type": "bind", "source": str(log), "options": ["bind"]})
        hooks: dict[str, list[dict[str, str]]] = {}
        for kind in KINDS:
            place = box.rootfs if kind == "startContainer" else tmp_path
            path = place / f"hook-{kind}"
            path.write_text(HOOK.format(kind=kind, log="/log" if kind == "startContainer" else log))
            path.chmod(0o755)
            hooks[kind] = [{"path": f"/hook-{kind}" if kind == "startContainer" else str(path)}]
        box.config["hooks"] = hooks
        box.config["annotations"] = {"org.example": "yes"}
        assert box.create("sh", "-c", "echo program >> /log; sleep 1000").code == 0
        told = log.read_text()
        assert re.findall(r"^[a-zA-Z]+$", told, re.M) == list(KINDS[:3])
        assert box("start", "box").code == 0
        pid = box.state()["pid"]
        box.kill_and_reap()
        assert box("delete", "box").code == 0
        lines = [line for line in log.read_text().splitlines() if line]
        states = {a: json.loads(b) for a, b in pairwise(lines) if a in KINDS}
        assert list(states) == list(KINDS)
        assert {s["id"] for s in states.values()} == {"box"} and {s["bundle"] for s in states.values()} == {
            str(tmp_path)
        }
        assert [s["status"] for s in states.values()] == [
            "created", "creating", "creating", "created", "running", "stopped",
        ]  # fmt: skip
        assert states["createRuntime"]["pid"] == states["poststart"]["pid"] == pid
        assert states["prestart"]["annotations"] == {"org.example": "yes"}
        assert lines.index("startContainer") < lines.index("program")


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_hook_that_fails_ends_the_create(tmp_path: Path, kind: str) -> None:
    with bundle(tmp_path) as box:
        after = tmp_path / "after"
        box.config["hooks"] = {
            kind: [{"path": "/bin/false"}],
            "poststop": [{"path": "/bin/touch", "args": ["touch", str(after)]}],
        }
        said = box.create("true")
        assert said.code == 1 and "hook" in said.err
        assert after.exists() and box("list", "-q").out == ""


def test_a_hook_has_its_timeout(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        box.config["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]}
        said = box.create("true")
        assert said.code == 1 and "took longer than 1 s" in said.err


def test_a_namespace_by_its_path(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        pid = box.start("sleep", "1000")
        spaces = {"network": "net", "ipc": "ipc", "uts": "uts", "pid": "pid"}
        del box.config["hostname"]
        box.config["linux"]["namespaces"] = [
            {"type": "mount"},
            *({"type": t, "path": f"/proc/{pid}/ns/{n}"} for t, n in spaces.items()),
        ]
        box.config["linux"]["cgroupsPath"] += "-2"
        said = inside(
            box, "sh", "-c", "for n in net ipc uts; do readlink /proc/self/ns/$n; done; hostname; ps", name="b2"
        )
        assert said.splitlines()[:4] == [*(os.readlink(f"/proc/{pid}/ns/{n}") for n in ("net", "ipc", "uts")), "box"]
        assert "sleep 1000" in said


def test_a_user_namespace_of_its_own_and_one_by_path(tmp_path: Path) -> None:
    tmp_path.parent.chmod(0o755)
    tmp_path.parent.parent.chmod(0o755)
    tmp_path.chmod(0o755)
    with bundle(tmp_path) as box:
        maps = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        box.config["linux"]["namespaces"].append({"type": "user"})
        box.config["linux"].update(uidMappings=maps, gidMappings=maps)
        for name in ("proc", "dev", "sys"):  # nobody in there may make them
            (box.rootfs / name).mkdir()
        pid = box.start("sleep", "1000")
        assert os.stat(f"/proc/{pid}").st_uid == 100000
        assert box("exec", "box", "sh", "-c", "id -u; cat /proc/self/uid_map").out.split() == [
            "0",
            "0",
            "100000",
            "65536",
        ]
        box.config["linux"]["namespaces"] = [
            {"type": "user", "path": f"/proc/{pid}/ns/user"}, *({"type": t} for t in ("mount", "pid", "uts")),
            *({"type": t} for t in ("ipc", "network")),
        ]  # fmt: skip
        del box.config["linux"]["uidMappings"], box.config["linux"]["gidMappings"]
        box.config["linux"]["cgroupsPath"] += "-2"
        said = inside(box, "sh", "-c", "id -u; readlink /proc/self/ns/user; hostname", name="b2")
        assert said.split() == ["0", os.readlink(f"/proc/{pid}/ns/user"), "box"]


def test_an_idmapped_mount(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        shared = tmp_path / "shared"
        shared.mkdir()
        (shared / "file").touch()
        maps = [{"containerID": 0, "hostID": 5000, "size": 100}]
        box.config["mounts"].append(
            {"destination": "/shared", "type": "bind", "source": str(shared), "options": ["bind", "idmap"],
             "uidMappings": maps, "gidMappings": maps}
        )  # fmt: skip
        assert inside(box, "stat", "-c", "%u:%g", "/shared/file").strip() == "5000:5000"
        assert os.stat(shared / "file").st_uid == 0


def test_mount_options(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        (box.rootfs / "full").mkdir()
        (box.rootfs / "full/file").write_text("was there")
        (box.rootfs / "full/link").symlink_to("/etc/passwd")
        (tmp_path / "bound/below").mkdir(parents=True)
        box.config["mounts"] += [
            {
                "destination": "/full",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["tmpcopyup", "size=1m", "mode=700"],
            },
            {
                "destination": "/bound",
                "type": "bind",
                "source": "bound",
                "options": ["rbind", "rro", "rnosuid", "rnoatime"],
            },
            {"destination": "lazy", "type": "tmpfs", "options": ["noexec", "nodiratime", "nosymfollow"]},
        ]
        said = inside(
            box, "sh", "-c", "cat /full/file; readlink /full/link; grep -E ' /(bound|lazy|full) ' /proc/mounts"
        )
        assert said.startswith("was there/etc/passwd\n")
        assert re.search(r" /bound .* ro,nosuid,noatime", said), said
        assert re.search(r" /lazy .* rw,noexec,relatime,nosymfollow|nodiratime", said), said


def test_descriptors_that_are_kept_and_no_others(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        content = tmp_path / "content"
        content.write_text("handed in")
        box.set("sh", "-c", "cat <&3; ls -l /proc/self/fd")
        said = box(
            "run", "--preserve-fds", "1", "--bundle", str(tmp_path), "box", through=f"exec 3<{content} 4<{content}"
        )
        assert said.code == 0 and said.out.startswith("handed in"), said.err
        assert re.findall(r" (\d+) -> .*content", said.out) == ["3"]
        said = box("run", "--preserve-fds", "9", "--bundle", str(tmp_path), "box")
        assert said.code == 1 and "is not open" in said.err


def test_a_terminal_goes_to_the_console_socket_and_the_caller_s_output_ends(tmp_path: Path) -> None:
    with bundle(tmp_path) as box, receiving(tmp_path / "console") as got:
        box.config["process"]["terminal"] = True
        box.config["process"]["consoleSize"] = {"height": 33, "width": 77}
        box.set("sh", "-c", "tty; stty size; ls -l /dev/console; read line")
        box.made.append("box")
        read_fd, write_fd = os.pipe()
        called = subprocess.Popen(
            [*COMMAND, "--root", str(box.root), "create", "--console-socket", str(tmp_path / "console"),
             "--bundle", str(tmp_path), "box"], stdout=write_fd, stderr=write_fd, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(write_fd)
        with open(read_fd, "rb") as output:
            assert output.read() == b""  # to its end, though the container is there and waits
        assert called.wait() == 0
        while not got:
            pass
        master = got[0][1][0]
        assert box("start", "box").code == 0
        said = b""
        while b"console" not in said:
            said += os.read(master, 4096)
        assert b"/dev/pts/0" in said and b"33 77" in said
        os.write(master, b"\n")
        os.waitpid(box.state()["pid"] or -1, 0)


def test_scheduling_and_domains(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        box.config["process"]["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5}
        box.config["process"]["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}
        box.config["linux"]["personality"] = {"domain": "LINUX32"}
        box.config["linux"]["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}
        pid = box.start("sleep", "1000")
        assert os.sched_getscheduler(pid) == os.SCHED_BATCH and os.getpriority(os.PRIO_PROCESS, pid) == 5
        assert (
            "best-effort: prio 6" in subprocess.run(["ionice", "-p", str(pid)], capture_output=True, text=True).stdout
        )
        assert int(Path(f"/proc/{pid}/personality").read_text(), 16) & 0xFF == 8
        assert "bind=static:0" in Path(f"/proc/{pid}/numa_maps").read_text()
        process = {
            **box.config["process"],
            "args": ["sleep", "1001"],
            "execCPUAffinity": {"initial": "0", "final": "1"},
        }
        (tmp_path / "p.json").write_text(json.dumps(process))
        said = box(
            "exec", "--detach", "--pid-file", str(tmp_path / "pid"), "--process", str(tmp_path / "p.json"), "box"
        )
        assert said.code == 0, said.err
        assert os.sched_getaffinity(int((tmp_path / "pid").read_text())) == {1}


def test_an_interface_of_the_host_becomes_the_container_s(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        with Netlink() as nl:
            rtnetlink.create_veth(nl, "hkrtt0", "hkrtt1")
            rtnetlink.add_address(nl, "hkrtt1", "192.0.2.9", 24)
            rtnetlink.set_up(nl, "hkrtt1")
        box.config["linux"]["netDevices"] = {"hkrtt1": {"name": "eth7"}}
        said = inside(box, "sh", "-c", "ip addr show eth7")
        assert "192.0.2.9/24" in said and "UP" in said
        with Netlink() as nl:  # the kernel takes it away with the container's namespace, some time
            if rtnetlink.find_link(nl, "hkrtt0") is not None:
                with suppress(OSError):
                    rtnetlink.delete_link(nl, "hkrtt0")


def test_a_filter_that_knows_little(tmp_path: Path) -> None:
    """Between it and the execve the runtime needs nothing that a program does not."""
    names = (
        "read write close execve exit exit_group brk mmap munmap mprotect arch_prctl set_tid_address "
        "set_robust_list rseq prlimit64 getrandom newfstatat fstat rt_sigaction "
        "rt_sigprocmask rt_sigreturn ioctl getuid geteuid access "
        "readlink readlinkat open openat capset capget prctl uname getpid getppid setsid fcntl poll"
    ).split()
    with bundle(tmp_path) as box:
        box.config["linux"]["seccomp"] = {
            "defaultAction": "SCMP_ACT_KILL_PROCESS",
            "architectures": ["SCMP_ARCH_X86_64"],
            "flags": ["SECCOMP_FILTER_FLAG_LOG"],
            "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}],
        }
        for unchanging in (False, True):
            box.config["process"]["noNewPrivileges"] = unchanging
            said = box.run("echo", "ran")
            assert (said.code, said.out) == (0, "ran\n"), said.err
            assert box.create("echo", "ran").code == 0
            assert box("start", "box").code == 0
            assert box("delete", "--force", "box").code == 0


def test_a_filter_with_a_listener(tmp_path: Path) -> None:
    with bundle(tmp_path) as box, receiving(tmp_path / "agent") as got:
        box.config["linux"]["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "listenerPath": str(tmp_path / "agent"),
            "listenerMetadata": "of this test",
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}],
        }
        assert box.create("sleep", "1000").code == 0
        while not got:
            pass
        told = json.loads(got[0][0])
        assert told["fds"] == ["seccompFd"] and told["metadata"] == "of this test" and told["state"]["id"] == "box"
        assert told["pid"] == box.state()["pid"]
        assert os.readlink(f"/proc/self/fd/{got[0][1][0]}") == "anon_inode:seccomp notify"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ociVersion": "2.0.0"}, "unsupported OCI version"),
        ({"linux": {"intelRdt": {"closID": "a"}}}, "intelRdt"),
        ({"linux": {"mountLabel": "system_u:object_r:x"}}, "mountLabel"),
        ({"linux": {"rootfsPropagation": "sideways"}}, "rootfsPropagation"),
        ({"linux": {"sysctl": {"kernel.core_pattern": "|/x"}}}, "core_pattern"),
        ({"linux": {"seccomp": {"syscalls": []}}}, "defaultAction"),
        ({"linux": {"personality": {"domain": "BSD"}}}, "personality"),
        ({"linux": {"memoryPolicy": {"mode": "MPOL_WISH"}}}, "memoryPolicy"),
        ({"linux": {"cgroupsPath": "/../../etc"}}, "cgroupsPath"),
        ({"linux": {"uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}}, "user namespace"),
        ({"process": {"apparmorProfile": "strict"}}, "AppArmor"),
        ({"process": {"selinuxLabel": "u:r:t"}}, "SELinux"),
        ({"process": {"cwd": "relative"}}, "cwd"),
        ({"process": {"rlimits": [{"type": "RLIMIT_WISH", "soft": 1, "hard": 1}]}}, "RLIMIT_WISH"),
        ({"process": {"scheduler": {"policy": "SCHED_WISH"}}}, "scheduler"),
        ({"root": {"path": "nowhere"}}, "root file system"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_by_its_name(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with bundle(tmp_path) as box:
        for key, value in change.items():
            box.config[key] = {**box.config[key], **value} if isinstance(value, dict) else value
        said = box.create()
        assert said.code == 1 and words in said.err, said.err
        assert box("list", "-q").out == ""


def test_zeros_of_an_update_change_nothing(tmp_path: Path) -> None:
    with bundle(tmp_path) as box:
        box.config["linux"]["resources"] = {"cpu": {"quota": 0, "period": 0, "shares": 512}, "memory": {"limit": 0}}
        box.start("sleep", "1000")
        document = {"cpu": {"quota": 0, "period": 0, "shares": 0}, "memory": {"limit": 67108864, "swap": 0}}
        assert box("update", "--resources", "-", "box", stdin=json.dumps(document)).code == 0
        assert json.loads(box("events", "--stats", "box").out)["data"]["memory"]["usage"]["limit"] == 64 << 20
