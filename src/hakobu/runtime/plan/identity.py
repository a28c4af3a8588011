"""Who the process is: capabilities, ids, limits, and how it may change; the last steps before execve. Pure."""

from hakobu.errors import Invalid
from hakobu.kernel import capability
from hakobu.spec.dataclass import dataclass
from hakobu.spec.runtime_config import Process
from hakobu.spec.step import Json, Place, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """`seccomp` is the compiled program in base64, empty for none; `keyring` the name of a session keyring, or empty.

    With `seccomp_listener` the filter's descriptor goes to whoever makes the process. `outlives` and `preserve_fds`
    are explained at `RuntimeInputs`.
    """

    seccomp: str = ""
    seccomp_flags: int = 0
    seccomp_listener: bool = False
    keyring: str = ""
    outlives: bool = False
    preserve_fds: int = 0


def _step(name: str, args: dict[str, Json], *syscalls: str) -> Step:
    return Step(name, Place.CHILD, args, syscalls)


def plan_user(process: Process, *, before: str) -> Step:
    """Names become numbers by the image's own files, read from outside of them."""
    args: dict[str, Json] = {
        "user": process.user.name,
        "uid": process.user.uid,
        "gid": process.user.gid,
        "groups": list(process.user.additional_gids),
        "group_names": list(process.user.group_names),
        "root": before,
    }
    return _step("user.resolve", args, "openat2")


def capability_masks(process: Process) -> dict[str, Json]:
    """The five sets as masks; a name nobody knows is refused here."""
    sets = process.capabilities
    masks: dict[str, Json] = {}
    for kind in ("bounding", "effective", "permitted", "inheritable", "ambient"):
        names: tuple[str, ...] = getattr(sets, kind)
        try:
            masks[kind] = capability.mask(names)
        except KeyError as error:
            raise Invalid(f'invalid capability: "{error.args[0]}"', field=f"process.capabilities.{kind}") from None
    return masks


def plan_identity(process: Process, confinement: Confinement) -> tuple[Step, ...]:
    """Every step from the limits to the closed descriptors.

    A filter may be installed without privilege only under no-new-privileges: then it comes last. Else it comes
    while CAP_SYS_ADMIN is still held, before the final sets.
    """
    masks = capability_masks(process)
    steps: list[Step] = [
        *(_rlimit(r.type, r.soft, r.hard) for r in process.rlimits),
        *((_oom(process.oom_score_adj),) if process.oom_score_adj is not None else ()),
        *((_step("keyring.join", {"name": confinement.keyring}, "keyctl"),) if confinement.keyring else ()),
        _step("stdio.take", {}, "setsid", "dup2"),
        _step("capabilities.bound", {"keep": masks["bounding"]}, "prctl"),
        _step("identity.set", _identity_args(process, confinement), "setgroups", "setresgid", "setresuid"),
        _step("cwd.enter", {"path": process.cwd}, "chdir", "getcwd"),
        *_find(process),
        _step("signals.reset", {}, "rt_sigaction", "rt_sigprocmask"),
    ]
    preserve: dict[str, Json] = {"preserve": confinement.preserve_fds} if confinement.preserve_fds else {}
    # before the filter, which may know nothing of close_range; what is opened later is close-on-exec by itself
    steps.append(_step("files.close", preserve, "close_range"))
    filter_step = _seccomp(confinement)
    final = _step("capabilities.set", masks, "capset")
    if process.no_new_privileges:
        steps += [_step("privileges.freeze", {}, "prctl"), final, *filter_step]
    else:
        steps += [*filter_step, final]
    return tuple(steps)


def _find(process: Process) -> tuple[Step, ...]:
    if not process.args:
        return ()
    return (_step("program.find", {"name": process.args[0], "path": _search_path(process)}, "newfstatat"),)


def _identity_args(process: Process, confinement: Confinement) -> dict[str, Json]:
    args: dict[str, Json] = {"umask": process.user.umask}
    return {**args, "outlives": True} if confinement.outlives else args


def _seccomp(confinement: Confinement) -> tuple[Step, ...]:
    if not confinement.seccomp:
        return ()
    args: dict[str, Json] = {"program": confinement.seccomp}
    if confinement.seccomp_flags:
        args["flags"] = confinement.seccomp_flags
    if confinement.seccomp_listener:
        args["listener"] = True
    return (_step("seccomp.install", args, "seccomp"),)


def _search_path(process: Process) -> str:
    """The last PATH of its environment; Docker's default where it has none."""
    for setting in reversed(process.env):
        if setting.startswith("PATH="):
            return setting.removeprefix("PATH=")
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def plan_execute(process: Process) -> Step:
    args: dict[str, Json] = {"args": list(process.args), "env": list(process.env)}
    return _step("program.execute", args, "execve")


def _rlimit(type: str, soft: int, hard: int) -> Step:
    return _step("rlimit.set", {"type": type, "soft": soft, "hard": hard}, "prlimit64")


def _oom(adjustment: int) -> Step:
    return _step("oom.adjust", {"value": adjustment}, "openat", "write")
