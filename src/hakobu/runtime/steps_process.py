"""Executors of the steps that make a process a container's: namespaces, ids, capabilities, filter, execve.

After `root.pivot` (or `namespaces.enter`) only system calls are made here, on values that were planned. What is
set is read back; anything that does not hold ends the start.
"""

import binascii
import errno
import fcntl
import os
import signal
import socket
import stat
from ctypes import c_char_p, c_size_t

from hakobu.kernel import audit, capability, keyring, process, rlimit, seccomp_filter, userns
from hakobu.kernel.cgroup import file as cgroup_file
from hakobu.kernel.libc import check, function
from hakobu.kernel.openat2 import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, openat2
from hakobu.kernel.procfs import sysctl_path, verify_procfs
from hakobu.kernel.pty import make_controlling
from hakobu.runtime import passwd
from hakobu.runtime.arguments import number, text, texts
from hakobu.runtime.child import Args, Child
from hakobu.runtime.failure import ProgramNotFound

NAMESPACES = {
    "mount": process.CLONE_NEWNS,
    "network": process.CLONE_NEWNET,
    "ipc": process.CLONE_NEWIPC,
    "uts": process.CLONE_NEWUTS,
    "user": process.CLONE_NEWUSER,
    "cgroup": process.CLONE_NEWCGROUP,
    "time": process.CLONE_NEWTIME,
    "pid": process.CLONE_NEWPID,
}
CHANGED_SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD)
_IGNORED_BY_CHOWN = frozenset({errno.EPERM, errno.EINVAL, errno.EROFS})
_setdomainname = function("setdomainname", c_char_p, c_size_t)


def harden(child: Child, args: Args) -> None:
    """First of all: nobody inside may look into this process, and it holds nothing it does not need."""
    process.set_dumpable(False)
    os.umask(0)
    own = (child.sock.fileno(), child.root_fd, child.init_pidfd, child.gate_fd, child.failure_fd)
    keep = {*own, *child.stdio, *child.join_fds, *child.preserved, *child.idmaps.values()}
    process.close_all_except({fd for fd in keep if fd > 2})


def user_resolve(child: Child, args: Args) -> None:
    """By the image's files, from outside; numbers given by the configuration stand as they are."""
    extra = tuple(texts(args, "group_names"))
    if name := text(args, "user"):
        found = passwd.resolve(child.root_fd, name, extra)
    else:
        uid, gid = number(args, "uid"), number(args, "gid")
        found = passwd.resolve(child.root_fd, f"{uid}:{gid}", extra)
    listed = args.get("groups")
    more = tuple(g for g in listed if isinstance(g, int)) if isinstance(listed, list) else ()
    groups = tuple(dict.fromkeys((*found.groups, *more)))
    child.identity = passwd.Identity(found.uid, found.gid, groups, found.home)


def namespaces_enter(child: Child, args: Args) -> None:
    """All at once by the pidfd of the container's init; pid and time namespaces came with the clone."""
    mask = sum(NAMESPACES[t] for t in texts(args, "types") if t not in ("pid", "time"))
    audit.seal()
    process.setns(child.init_pidfd, mask)
    if not mask & process.CLONE_NEWNS:  # a container in the host's mount namespace has its root by chroot
        os.fchdir(child.root_fd)
        os.chroot(".")
    os.chdir("/")
    # what was looked at from outside is of no more use, and nothing of it is left for a working directory to name
    os.close(child.root_fd)
    os.close(child.init_pidfd)
    child.root_fd = child.init_pidfd = -1


def namespaces_cgroup(child: Child, args: Args) -> None:
    process.unshare(process.CLONE_NEWCGROUP)


def uts_hostname(child: Child, args: Args) -> None:
    socket.sethostname(text(args, "name"))


def uts_domainname(child: Child, args: Args) -> None:
    name = os.fsencode(text(args, "name"))
    check(_setdomainname(name, len(name)), "setdomainname", name)


def sysctl_write(child: Child, args: Args) -> None:
    """Through the container's own proc, no link followed, verified by reading it back where it can be read."""
    path = "proc/" + sysctl_path(text(args, "name"))
    rules = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS
    fd = openat2(child.root_fd, path, os.O_WRONLY, resolve=rules)
    try:
        verify_procfs(fd)  # a volume of the image's may lie over /proc (CVE-2019-16884)
        os.write(fd, text(args, "value").encode())
    finally:
        os.close(fd)


def personality_set(child: Child, args: Args) -> None:
    process.personality(number(args, "domain"))


def memory_policy_set(child: Child, args: Args) -> None:
    nodes = args.get("nodes")
    listed = frozenset(n for n in nodes if isinstance(n, int)) if isinstance(nodes, list) else frozenset[int]()
    process.set_mempolicy(number(args, "mode"), listed)


def scheduler_set(child: Child, args: Args) -> None:
    process.sched_setattr(
        number(args, "policy"),
        flags=number(args, "flags"),
        nice=number(args, "nice"),
        priority=number(args, "priority"),
        runtime_ns=number(args, "runtime_ns"),
        deadline_ns=number(args, "deadline_ns"),
        period_ns=number(args, "period_ns"),
    )


def io_priority_set(child: Child, args: Args) -> None:
    process.ioprio_set(number(args, "class"), number(args, "priority"))


def affinity_set(child: Child, args: Args) -> None:
    cpus = args.get("cpus")
    os.sched_setaffinity(0, [c for c in cpus if isinstance(c, int)] if isinstance(cpus, list) else [])


def label_exec(child: Child, args: Args) -> None:
    """By the host's /proc, proved to be one: a label that lands in a file of the image's is none (CVE-2019-16884)."""
    apparmor = text(args, "module") == "apparmor"
    directory = "/proc/self/attr/"
    path = directory + ("apparmor/exec" if apparmor and os.path.isdir(directory + "apparmor") else "exec")
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        verify_procfs(fd)
        label = text(args, "label")
        os.write(fd, (f"exec {label}" if apparmor else label).encode())
    finally:
        os.close(fd)


def cgroup_join(child: Child, args: Args) -> None:
    cgroup_file.join(list(child.join_fds))


def rlimit_set(child: Child, args: Args) -> None:
    name, soft, hard = text(args, "type"), number(args, "soft"), number(args, "hard")
    try:
        rlimit.set_rlimit(name, soft, hard)
    except PermissionError as error:
        reason = f"{name} {soft}:{hard} is above what this engine may give ({rlimit.get_rlimit(name)[1]})"
        raise OSError(errno.EPERM, reason) from error


def oom_adjust(child: Child, args: Args) -> None:
    """A value below the current one needs CAP_SYS_RESOURCE, which the host's engine may itself lack."""
    fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        verify_procfs(fd)
        os.write(fd, str(number(args, "value")).encode())
    except PermissionError as error:
        reason = f"oom_score_adj {number(args, 'value')} is below this engine's own, which its rights do not allow"
        raise OSError(errno.EPERM, reason) from error
    finally:
        os.close(fd)


def stdio_take(child: Child, args: Args) -> None:
    """A session of its own; the terminal becomes its controlling one."""
    os.setsid()
    fds = child.stdio
    if child.slave_fd >= 0:
        fds = (child.slave_fd, child.slave_fd, child.slave_fd)
        make_controlling(child.slave_fd)
    # none of the three is below 3: the child's own 0, 1, 2 are the null device until here
    for target, fd in enumerate(fds):
        os.dup2(fd, target, inheritable=True)
    # with a terminal nobody else needs them, and whoever reads a maker's output waits for its last writer
    for fd in child.stdio:
        os.close(fd)


def keyring_join(child: Child, args: Args) -> None:
    """A kernel without keyrings (or one that refuses) has none to keep apart."""
    try:
        serial = keyring.join_session_keyring(text(args, "name"))
        keyring.set_permissions(serial, keyring.permissions(serial) | 0x00080000)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EDQUOT):
            raise


def capabilities_bound(child: Child, args: Args) -> None:
    capability.drop_bounding(number(args, "keep"))


def identity_set(child: Child, args: Args) -> None:
    """Groups first, then gid, then uid; the permitted set is kept over the change for the last steps."""
    identity = child.identity
    if identity is None:
        raise OSError(errno.EINVAL, "nobody was resolved")
    for fd in range(3):
        _give(fd, identity.uid)
    process.set_keepcaps(True)
    _check_ids(child, identity)
    if userns.may_set_groups():
        os.setgroups(identity.groups)
    os.setresgid(identity.gid, identity.gid, identity.gid)
    os.setresuid(identity.uid, identity.uid, identity.uid)
    process.set_keepcaps(False)
    if identity.uid:
        # the effective set was cleared with the change: what follows (filter, capset) still needs it
        permitted = capability.capget()[1]
        capability.capset(permitted, permitted, 0)
    process.set_dumpable(False)
    # who outlives its maker ends, until it is prepared, with the stream to it
    process.set_parent_death_signal(0 if args.get("outlives") else signal.SIGKILL)
    umask = args.get("umask")
    os.umask(umask if isinstance(umask, int) else 0o022)


def _check_ids(child: Child, identity: passwd.Identity) -> None:
    """In a user's engine an id may have no counterpart, which the kernel only calls an invalid argument."""
    for kind, wanted in (("uid", identity.uid), ("gid", identity.gid)):
        if not child.userns and not userns.has_id(kind, wanted):
            reason = f"{kind} {wanted} is outside of this engine's ids: /etc/sub{kind} must give its user more"
            raise OSError(errno.EINVAL, reason)


def _give(fd: int, uid: int) -> None:
    """So that the process may open /dev/stdout anew; the null device stays what it is."""
    info = os.fstat(fd)
    if stat.S_ISCHR(info.st_mode) and info.st_rdev == os.makedev(1, 3):
        return
    try:
        os.fchown(fd, uid, -1)
    except OSError as error:
        if error.errno not in _IGNORED_BY_CHOWN:
            raise


def cwd_enter(child: Child, args: Args) -> None:
    """A directory outside of the root shows as `(unreachable)`: the kernel's own word against CVE-2024-21626."""
    path = text(args, "path")
    try:
        os.chdir(path)
    except OSError as error:
        reason = f'chdir to cwd ("{path}") set in config.json failed: {(error.strerror or "").lower()}'
        raise OSError(error.errno, reason) from None
    if not os.getcwd().startswith("/"):
        raise OSError(errno.EXDEV, "the working directory lies outside of the container", path)


def program_find(child: Child, args: Args) -> None:
    """By $PATH, as the user it will run as, so that what cannot run is told before anything has started."""
    name = text(args, "name")
    if "/" in name:
        _check_program(name, name)
        child.program = name
        return
    denied = False
    for directory in text(args, "path").split(":"):
        candidate = f"{directory or '.'}/{name}"
        try:
            _check_program(candidate, name)
        except ProgramNotFound as failure:
            denied |= failure.exit_code == 126
            continue
        child.program = candidate
        return
    if denied:
        raise ProgramNotFound(f'exec: "{name}": permission denied', 126)
    raise ProgramNotFound(f'exec: "{name}": executable file not found in $PATH', 127)


def _check_program(path: str, name: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except PermissionError:
        raise ProgramNotFound(f'exec: "{name}": permission denied', 126) from None
    except OSError as error:
        raise ProgramNotFound(f'exec: "{name}": stat {path}: {(error.strerror or "").lower()}', 127) from None
    if stat.S_ISDIR(mode):
        raise ProgramNotFound(f'exec: "{name}": is a directory: permission denied', 126)
    if not stat.S_ISREG(mode) or not os.access(path, os.X_OK, effective_ids=True):
        raise ProgramNotFound(f'exec: "{name}": permission denied', 126)


def signals_reset(child: Child, args: Args) -> None:
    """What launcher and interpreter changed goes back to its default; all else is at it since the launcher began."""
    for changed in CHANGED_SIGNALS:
        signal.signal(changed, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def privileges_freeze(child: Child, args: Args) -> None:
    process.set_no_new_privs()


def seccomp_install(child: Child, args: Args) -> None:
    listener = bool(args.get("listener"))
    fd = seccomp_filter.install(binascii.a2b_base64(text(args, "program")), number(args, "flags"), listener=listener)
    if listener:
        child.listener_fd = fd


def capabilities_set(child: Child, args: Args) -> None:
    """As execve will see them: an unprivileged user's program starts without any, the bounding set stays."""
    permitted, effective = number(args, "permitted"), number(args, "effective")
    inheritable, ambient = number(args, "inheritable"), number(args, "ambient")
    if child.identity is not None and child.identity.uid and not ambient:
        permitted = effective = 0
    capability.capset(effective, permitted, inheritable)
    if ambient:
        capability.raise_ambient(ambient)
    got = capability.capget()
    if got != (effective, permitted, inheritable):
        raise OSError(errno.EPERM, f"capset: {got} where {(effective, permitted, inheritable)} was asked for")


def files_close(child: Child, args: Args) -> None:
    """Everything above stdio closes with the execve, but for what the caller wants kept."""
    kept = number(args, "preserve")
    if kept:
        _settle(child, kept)
    process.close_range(3 + kept, flags=process.CLOSE_RANGE_CLOEXEC)


def _settle(child: Child, kept: int) -> None:
    """What is kept comes to stand from 3 on; what stands there and is still needed moves out of the way first."""
    free = 3 + kept

    def moved(fd: int) -> int:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, free) if fd >= 0 else fd

    sock_fd = moved(child.sock.fileno())
    child.gate_fd, child.failure_fd, child.listener_fd = map(
        moved, (child.gate_fd, child.failure_fd, child.listener_fd)
    )
    preserved = [moved(fd) for fd in child.preserved]
    child.sock.detach()
    child.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=sock_fd)
    for target, fd in enumerate(preserved, 3):
        os.dup2(fd, target, inheritable=True)


def program_execute(child: Child, args: Args) -> None:
    argv = [os.fsencode(a) for a in texts(args, "args")]
    if not argv:
        raise ProgramNotFound("there is nothing to start: process is not set in config.json", 127)
    env: dict[bytes, bytes] = {}
    for setting in texts(args, "env"):
        name, _, value = setting.partition("=")
        env[os.fsencode(name)] = os.fsencode(value)
    if b"HOME" not in env and child.identity is not None:
        env[b"HOME"] = os.fsencode(child.identity.home)
    try:
        os.execve(os.fsencode(child.program), argv, env)
    except OSError as error:
        code = 127 if error.errno == errno.ENOENT else 126
        raise ProgramNotFound(f"exec {child.program}: {(error.strerror or '').lower()}", code) from None


EXECUTORS = {
    "process.harden": harden,
    "user.resolve": user_resolve,
    "namespaces.enter": namespaces_enter,
    "namespaces.cgroup": namespaces_cgroup,
    "uts.hostname": uts_hostname,
    "uts.domainname": uts_domainname,
    "sysctl.write": sysctl_write,
    "cgroup.join": cgroup_join,
    "rlimit.set": rlimit_set,
    "personality.set": personality_set,
    "memory.policy": memory_policy_set,
    "scheduler.set": scheduler_set,
    "io.priority": io_priority_set,
    "affinity.set": affinity_set,
    "label.exec": label_exec,
    "oom.adjust": oom_adjust,
    "stdio.take": stdio_take,
    "keyring.join": keyring_join,
    "capabilities.bound": capabilities_bound,
    "identity.set": identity_set,
    "cwd.enter": cwd_enter,
    "program.find": program_find,
    "signals.reset": signals_reset,
    "privileges.freeze": privileges_freeze,
    "seccomp.install": seccomp_install,
    "capabilities.set": capabilities_set,
    "files.close": files_close,
    "program.execute": program_execute,
}
