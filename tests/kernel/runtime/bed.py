"""A container to test with: busybox in an overlay, the defaults of the engine, a real launcher and shim."""

import asyncio
import base64
import json
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.leaks import own_cgroup

from hakobu.kernel import capability, cgroup, seccomp
from hakobu.runtime import defaults
from hakobu.runtime.link import Shims
from hakobu.runtime.plan import RuntimeInputs, plan_container, plan_exec
from hakobu.spec.plan import Attachment, Created, ExecRequest, Exit, LogTarget, Plan, RuntimeEvent, Stdio
from hakobu.spec.resources import DEFAULT_DEVICE_RULES, Resources
from hakobu.spec.rootfs import Rootfs
from hakobu.spec.runtime_config import (
    CapabilitySets,
    Linux,
    Namespace,
    Process,
    Root,
    RuntimeConfig,
)
from hakobu.spec.seccomp import default_profile, resolve

BUSYBOX = "/bin/busybox"
PASSWD = (
    b"root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nweb:x:1000:1001::/home/web:/bin/sh\n"
)
GROUP = b"root:x:0:\ndaemon:x:1:web\nweb:x:1001:\nextra:x:2000:web,daemon\n"
CGROUP = own_cgroup(f"hakobu-runtime-{os.getpid()}")
NAMESPACES = ("pid", "network", "mount", "ipc", "uts", "time")


def make_base(where: Path) -> None:
    """A root file system of busybox alone."""
    for name in ("bin", "etc", "tmp", "root", "usr", "var", "home/web", "sbin"):
        (where / name).mkdir(parents=True, exist_ok=True)
    shutil.copy(BUSYBOX, where / "bin/busybox")
    names = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        if name != "busybox":
            os.symlink("busybox", where / "bin" / name)
    (where / "tmp").chmod(0o1777)
    (where / "etc/passwd").write_bytes(PASSWD)
    (where / "etc/group").write_bytes(GROUP)


def make_init_layer(where: Path) -> None:
    for entry in defaults.INIT_LAYER:
        path = where / entry.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        match entry.kind:
            case "directory":
                path.mkdir(exist_ok=True)
            case "file":
                path.touch(0o755)
            case "link":
                path.symlink_to(entry.target)


def config(*argv: str, **changes: Any) -> RuntimeConfig:
    """What the engine makes of `run IMAGE argv`; `changes` are named `process_*`, `linux_*` or as the whole."""
    caps = defaults.CAPABILITIES
    process: dict[str, Any] = {
        "args": argv,
        "env": ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",),
        "capabilities": CapabilitySets(bounding=caps, effective=caps, permitted=caps),
    }
    namespaces = tuple(Namespace(type=t) for t in changes.pop("namespaces", NAMESPACES))
    linux: dict[str, Any] = {
        "namespaces": namespaces,
        "masked_paths": (*defaults.MASKED_PATHS, *defaults.thermal_throttle_paths(2)),
        "readonly_paths": defaults.READONLY_PATHS,
        "resources": Resources(devices=DEFAULT_DEVICE_RULES),
    }
    whole: dict[str, Any] = {
        "hostname": "box" if "uts" in [n.type for n in namespaces] else "",
        "mounts": defaults.mounts(shm_bytes=1 << 26, private_ipc=True),
        "root": Root(path=""),
    }
    for key, value in changes.items():
        if key.startswith("process_"):
            process[key.removeprefix("process_")] = value
        elif key.startswith("linux_"):
            linux[key.removeprefix("linux_")] = value
        else:
            whole[key] = value
    return RuntimeConfig(process=Process(**process), linux=Linux(**linux), **whole)


def seccomp_program(caps: tuple[str, ...] = defaults.CAPABILITIES) -> str:
    wanted = resolve(default_profile(), frozenset(caps), os.uname().machine, os.uname().release)
    return base64.b64encode(seccomp.compile_filter(wanted)).decode()


@dataclass
class Box:
    """One container of the bed."""

    id: str
    config: RuntimeConfig
    plan: Plan
    log_path: Path
    bed: "Bed"
    created: Created | None = None
    exits: dict[str, "asyncio.Future[Exit]"] = field(default_factory=dict)

    def exit_of(self, exec_id: str = "") -> "asyncio.Future[Exit]":
        return self.exits.setdefault(exec_id, asyncio.get_running_loop().create_future())

    async def create(self, attachments: tuple[Attachment, ...] = (), **stdio: Any) -> Created:
        log = stdio.pop("log", LogTarget("json-file", str(self.log_path)))
        self.created = await self.bed.shims.create(self.plan, Stdio(log=log, **stdio), attachments)
        return self.created

    async def run(self, attachments: tuple[Attachment, ...] = (), **stdio: Any) -> Exit:
        await self.create(attachments, **stdio)
        await self.bed.shims.start(self.id)
        return await self.exit_of()

    async def start(self, attachments: tuple[Attachment, ...] = (), **stdio: Any) -> Created:
        created = await self.create(attachments, **stdio)
        await self.bed.shims.start(self.id)
        return created

    async def exec(self, *argv: str, exec_id: str = "", tty: bool = False, stdio: Mapping[str, Any] | None = None,
                   attachments: tuple[Attachment, ...] = (), **process: Any) -> str:  # fmt: skip
        exec_id = exec_id or secrets.token_hex(32)
        what = replace(self.config.process, args=argv, terminal=tty, **process)
        plan = plan_exec(self.id, self.config, what, self.bed.seccomp)
        request = ExecRequest(exec_id, plan, Stdio(tty=tty, **(stdio or {})))
        await self.bed.shims.exec(self.id, request, attachments)
        return exec_id

    async def output_of(self, *argv: str, **process: Any) -> tuple[int, bytes, bytes]:
        """(code, stdout, stderr) of an exec."""
        ours, theirs = socket.socketpair()
        attachment = Attachment(theirs.detach(), stdin=False, stdout=True, stderr=True)
        exec_id = await self.exec(*argv, attachments=(attachment,), **process)
        out, err = unframe(await read_all(ours))
        return (await self.exit_of(exec_id)).code, out, err

    def logged(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self.log_path.read_bytes().splitlines()]

    def text(self, stream: str = "stdout") -> str:
        return "".join(line["log"] for line in self.logged() if line["stream"] == stream)


def unframe(data: bytes) -> tuple[bytes, bytes]:
    """Docker's 8-byte frames apart into (stdout, stderr)."""
    streams: dict[int, bytes] = {1: b"", 2: b""}
    while data:
        size = int.from_bytes(data[4:8], "big")
        streams[data[0]] += data[8 : 8 + size]
        data = data[8 + size :]
    return streams[1], streams[2]


async def read_all(sock: socket.socket) -> bytes:
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    parts: list[bytes] = []
    with sock:
        while part := await loop.sock_recv(sock, 1 << 16):
            parts.append(part)
    return b"".join(parts)


class Bed:
    def __init__(self, where: Path, shims: Shims) -> None:
        self.where, self.shims = where, shims
        self.boxes: dict[str, Box] = {}
        self.seen: list[RuntimeEvent] = []
        self.seccomp = seccomp_program()

    def box(self, configuration: RuntimeConfig, container_id: str = "", **inputs: Any) -> Box:
        container_id = container_id or secrets.token_hex(32)
        snapshots = self.where / "snapshots"
        for name in ("fs", "work"):
            (snapshots / container_id[:12] / name).mkdir(parents=True)
        rootfs = Rootfs(
            str(snapshots),
            inputs.pop("lower", ("init", "base")),
            f"{container_id[:12]}/fs",
            f"{container_id[:12]}/work",
        )
        inputs.setdefault("seccomp_program", self.seccomp)
        inputs.setdefault("cgroup_version", 2 if cgroup.detect().version == "v2" else 1)
        inputs.setdefault("cgroups", ())
        limits = replace(configuration.linux, cgroups_path=f"/{CGROUP}/{container_id}")
        configuration = replace(configuration, linux=limits)
        plan = plan_container(
            configuration,
            RuntimeInputs(container_id=container_id, rootfs=inputs.pop("rootfs", rootfs), **inputs),
        )
        box = Box(container_id, configuration, plan, self.where / f"{container_id[:12]}.log", self)
        self.boxes[container_id] = box
        return box

    async def follow(self) -> None:
        async for event in self.shims.events():
            self.seen.append(event)
            if event.kind == "exit" and event.exec_id:
                await self.shims.acknowledge(event.container_id, event.exec_id)
            if event.kind == "exit" and event.exit is not None and event.container_id in self.boxes:
                future = self.boxes[event.container_id].exit_of(event.exec_id)
                if not future.done():
                    future.set_result(event.exit)


@asynccontextmanager
async def bed(where: Path, **options: Any) -> AsyncIterator[Bed]:
    snapshots = where / "snapshots"
    if not snapshots.exists():
        snapshots.mkdir(mode=0o700)
        (snapshots / "base").mkdir()
        make_base(snapshots / "base")
        (snapshots / "init").mkdir()
        make_init_layer(snapshots / "init")
    shims = Shims(options.pop("shims_dir", str(where / "shims")), **options)
    await shims.open()
    made = Bed(where, shims)
    following = asyncio.create_task(made.follow())
    try:
        yield made
    finally:
        for box in tuple(made.boxes.values()):
            await shims.delete(box.id)
        shims.close()
        await following
        cgroup.open_tree().cgroup(f"/{CGROUP}").delete()


def in_bed(where: Path, body: Callable[[Bed], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def main() -> None:
        async with bed(where, **options) as made:
            await asyncio.wait_for(body(made), 60)

    asyncio.run(main())


def held_capabilities() -> frozenset[str]:
    return frozenset(capability.names(capability.held()))
