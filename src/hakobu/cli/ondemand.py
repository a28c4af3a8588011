"""Starts the caller's own engine: one daemon, whoever asks first, out of the caller's terminal and session.

The daemon gets a session of its own, `/` as working directory, standard streams that lead to its log, and
an environment of few names: what a user's shell holds must not decide what an engine does. It is asked to
leave again when it has been idle (`--on-demand`). A lock file makes two first commands start one daemon.
"""

from __future__ import annotations

import os
import select
import sys
import time

from hakobu.cli.failure import Failure
from hakobu.client.socket_door import connect_unix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.endpoint import Endpoint

# What an engine may know of its caller's environment: where its files lie, its proxies, its language, and
# who called sudo (daemon/admission.py: the files of an editable installation belong to them).
KEPT = [
    "SUDO_UID",
    "HOME",
    "LANG",
    "LC_ALL",
    "PATH",
    "USER",
    "LOGNAME",
    "XDG_RUNTIME_DIR",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_CONFIG_HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "TMPDIR",
    "DBUS_SESSION_BUS_ADDRESS",
]
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
READY_S = 30.0
_READY_FD = 3
_LOG_LINES = 12


def log_path(env: dict[str, str], uid: int) -> str:
    """Where an engine that was started on demand writes its log."""
    if uid == 0:
        return "/var/log/hakobu/daemon.log"
    state = env.get("XDG_STATE_HOME") or f"{env.get('HOME') or '/'}/.local/state"
    return f"{state}/hakobu/daemon.log"


def daemon_environment(env: dict[str, str], uid: int) -> dict[str, str]:
    """The allow-listed environment; root's PATH is the system's, not the caller's."""
    kept = {name: env[name] for name in KEPT if name in env}
    if uid == 0:
        kept["PATH"] = _PATH
    return kept


def start(endpoint: Endpoint) -> None:
    """Returns when somebody listens at the endpoint; Failure with the log's end otherwise."""
    uid = os.getuid()
    env = dict(os.environ)
    folder = os.path.dirname(endpoint.address)
    log = log_path(env, uid)
    for path in (folder, os.path.dirname(log)):
        try:
            os.makedirs(path, 0o700, exist_ok=True)
        except OSError as e:
            reason = (e.strerror or str(e)).lower()
            message = f"no engine runs at {endpoint.url}, and none can be started: {path} cannot be made: {reason}"
            raise Failure(f"{message}\n(set XDG_RUNTIME_DIR and XDG_STATE_HOME, or name an engine with -H)") from None
    lock_fd = os.open(f"{folder}/start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(lock_fd)
        if not _listens(endpoint.address):
            offset = os.path.getsize(log) if os.path.exists(log) else 0
            _start_below_systemd_or_alone(endpoint, daemon_environment(env, uid), log, offset, uid)
    finally:
        os.close(lock_fd)


def _lock(fd: int) -> None:
    import fcntl

    fcntl.flock(fd, fcntl.LOCK_EX)


def _listens(path: str) -> bool:
    try:
        connect_unix(path).close()
    except OSError:
        return False
    return True


def daemon_argv() -> list[str]:
    return [sys.executable, "-I", "-m", "hakobu.daemon", "--on-demand", f"--ready-fd={_READY_FD}"]


def scope_argv(uid: int, *, systemd: str = "/run/systemd/system", program: str = "/usr/bin/systemd-run") -> list[str]:
    """What puts the daemon into a cgroup of its own where systemd keeps them; empty where it does not.

    Below the caller's own scope it would end with the caller's session.
    """
    if not os.path.isdir(systemd) or not os.access(program, os.X_OK):
        return []
    user = [] if uid == 0 else ["--user"]
    return [program, *user, "--scope", "--quiet", "--collect", "--property=Delegate=yes", "--"]


def _start_below_systemd_or_alone(endpoint: Endpoint, env: dict[str, str], log: str, offset: int, uid: int) -> None:
    scope = scope_argv(uid)
    if scope:
        try:
            return _start_and_wait(endpoint, env, scope + daemon_argv(), log, offset)
        except Failure:
            # A user without a bus, a container with systemd's folder only: then without a scope.
            pass
    return _start_and_wait(endpoint, env, daemon_argv(), log, offset)


def _start_and_wait(endpoint: Endpoint, env: dict[str, str], argv: list[str], log: str, offset: int) -> None:
    ready_fd, theirs_fd = os.pipe2(os.O_CLOEXEC)
    try:
        try:
            pid = _spawn(log, env, argv, theirs_fd)
        finally:
            os.close(theirs_fd)
        _await(endpoint, pid, ready_fd, log, offset)
    finally:
        os.close(ready_fd)


def _spawn(log: str, env: dict[str, str], argv: list[str], ready_fd: int) -> int:
    """The daemon's pid (a scope is entered by the process itself). It shares nothing with us but log and pipe."""
    _keep_descriptors()
    null_fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    # posix_spawn cannot change the directory; the daemon's `--on-demand` does that first of all, and this
    # process, which only waits from here on, is there already where it must be.
    here_fd = os.open(".", os.O_PATH | os.O_CLOEXEC)
    try:
        os.chdir("/")
        return os.posix_spawn(
            argv[0],
            argv,
            env,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null_fd, 0),
                (os.POSIX_SPAWN_DUP2, log_fd, 1),
                (os.POSIX_SPAWN_DUP2, log_fd, 2),
                (os.POSIX_SPAWN_DUP2, ready_fd, _READY_FD),
            ],
            setsid=True,
        )
    finally:
        os.fchdir(here_fd)
        for fd in (here_fd, null_fd, log_fd):
            os.close(fd)


def _keep_descriptors() -> None:
    """What our own caller left open for us is not for an engine that outlives both."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            try:
                os.set_inheritable(int(name), False)
            except OSError:
                pass  # The one that listed them.


def _await(endpoint: Endpoint, pid: int, ready_fd: int, log: str, offset: int) -> None:
    """The daemon says when it listens, and its end closes the pipe; nobody depends on it alone."""
    deadline = time.monotonic() + READY_S
    waiting, pause_s = [ready_fd], 0.25
    while True:
        if waiting and select.select(waiting, [], [], pause_s)[0]:
            waiting, pause_s = [], 0.005
        elif not waiting:
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.3, 0.05)
        if _listens(endpoint.address):
            return
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended and not _listens(endpoint.address):
            code = os.waitstatus_to_exitcode(status)
            raise Failure(_report(f"the engine did not start (exit status {code})", log, offset))
        if time.monotonic() > deadline:
            raise Failure(_report(f"the engine does not listen at {endpoint.url} yet", log, offset))


def _report(what: str, log: str, offset: int) -> str:
    """The failure with what the daemon wrote to its log since it was started."""
    try:
        with open(log, "rb") as file:
            file.seek(offset)
            lines = file.read().decode("utf-8", "replace").splitlines()[-_LOG_LINES:]
    except OSError:
        lines = []
    return "\n".join([f"{what}; the end of {log}:", *(f"  {line}" for line in lines or ["(nothing)"])])
