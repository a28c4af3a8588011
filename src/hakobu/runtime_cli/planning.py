"""From a configuration to the plan of a start or an exec: compiled filter, shown cgroups, hooks' state."""

import base64
import os
from collections.abc import Mapping
from typing import cast

from hakobu.errors import Invalid
from hakobu.kernel import cgroup
from hakobu.runtime.plan import RuntimeInputs, plan_container, plan_exec
from hakobu.runtime.plan.identity import Confinement
from hakobu.runtime_cli.container import base_state
from hakobu.spec.dataclass import dataclass
from hakobu.spec.plan import Plan
from hakobu.spec.runtime_config import Process, RuntimeConfig
from hakobu.spec.step import Json

CACHE = ".seccomp"


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled filter in base64. `listener_path` is the socket that gets the filter's descriptor, or empty."""

    program: str = ""
    flags: int = 0
    listener_path: str = ""
    metadata: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line says of a start, beside the bundle."""

    preserve_fds: int = 0
    pivot: bool = True
    keyring: bool = True


def compile_filter(config: RuntimeConfig, process: Process, root: str) -> Filter:
    """Cached below the root by what it is made of."""
    if config.linux.seccomp is None:
        return Filter()
    # only who has a profile pays for the compiler and its library
    from hakobu.kernel import seccomp
    from hakobu.spec import seccomp as profiles

    given = dict(config.linux.seccomp)
    if "defaultAction" not in given:
        raise Invalid("linux.seccomp.defaultAction is missing", field="linux.seccomp.defaultAction")
    listener = _text(given, "listenerPath")
    metadata = _text(given, "listenerMetadata")
    profile = profiles.parse_profile(given, listener=True)
    uname = os.uname()
    wanted = profiles.resolve(profile, frozenset(process.capabilities.bounding), uname.machine, uname.release)
    directory = f"{root}/{CACHE}"
    os.makedirs(directory, mode=0o700, exist_ok=True)
    program = base64.b64encode(seccomp.cached_filter(wanted, directory)).decode()
    notifies = profiles.NOTIFY in (profile.default_action, *(r.action for r in profile.rules))
    if notifies and not listener:
        raise Invalid("SCMP_ACT_NOTIFY needs a listener", field="linux.seccomp.listenerPath")
    return Filter(program, seccomp.filter_flags(profile.flags), listener if notifies else "", metadata)


def _text(given: dict[str, Json], key: str) -> str:
    value = given.pop(key, "")
    if not isinstance(value, str):
        raise Invalid(f"linux.seccomp.{key} must be a text", field=f"linux.seccomp.{key}")
    return value


def plan_start(container_id: str, bundle: str, config: RuntimeConfig, filter: Filter, wishes: Wishes) -> Plan:
    tree = cgroup.open_tree()
    version = 2 if tree.layout.version == "v2" else 1
    path = config.linux.cgroups_path
    hierarchies = () if version == 2 else tree.layout.hierarchies()
    annotations = cast("Mapping[str, Json]", dict(config.annotations))
    inputs = RuntimeInputs(
        container_id=container_id,
        rootfs=None,
        seccomp_program=filter.program,
        seccomp_flags=filter.flags,
        seccomp_listener=bool(filter.listener_path),
        cgroup_version=version,
        cgroups=tuple((os.path.basename(top), top + path) for top, _ in hierarchies),
        state=base_state(container_id, bundle, {"annotations": dict(annotations)}),
        outlives=True,
        preserve_fds=wishes.preserve_fds,
        pivot=wishes.pivot,
        keyring=wishes.keyring,
    )
    return plan_container(config, inputs)


def plan_join(
    container_id: str, config: RuntimeConfig, process: Process, filter: Filter, wishes: Wishes, cgroup_path: str = ""
) -> Plan:
    confinement = Confinement(
        seccomp=filter.program,
        seccomp_flags=filter.flags,
        seccomp_listener=bool(filter.listener_path),
        keyring=f"_ses.{container_id}" if wishes.keyring else "",
        outlives=True,
        preserve_fds=wishes.preserve_fds,
    )
    return plan_exec(container_id, config, process, filter.program, confinement, cgroup=cgroup_path)
