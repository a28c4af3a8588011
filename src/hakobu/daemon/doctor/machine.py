"""Checks that are the same for whoever's engine it is: kernel, libraries, programs, disk."""

import ctypes
import os
import shutil
from collections.abc import Callable

from hakobu.daemon.doctor.finding import Finding, found, lacks
from hakobu.engine.planning import init_binary
from hakobu.kernel import probe

_FREE_BYTES = 2 << 30
_UNIFY = "systemd.unified_cgroup_hierarchy=1 on the kernel's command line, and a reboot"


def kernel() -> Finding:
    release = os.uname().release
    minimum = ".".join(map(str, probe.MINIMUM_KERNEL))
    if probe.kernel_version(release) < probe.MINIMUM_KERNEL:
        return lacks("kernel", f"Linux {release}, and {minimum} is the oldest that is supported", "a newer kernel")
    return found("kernel", f"Linux {release} ({minimum} or newer is needed)")


def _library(subject: str, name: str, package: str) -> Finding:
    try:
        ctypes.CDLL(name)
    except OSError:
        return lacks(subject, f"{name} is not there", f"sudo apt install {package}")
    return found(subject, name)


def nftables() -> Finding:
    return _library("nftables", "libnftables.so.1", "libnftables1")


def seccomp() -> Finding:
    try:
        with open("/proc/sys/kernel/seccomp/actions_avail", encoding="ascii") as file:
            if "errno" not in file.read().split():
                raise FileNotFoundError
    except FileNotFoundError:
        return lacks("seccomp", "this kernel has no seccomp filters", "a kernel with CONFIG_SECCOMP_FILTER")
    return _library("seccomp", "libseccomp.so.2", "libseccomp2")


def init() -> Finding:
    if path := init_binary():
        return found("--init", path)
    return lacks("--init", "no init program is there", "sudo apt install tini", needed=False)


def bootstrap() -> Finding:
    if path := shutil.which("mmdebstrap"):
        return found("image bootstrap", path)
    return lacks("image bootstrap", "mmdebstrap is not there", "sudo apt install mmdebstrap", needed=False)


def disk(data_root: str) -> Finding:
    """Of the file system that holds the engine's data, or will."""
    path = data_root
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    free = shutil.disk_usage(path).free
    told = f"{free / (1 << 30):.1f} GiB free below {data_root}"
    if free < _FREE_BYTES:
        return lacks("disk space", told, "hakobu system prune, or another --data-root", needed=False)
    return found("disk space", told)


def cgroups_of_root() -> Finding:
    from hakobu.kernel.cgroup import detect

    try:
        layout = detect()
    except OSError:
        mend = "sudo mount -t cgroup2 none /sys/fs/cgroup"
        return lacks("cgroups", "no hierarchy is mounted", mend)
    names = sorted({*(n for n in layout.controllers if "=" not in n), *layout.unified_controllers})
    told = f"{layout.version}: {', '.join(names) or 'no controllers'}"
    wanted = [n for n in ("cpu", "memory", "pids") if not layout.has(n)]
    if wanted:
        return lacks("cgroups", f"{told}; {', '.join(wanted)} missing", _UNIFY, needed=False)
    return found("cgroups", told)


def overlay_of_root() -> Finding:
    if probe.has(probe.Feature.OVERLAY) or os.geteuid() != 0:
        return found("overlay", "overlayfs" if os.geteuid() == 0 else "asked as root only")
    return lacks("overlay", "this kernel has no overlayfs", "sudo modprobe overlay")


COMMON: tuple[Callable[[], Finding], ...] = (kernel, nftables, seccomp, init, bootstrap)
