"""Prints what this runtime can do, the document of the specification's features.md."""

import json
from collections.abc import Iterable

from hakobu.kernel import capability
from hakobu.runtime.plan.attributes import MEMORY_FLAGS, MEMORY_MODES
from hakobu.runtime.plan.options import MOUNT_WORDS
from hakobu.runtime_cli.context import Context
from hakobu.runtime_cli.option import Parsed
from hakobu.spec import seccomp
from hakobu.spec.step import Json

OPTIONS = ()
_HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
_NAMESPACES = ("cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts")


def run(context: Context, given: Parsed) -> int:
    print(json.dumps(document(), indent=4))
    return 0


def _names(some: Iterable[str]) -> list[Json]:
    return list[Json](sorted(some))


def document() -> dict[str, Json]:
    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": "1.3.0",
        "hooks": _names(_HOOKS),
        "mountOptions": _names(MOUNT_WORDS),
        "linux": {
            "namespaces": _names(_NAMESPACES),
            "capabilities": _names(capability.names((1 << capability.last_cap() + 1) - 1)),
            "cgroup": {
                "v1": True,
                "v2": True,
                "systemd": False,
                "systemdUser": False,
                "rdma": True,
            },
            "seccomp": _seccomp(),
            "apparmor": {"enabled": True},
            "selinux": {"enabled": False},
            "intelRdt": {"enabled": False},
            "memoryPolicy": {"modes": _names(MEMORY_MODES), "flags": _names(MEMORY_FLAGS)},
            "mountExtensions": {"idmap": {"enabled": True}},
            "netDevices": {"enabled": True},
        },
        "potentiallyUnsafeConfigAnnotations": [],
        "annotations": {"org.opencontainers.runc.checkpoint.enabled": "false"},
    }


def _seccomp() -> dict[str, Json]:
    """A host without libseccomp has none to offer."""
    try:
        from hakobu.kernel import seccomp as compiler

        version = compiler.library_version()
    except OSError:
        return {"enabled": False}
    told: dict[str, Json] = {
        "enabled": bool(version),
        "actions": _names({*seccomp.ACTIONS, seccomp.NOTIFY}),
        "operators": _names(seccomp.OPERATORS),
        "archs": _names({arch for names in seccomp.ARCHITECTURES.values() for arch in names}),
        "knownFlags": _names(seccomp.FLAGS),
        "supportedFlags": _names(seccomp.FLAGS),
    }
    return told
