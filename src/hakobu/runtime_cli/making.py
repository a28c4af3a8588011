"""What `create` and `run` share: a bundle becomes a container whose process waits before its execve."""

import errno
import os
import pwd
import time
from collections.abc import Sequence

from hakobu.errors import HakobuError
from hakobu.kernel import process
from hakobu.kernel.mount import MNT_DETACH, umount2
from hakobu.runtime.shim import record
from hakobu.runtime.shim.spawn import Spawned
from hakobu.runtime_cli import bundle as bundles
from hakobu.runtime_cli import hooks
from hakobu.runtime_cli.container import FAILURE, FIFO, Container, Record, check_id, make
from hakobu.runtime_cli.context import Context, Failed
from hakobu.runtime_cli.launch import Start, bring_up, stop
from hakobu.runtime_cli.option import Option, Parsed
from hakobu.runtime_cli.pidfile import write_pid
from hakobu.runtime_cli.planning import Wishes, compile_filter, plan_start
from hakobu.spec.dataclass import dataclass, replace
from hakobu.spec.plan import Stdio
from hakobu.spec.runtime_config import RuntimeConfig

OPTIONS = (
    Option(("bundle", "b")),
    Option(("console-socket",)),
    Option(("pid-file",)),
    Option(("preserve-fds",)),
    Option(("no-pivot",), "nothing"),
    Option(("no-new-keyring",), "nothing"),
)


@dataclass(frozen=True, slots=True)
class Made:
    """A container whose process waits before its execve."""

    container: Container
    config: RuntimeConfig
    spawned: Spawned


def wishes(given: Parsed, config: RuntimeConfig) -> tuple[Wishes, RuntimeConfig]:
    """Descriptors that a service manager passed (LISTEN_FDS) go on to the container, and it is told of them."""
    count = given.number("preserve-fds", 0) or 0
    if count < 0:
        raise Failed("--preserve-fds must not be negative")
    passed = os.environ.get("LISTEN_FDS", "")
    if passed.isascii() and passed.isdecimal() and int(passed):
        count += int(passed)
        env = (*config.process.env, f"LISTEN_FDS={passed}", "LISTEN_PID=1")
        config = changed_process(config, env=env)
    return (
        Wishes(
            preserve_fds=count,
            pivot=not given.flag("no-pivot"),
            keyring=not given.flag("no-new-keyring"),
        ),
        config,
    )


def changed_process(config: RuntimeConfig, *, env: tuple[str, ...]) -> RuntimeConfig:
    return replace(config, process=replace(config.process, env=env))


def preserved(count: int) -> Sequence[int]:
    """Descriptors 3 and on of the caller; one that is not open is a mistake of the caller's."""
    fds = tuple(range(3, 3 + count))
    for fd in fds:
        try:
            os.fstat(fd)
        except OSError:
            raise Failed(f"file descriptor {fd} is not open, and --preserve-fds asks for it") from None
    return fds


def make_container(context: Context, given: Parsed, *, gated: bool, detached: bool) -> Made:
    """Raises with nothing left of the container, its poststop hooks run."""
    container_id = check_id(given.operand(0, "container id"))
    directory = os.path.abspath(given.text("bundle") or ".")
    config = bundles.load(directory, container_id, context)
    check_console(config.process.terminal, given.text("console-socket"), detached=detached)
    wished, config = wishes(given, config)
    fds = preserved(wished.preserve_fds)
    container = make(context.root, _record(container_id, directory, config))
    try:
        filter = compile_filter(config, config.process, context.root)
        plan = plan_start(container_id, directory, config, filter, wished)
        gate = _open_gate(container) if gated else ()
        start = Start(
            plan=plan,
            stdio=stdio(config),
            filter=filter,
            state=lambda pid: container.hook_state("creating", pid),
            gate=gate,
            preserved=fds,
            console=given.text("console-socket"),
            meanwhile=lambda pid: _keep(container, pid),
        )
        spawned = bring_up(start)
    except (HakobuError, OSError):
        _unmount(config)
        hooks.poststop(container, config, context)
        container.remove()
        raise
    try:
        for fd in gate:
            os.close(fd)
        if path := given.text("pid-file"):
            write_pid(path, spawned.pid)
    except OSError:
        stop(spawned)
        discard(container, config, context)
        raise
    return Made(container, config, spawned)


def discard(container: Container, config: RuntimeConfig, context: Context) -> None:
    """What a container leaves when its process has ended: cgroup, hooks to run, state."""
    try:
        group = container.cgroup()
        group.kill()
        group.delete()
    except FileNotFoundError:
        pass  # no cgroup file system, or gone already
    _unmount(config)
    hooks.poststop(container, config, context)
    container.remove()


def _unmount(config: RuntimeConfig) -> None:
    """Only where the configuration wants the host's mount namespace are there mounts of a container to take away."""
    if config.has_namespace("mount"):
        return
    try:
        umount2(config.root.path, MNT_DETACH)
    except OSError as error:
        if error.errno != errno.EINVAL:  # not mounted
            raise


def check_console(terminal: bool, console: str, *, detached: bool) -> None:
    if terminal and detached and not console:
        raise Failed("cannot allocate tty if runc will detach without setting console socket")
    if console and not (terminal and detached):
        raise Failed("cannot use console socket if runc will not detach or allocate tty")


def stdio(config: RuntimeConfig) -> Stdio:
    rows, columns = config.process.console_size
    return Stdio(tty=config.process.terminal, rows=rows, columns=columns)


def _record(container_id: str, directory: str, config: RuntimeConfig) -> Record:
    return Record(
        id=container_id,
        bundle=directory,
        rootfs=config.root.path,
        created=timestamp(),
        owner=_owner(),
        boot_id=record.boot_id(),
        config=config.to_json(),
    )


def timestamp() -> str:
    """RFC 3339 with nanoseconds, UTC."""
    now = time.time_ns()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9)) + f".{now % 10**9:09d}Z"


def _owner() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _keep(container: Container, pid: int) -> None:
    container.save(pid=pid, start_time_ticks=process.start_time_ticks(pid))


def _open_gate(container: Container) -> tuple[int, int]:
    """Open both ways, so that whoever has it waits for a byte and not for somebody to come."""
    path = f"{container.directory}/{FIFO}"
    os.mkfifo(path, 0o600)
    failure = os.open(f"{container.directory}/{FAILURE}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    return os.open(path, os.O_RDWR | os.O_CLOEXEC), failure
