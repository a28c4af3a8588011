"""The plan of a further process in a running container: the container's confinement, from the join on. Pure."""

from hakobu.runtime.plan.attributes import plan_affinity, plan_label, plan_scheduling
from hakobu.runtime.plan.identity import Confinement, plan_execute, plan_identity, plan_user
from hakobu.spec.plan import Plan
from hakobu.spec.runtime_config import Process, RuntimeConfig
from hakobu.spec.step import Json, Place, Step


def plan_exec(
    container_id: str,
    config: RuntimeConfig,
    process: Process,
    seccomp_program: str,
    confinement: Confinement | None = None,
    *,
    cgroup: str = "",
) -> Plan:
    """`config` is what the container runs under; the namespaces are those of its init, whatever they are.

    `confinement` says more than the program where there is more to say; `cgroup` is another than the container's.
    """
    confined = confinement or Confinement(seccomp=seccomp_program, keyring=f"_ses.{container_id}")
    affinity = process.exec_affinity
    join: dict[str, Json] = {
        "types": [n.type for n in config.linux.namespaces],
        "cgroup": cgroup or config.linux.cgroups_path,
    }
    console = (Step("console.open", Place.CHILD, {}, ("openat", "ioctl")),) if process.terminal else ()
    steps = (
        Step("namespaces.join", Place.SHIM, join, ("clone3",)),
        Step("process.harden", Place.CHILD, {}, ("prctl", "close_range")),
        plan_user(process, before="init"),
        *console,
        *plan_label(process),
        *plan_affinity(affinity.initial, "initial"),
        Step("namespaces.enter", Place.CHILD, {"types": join["types"]}, ("setns",)),
        Step("cgroup.join", Place.CHILD, {"path": join["cgroup"]}, ("write",)),
        *plan_affinity(affinity.final, "final"),
        *plan_scheduling(process),
        *plan_identity(process, confined),
        plan_execute(process),
    )
    return Plan(container_id, steps)
