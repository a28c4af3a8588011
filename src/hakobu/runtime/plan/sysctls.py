"""Which sysctls a container may set: only those that a namespace of its own keeps from the host. Pure.

An engine that passes others on lets a container change the host (CVE-2022-0811 and its kin), so they are
refused here, whoever asks.
"""

from collections.abc import Mapping

from hakobu.errors import Invalid
from hakobu.spec.step import Json, Place, Step

_IPC = frozenset(
    "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni "
    "kernel.shm_rmid_forced".split()
)


def plan_sysctls(settings: Mapping[str, str], new_namespaces: frozenset[str]) -> tuple[Step, ...]:
    """`new_namespaces` are those the container does not share with the host."""
    for name in settings:
        check_sysctl(name, new_namespaces)
    return tuple(_step(name, value) for name, value in sorted(settings.items()))


def _step(name: str, value: str) -> Step:
    args: dict[str, Json] = {"name": name, "value": value}
    return Step("sysctl.write", Place.CHILD, args, ("openat2", "write"))


def check_sysctl(name: str, new_namespaces: frozenset[str]) -> None:
    if any(not part or part in (".", "..") for part in name.replace("/", ".").split(".")):
        raise Invalid(f"sysctl {name!r} is not a name", field="sysctls")
    needs = _namespace_of(name)
    if needs is None:
        raise Invalid(f"sysctl {name!r} is not allowed: it is not kept in a namespace of its own", field="sysctls")
    if needs not in new_namespaces:
        raise Invalid(
            f"sysctl {name!r} is not allowed: the container shares the host's {needs} namespace", field="sysctls"
        )


def _namespace_of(name: str) -> str | None:
    if name in _IPC or name.startswith("fs.mqueue."):
        return "ipc"
    if name.startswith("net."):
        return "network"
    if name in ("kernel.domainname", "kernel.hostname"):
        return "uts"
    return None
