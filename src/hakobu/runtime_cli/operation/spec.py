"""Writes a config.json to begin with into the bundle."""

import json
import os

from hakobu.runtime import defaults
from hakobu.runtime_cli.context import Context, Failed
from hakobu.runtime_cli.option import Option, Parsed
from hakobu.spec.resources import DeviceRule, Resources
from hakobu.spec.runtime_config import (
    CapabilitySets,
    ConfigMount,
    IdMap,
    Linux,
    Namespace,
    Process,
    Rlimit,
    Root,
    RuntimeConfig,
)

OPTIONS = (Option(("bundle", "b")), Option(("rootless",), "nothing"))
_CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")


def run(context: Context, given: Parsed) -> int:
    path = os.path.join(given.text("bundle") or ".", "config.json")
    content = json.dumps(example(rootless=given.flag("rootless")).to_json(), indent=4) + "\n"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        raise Failed("File config.json exists. Remove it first") from None
    with open(fd, "w", encoding="utf-8") as file:
        file.write(content)
    return 0


def example(*, rootless: bool) -> RuntimeConfig:
    """A shell with a terminal in every namespace of its own."""
    types = ["pid", "ipc", "uts", "mount", "cgroup", *(["user"] if rootless else ["network"])]
    own = IdMap(container_id=0, host_id=os.geteuid(), size=1), IdMap(container_id=0, host_id=os.getegid(), size=1)
    mounts = defaults.mounts(shm_bytes=1 << 26, private_ipc=True)
    if rootless:  # a new sysfs needs a network namespace of one's own
        sysfs = ConfigMount(
            destination="/sys", type="none", source="/sys", options=("rbind", "nosuid", "noexec", "nodev", "ro")
        )
        mounts = tuple(sysfs if m.destination == "/sys" else m for m in mounts if m.type != "cgroup")
    return RuntimeConfig(
        process=Process(
            args=("sh",),
            cwd="/",
            terminal=True,
            env=("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"),
            capabilities=CapabilitySets(bounding=_CAPABILITIES, effective=_CAPABILITIES, permitted=_CAPABILITIES),
            rlimits=(Rlimit(type="RLIMIT_NOFILE", soft=1024, hard=1024),),
            no_new_privileges=True,
        ),
        root=Root(path="rootfs", readonly=True),
        hostname="hakobu",
        mounts=mounts,
        linux=Linux(
            namespaces=tuple(Namespace(type=type) for type in types),
            uid_mappings=own[:1] if rootless else (),
            gid_mappings=own[1:] if rootless else (),
            resources=Resources(devices=() if rootless else (DeviceRule(allow=False),)),
            masked_paths=defaults.MASKED_PATHS,
            readonly_paths=defaults.READONLY_PATHS,
        ),
    )
