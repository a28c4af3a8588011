"""Checks for an ordinary user's engine: namespaces, ids, a way out, cgroups, places."""

import os
import pwd
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress

from hakobu.daemon.doctor.finding import Finding, found, lacks
from hakobu.daemon.rootless import legacy
from hakobu.daemon.rootless.driver import NoDriver, find
from hakobu.daemon.rootless.namespaces import write_map
from hakobu.daemon.rootless.subid import ranges
from hakobu.kernel import mount, process, scm
from hakobu.kernel.cgroup import detect
from hakobu.spec.user_directory import data_directory, runtime_directory

_KNOBS = (
    ("kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
)
_ENOUGH_IDS = 65536
_DELEGATE = (
    "sudo mkdir -p /etc/systemd/system/user@.service.d && "
    "printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | "
    "sudo tee /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload, and a new login"
)


def user_namespaces() -> Finding:
    """The knobs that close them first, because they say what to do; then by making one."""
    for name, closed, mend in _KNOBS:
        with suppress(OSError), open(f"/proc/sys/{name}", encoding="ascii") as file:
            if file.read().strip() == closed:
                return lacks("user namespaces", f"{name.replace('/', '.')} is {closed}", mend)
    if _tried(lambda: process.unshare(process.CLONE_NEWUSER | process.CLONE_NEWNS | process.CLONE_NEWNET)):
        return found("user namespaces", "users may make them")
    return lacks("user namespaces", "the kernel, or a filter around this process, refuses them", "see docs/rootless.md")


def overlay() -> Finding:
    """In a user namespace, with attributes a user may set, where the engine's data lie or will."""
    place = data_directory(os.environ)
    while not os.path.isdir(place) or not os.access(place, os.W_OK):
        if place == "/":
            return lacks("overlay for users", "there is no place for the engine's data", "set HOME or XDG_DATA_HOME")
        place = os.path.dirname(place)
    with tempfile.TemporaryDirectory(prefix="hakobu-doctor-", dir=place) as folder:
        for name in ("lower", "upper", "work", "merged"):
            os.mkdir(f"{folder}/{name}")
        ids = {"uid": os.getuid(), "gid": os.getgid()}

        def attempt() -> None:
            process.unshare(process.CLONE_NEWUSER | process.CLONE_NEWNS)
            for kind, number in ids.items():
                write_map(os.getpid(), kind, ((0, number, 1),), subordinate=False)
            dirs = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
            mount.mount("overlay", f"{folder}/merged", "overlay", 0, f"{dirs},userxattr")

        works = _tried(attempt)
        with suppress(OSError):
            os.chmod(f"{folder}/work/work", 0o700)
    if works:
        return found("overlay for users", "overlayfs with userxattr")
    told = f"overlayfs takes no directory of {place}: each container gets a copy of its image"
    return lacks("overlay for users", told, "XDG_DATA_HOME on ext4, xfs or btrfs", needed=False)


def id_helpers() -> Finding:
    absent = [name for name in ("newuidmap", "newgidmap") if shutil.which(name) is None]
    if absent:
        told = f"{' and '.join(absent)} not there: a container has the one id of its user"
        return lacks("more than one id", told, "sudo apt install uidmap", needed=False)
    return found("more than one id", "newuidmap and newgidmap")


def subordinate_ids() -> Finding:
    uid = os.getuid()
    name = _name(uid)
    counts = {kind: sum(count for _, count in ranges(_lines(f"/etc/sub{kind}"), name, uid)) for kind in ("uid", "gid")}
    if all(count >= _ENOUGH_IDS for count in counts.values()):
        return found("subordinate ids", f"{counts['uid']} uids and {counts['gid']} gids for {name}")
    told = f"/etc/subuid and /etc/subgid give {name} {counts['uid']} and {counts['gid']}; images need {_ENOUGH_IDS}"
    mend = f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}"
    return lacks("subordinate ids", told, f"{mend} (ranges that nobody else has)", needed=False)


def network() -> Finding:
    try:
        driver = find()
    except NoDriver as error:
        return lacks("network for users", error.message, error.hint)
    return found("network for users", driver.path)


def tun() -> Finding:
    if os.geteuid() == 0:
        with suppress(OSError):
            if os.stat("/dev/net/tun").st_mode & 0o006 == 0o006:
                return found("/dev/net/tun", "open to users")
    elif os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return found("/dev/net/tun", "open to users")
    if not os.path.exists("/dev/net/tun"):
        return lacks("/dev/net/tun", "is not there", "sudo modprobe tun")
    return lacks("/dev/net/tun", "is closed to users", "sudo chmod 0666 /dev/net/tun")


def cgroups() -> Finding:
    """What systemd delegates to the user's manager, below which `hakobu` puts its engine."""
    subject = "limits for users"
    try:
        layout = detect()
    except OSError:
        return lacks(subject, "no cgroup hierarchy is mounted", "cgroup v2 at /sys/fs/cgroup", needed=False)
    if layout.version != "v2":
        told = f"cgroups are {layout.version}, which delegates nothing to users: limits and pause are refused"
        mend = "systemd.unified_cgroup_hierarchy=1 on the kernel's command line, and a reboot"
        return lacks(subject, told, mend, needed=False)
    uid = os.getuid()
    top = f"{layout.unified}/user.slice/user-{uid}.slice/user@{uid}.service"
    have = " ".join(_lines(f"{top}/cgroup.controllers")).split()
    wanted = [n for n in ("cpu", "memory", "pids") if n not in have]
    if wanted:
        return lacks(
            subject, f"systemd delegates {', '.join(have) or 'nothing'} to {_name(uid)}", _DELEGATE, needed=False
        )
    return found(subject, f"v2, delegated by systemd: {', '.join(have)}")


def places() -> Finding:
    uid = os.getuid()
    path = runtime_directory(os.environ, uid, os.path.isdir)
    if path.startswith(f"/run/user/{uid}/") or os.environ.get("XDG_RUNTIME_DIR"):
        return found("sockets", path)
    mend = f"sudo loginctl enable-linger {_name(uid)}"
    return lacks("sockets", f"there is no /run/user/{uid}: they lie below {path}", mend, needed=False)


def keeper() -> Finding:
    """Of the engine that runs: whether somebody still leads its namespaces out."""
    subject = "network of yours"
    exec_root = runtime_directory(os.environ, os.getuid(), os.path.isdir)
    known = legacy.read(f"{exec_root}/keeper")
    if known is None or legacy.inhabitant(known) is None:
        return found(subject, "no engine runs")
    folder_fd = os.open(f"{exec_root}/keeper", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        scm.connect_at(folder_fd, "s").close()
        return found(subject, "the engine's keeper is there")
    except OSError:
        told = "the engine's keeper was killed, and its network is gone: containers run, and reach nothing outside"
        mend = (
            f"kill $(cat {exec_root}/hakobu.pid): the next command starts the engine with a network, containers go on"
        )
        return lacks(subject, told, mend)
    finally:
        os.close(folder_fd)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _tried(attempt: Callable[[], None]) -> bool:
    """Whether it works, in a process that ends with it."""
    pid = os.fork()
    if pid == 0:
        try:
            if os.geteuid() == 0:
                os.setresgid(OVERFLOW, OVERFLOW, OVERFLOW)
                os.setresuid(OVERFLOW, OVERFLOW, OVERFLOW)
            attempt()
            os._exit(0)
        except OSError:
            os._exit(1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


OVERFLOW = 65534

ANY_USER: tuple[Callable[[], Finding], ...] = (user_namespaces, id_helpers, network, tun)
"""Of the machine: asked by root for its users as well."""

THIS_USER: tuple[Callable[[], Finding], ...] = (subordinate_ids, overlay, cgroups, places, keeper)
