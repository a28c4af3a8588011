"""Runs a further process in a container, under the container's confinement."""

import os

from hakobu.errors import HakobuError
from hakobu.kernel.pty import window_size
from hakobu.runtime_cli import foreground
from hakobu.runtime_cli.bundle import adapt
from hakobu.runtime_cli.container import Container, find
from hakobu.runtime_cli.context import Context, Failed
from hakobu.runtime_cli.launch import Start, bring_up, let_go, stop
from hakobu.runtime_cli.making import check_console, preserved
from hakobu.runtime_cli.option import Option, Parsed
from hakobu.runtime_cli.pidfile import write_pid
from hakobu.runtime_cli.planning import Wishes, compile_filter, plan_join
from hakobu.spec.dataclass import replace
from hakobu.spec.plan import Stdio
from hakobu.spec.runtime_config import CapabilitySets, Process, RuntimeConfig, User
from hakobu.spec.runtime_parse import MAX_BYTES, parse_process

OPTIONS = (
    Option(("console-socket",)),
    Option(("cwd",)),
    Option(("env", "e"), "list"),
    Option(("tty", "t"), "nothing"),
    Option(("user", "u")),
    Option(("additional-gids", "g"), "list"),
    Option(("process", "p")),
    Option(("detach", "d"), "nothing"),
    Option(("pid-file",)),
    Option(("process-label",)),
    Option(("apparmor",)),
    Option(("no-new-privs",), "nothing"),
    Option(("cap", "c"), "list"),
    Option(("preserve-fds",)),
    Option(("cgroup",), "list"),
    Option(("ignore-paused",), "nothing"),
    Option(("no-subreaper",), "nothing"),
)
_MAX_ID = 2**31 - 1


def run(context: Context, given: Parsed) -> int:
    container = find(context.root, given.operand(0, "container id"))
    _require(container, ignore_paused=given.flag("ignore-paused"))
    config = container.config()
    process = adapt(_process(config, given), context)
    detached = given.flag("detach")
    check_console(process.terminal, given.text("console-socket"), detached=detached)
    count = given.number("preserve-fds", 0) or 0
    filter = compile_filter(config, process, context.root)
    wishes = Wishes(preserve_fds=count)
    plan = plan_join(container.id, config, process, filter, wishes, _cgroup(config, given))
    start = Start(
        plan=plan,
        stdio=_stdio(process),
        filter=filter,
        state=lambda pid: container.hook_state("running", container.pid),
        preserved=preserved(count),
        init_pid=container.pid,
        console=given.text("console-socket"),
    )
    try:
        spawned = bring_up(start)
        if path := given.text("pid-file"):
            write_pid(path, spawned.pid)
        let_go(spawned)
    except HakobuError as error:
        raise Failed(f"exec failed: {error.message}") from None
    except OSError:
        stop(spawned)  # pyright: ignore[reportPossiblyUnboundVariable]
        raise
    if detached:
        return 0
    return foreground.wait(spawned.pid, spawned.pidfd, spawned.master_fd)


def _require(container: Container, *, ignore_paused: bool) -> None:
    status = container.status()
    if status in ("stopped", "creating"):
        raise Failed("cannot exec in a stopped container")
    if status == "paused" and not ignore_paused:
        raise Failed("cannot exec in a paused container (use --ignore-paused to override)")


def _stdio(process: Process) -> Stdio:
    rows, columns = process.console_size
    if process.terminal and not rows and os.isatty(0):
        rows, columns = window_size(0)
    return Stdio(tty=process.terminal, rows=rows, columns=columns)


def _process(config: RuntimeConfig, given: Parsed) -> Process:
    """A document of the caller's, or the container's own process with what the flags change."""
    if path := given.text("process"):
        with open(path, "rb") as file:
            return parse_process(file.read(MAX_BYTES + 1))
    args = given.operands[1:]
    if not args:
        raise Failed("process args cannot be empty")
    base = config.process
    return replace(
        base,
        args=args,
        cwd=given.text("cwd") or base.cwd,
        env=(*base.env, *given.texts("env")),
        terminal=given.flag("tty"),
        user=_user(base.user, given),
        capabilities=_with(base.capabilities, given.texts("cap")),
        no_new_privileges=base.no_new_privileges or given.flag("no-new-privs"),
        apparmor_profile=given.text("apparmor") or base.apparmor_profile,
        selinux_label=given.text("process-label") or base.selinux_label,
        console_size=(0, 0),
    )


def _with(sets: CapabilitySets, added: tuple[str, ...]) -> CapabilitySets:
    """Never inheritable (CVE-2022-29162)."""
    if not added:
        return sets
    return replace(
        sets,
        bounding=(*sets.bounding, *added),
        effective=(*sets.effective, *added),
        permitted=(*sets.permitted, *added),
    )


def _user(base: User, given: Parsed) -> User:
    """`UID[:GID]` in numbers; a parse that fails is no user 0 (CVE-2026-30892)."""
    groups = tuple(_id(g) for text in given.texts("additional-gids") for g in text.split(","))
    text = given.text("user")
    if not text:
        return replace(base, additional_gids=(*base.additional_gids, *groups))
    uid, colon, gid = text.partition(":")
    return replace(base, uid=_id(uid), gid=_id(gid) if colon else base.gid, additional_gids=groups)


def _id(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or int(text) > _MAX_ID:
        raise Failed(f"not a user or group id: {text!r}")
    return int(text)


def _cgroup(config: RuntimeConfig, given: Parsed) -> str:
    """`--cgroup SUB` below the container's own."""
    paths = given.texts("cgroup")
    if not paths:
        return ""
    path = paths[0]
    if len(paths) > 1 or ":" in path or ".." in path.split("/"):
        raise Failed("--cgroup takes one path below the container's own, the same in all hierarchies")
    return config.linux.cgroups_path + "/" + path.strip("/") if path.strip("/") else ""
