"""What else a process starts with: scheduling, memory policy, execution domain, security label. Pure.

Words of the configuration become the kernel's numbers here, so that one nobody knows is refused before a start.
"""

from collections.abc import Mapping

from hakobu.errors import Invalid
from hakobu.spec.runtime_config import IoPriority, Linux, MemoryPolicy, Personality, Process, Scheduler
from hakobu.spec.step import Json, Place, Step

POLICIES = {
    "SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3, "SCHED_ISO": 4, "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}  # fmt: skip
SCHED_FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 0x01, "SCHED_FLAG_RECLAIM": 0x02, "SCHED_FLAG_DL_OVERRUN": 0x04,
    "SCHED_FLAG_KEEP_POLICY": 0x08, "SCHED_FLAG_KEEP_PARAMS": 0x10, "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
}  # fmt: skip
IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
MEMORY_MODES = {
    "MPOL_DEFAULT": 0, "MPOL_PREFERRED": 1, "MPOL_BIND": 2, "MPOL_INTERLEAVE": 3, "MPOL_LOCAL": 4,
    "MPOL_PREFERRED_MANY": 5, "MPOL_WEIGHTED_INTERLEAVE": 6,
}  # fmt: skip
MEMORY_FLAGS = {"MPOL_F_NUMA_BALANCING": 1 << 13, "MPOL_F_RELATIVE_NODES": 1 << 14, "MPOL_F_STATIC_NODES": 1 << 15}
DOMAINS = {"LINUX": 0x0000, "LINUX32": 0x0008}
_MAX_NUMBER = 4096
_MAX_DIGITS = 9


def plan_attributes(process: Process, linux: Linux) -> tuple[Step, ...]:
    """While the process still has its rights; the values pass on over execve."""
    steps: list[Step] = []
    if linux.personality is not None:
        steps.append(_step("personality.set", {"domain": _domain(linux.personality)}, "personality"))
    if linux.memory_policy is not None:
        steps.append(_step("memory.policy", _memory(linux.memory_policy), "set_mempolicy"))
    return (*steps, *plan_scheduling(process))


def plan_scheduling(process: Process) -> tuple[Step, ...]:
    """Of any process, an exec's too."""
    steps: list[Step] = []
    if process.scheduler is not None:
        steps.append(_step("scheduler.set", _scheduler(process.scheduler), "sched_setattr"))
    if process.io_priority is not None:
        steps.append(_step("io.priority", _io(process.io_priority), "ioprio_set"))
    return tuple(steps)


def plan_affinity(cpus: str, field: str) -> tuple[Step, ...]:
    if not cpus:
        return ()
    listed: list[Json] = list(parse_list(cpus, f"process.execCPUAffinity.{field}"))
    return (_step("affinity.set", {"cpus": listed}, "sched_setaffinity"),)


def plan_label(process: Process) -> tuple[Step, ...]:
    """Told to the kernel while its own /proc is in sight; it counts from the execve on."""
    if process.apparmor_profile:
        args: dict[str, Json] = {"module": "apparmor", "label": process.apparmor_profile}
        return (_step("label.exec", args, "openat", "write"),)
    if process.selinux_label:
        return (_step("label.exec", {"module": "selinux", "label": process.selinux_label}, "openat", "write"),)
    return ()


def parse_list(text: str, field: str) -> tuple[int, ...]:
    """The kernel's list format, `0-3,7`. `Invalid` for anything else, and beyond 4096."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        numbers = (first, last if dash else first)
        if not all(n.isascii() and n.isdecimal() and len(n) <= _MAX_DIGITS and int(n) < _MAX_NUMBER for n in numbers):
            raise Invalid(f"{field} is not a list of numbers: {text!r}", field=field)
        found.update(range(int(numbers[0]), int(numbers[1]) + 1))
    return tuple(sorted(found))


def _step(name: str, args: dict[str, Json], *syscalls: str) -> Step:
    return Step(name, Place.CHILD, args, syscalls)


def _look_up(table: Mapping[str, int], word: str, field: str) -> int:
    if word not in table:
        raise Invalid(f"{field} has no {word!r}; there are {', '.join(table)}", field=field)
    return table[word]


def _domain(personality: Personality) -> int:
    if personality.flags:
        raise Invalid("linux.personality.flags must be empty: there are none", field="linux.personality.flags")
    return _look_up(DOMAINS, personality.domain, "linux.personality.domain")


def _memory(policy: MemoryPolicy) -> dict[str, Json]:
    mode = _look_up(MEMORY_MODES, policy.mode, "linux.memoryPolicy.mode")
    for flag in policy.flags:
        mode |= _look_up(MEMORY_FLAGS, flag, "linux.memoryPolicy.flags")
    nodes: list[Json] = list(parse_list(policy.nodes, "linux.memoryPolicy.nodes")) if policy.nodes else []
    return {"mode": mode, "nodes": nodes}


def _scheduler(s: Scheduler) -> dict[str, Json]:
    flags = 0
    for flag in s.flags:
        flags |= _look_up(SCHED_FLAGS, flag, "process.scheduler.flags")
    return {
        "policy": _look_up(POLICIES, s.policy, "process.scheduler.policy"),
        "flags": flags,
        "nice": s.nice,
        "priority": s.priority,
        "runtime_ns": s.runtime_ns,
        "deadline_ns": s.deadline_ns,
        "period_ns": s.period_ns,
    }


def _io(priority: IoPriority) -> dict[str, Json]:
    io_class = _look_up(IO_CLASSES, priority.io_class, "process.ioPriority.class")
    return {"class": io_class, "priority": priority.priority}
