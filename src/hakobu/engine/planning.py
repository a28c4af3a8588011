"""The plan of a start: a container's record and its surroundings become an OCI configuration and steps.

The one place where the layers' plans meet. Reading other containers' pids and compiling a filter (cached) is all
it does beside pure composition.
"""

import base64
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from hakobu.engine import cdi, links, ownership
from hakobu.engine.config import EngineConfig
from hakobu.engine.endpoints import Endpoints
from hakobu.engine.failures import NotRunning
from hakobu.engine.oci import Surroundings, exec_process, runtime_config
from hakobu.engine.records import Records
from hakobu.engine.services import ExecSpec
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.kernel import seccomp, userns
from hakobu.kernel.cgroup import Cgroup, Tree
from hakobu.runtime.plan import RuntimeInputs, plan_container, plan_exec
from hakobu.spec import seccomp as profiles
from hakobu.spec.container import Container, ResolvedMount
from hakobu.spec.own_label import IDMAP, asked
from hakobu.spec.plan import Plan
from hakobu.spec.resources import Resources, parse_resources
from hakobu.spec.rootfs import Rootfs
from hakobu.spec.runtime_config import RuntimeConfig
from hakobu.spec.step import Json, Step

_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_INITS = ("/usr/bin/docker-init", "/usr/bin/tini-static", "/usr/bin/tini", "/usr/bin/catatonit")


class NoInit(HakobuError):
    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__(
            "no init program was found for --init", hint="install tini (tini-static), docker-init or catatonit"
        )


@dataclass(frozen=True, slots=True)
class Planner:
    """`rootfs` gives a container's snapshot; `cache_dir` holds compiled filters; `held` are the capabilities of this
    process, which are the same for its life: 42 system calls to ask for."""

    config: EngineConfig
    records: Records
    endpoints: Endpoints
    rootfs: Callable[[Container], Rootfs]
    layers: Callable[[str], tuple[str, ...]]
    directory_of: Callable[[str], str]
    tree: Tree
    cache_dir: str
    held: int

    def cgroup_path(self, container: Container) -> str:
        parent = container.spec.limits.cgroup_parent or self.config.cgroup_parent
        return f"{parent.rstrip('/') or self.config.instance.cgroup_parent}/{container.id}"

    def cgroup(self, container: Container) -> Cgroup:
        return self.tree.cgroup(self.cgroup_path(container))

    def runtime_config(self, container: Container) -> RuntimeConfig:
        """With what the devices need that were asked for by name."""
        config = runtime_config(container, self._surroundings(container))
        if not (requests := container.spec.limits.device_requests):
            return config
        devices = cdi.Devices(self.config.cdi_dirs)
        return devices.inject(config, cdi.chosen(requests, devices))

    def start(self, container: Container) -> tuple[RuntimeConfig, Plan]:
        """What this container is to be, and what the runtime has to do for it; nothing is written."""
        self._check_id_maps(container)
        config = self.runtime_config(container)
        return config, self._plan(container, config, self.rootfs(container))

    def foresee(self, container: Container) -> Plan:
        """The plan of a container that does not exist."""
        container = self.endpoints.foresee(container)
        config = self.runtime_config(container)
        imagined = Rootfs(self.config.instance.snapshots_dir, ("<layers>",), "<upper>", "<work>")
        return self._plan(container, config, imagined)

    def _plan(self, container: Container, config: RuntimeConfig, rootfs: Rootfs) -> Plan:
        inputs = RuntimeInputs(
            container_id=container.id,
            rootfs=rootfs,
            network_steps=self.endpoints.plan(container),
            seccomp_program=self._filter(container, config),
            cgroup_version=self._version,
            cgroups=self._shown_cgroups(container),
            init=self._init(container),
            host_devices=container.spec.security.privileged,
            working_dir=container.working_dir,
        )
        return plan_container(config, inputs)

    def exec(self, container: Container, spec: ExecSpec) -> Plan:
        config = self.runtime_config(container)
        process = exec_process(
            config,
            container,
            argv=spec.argv,
            env=spec.env,
            user=spec.user,
            working_dir=spec.working_dir,
            tty=spec.tty,
            privileged=spec.privileged,
            held=self.held,
        )
        changed = replace(config, process=process)
        program = "" if spec.privileged else self._filter(container, changed)
        return plan_exec(container.id, changed, process, program)

    def told(self, plan: Plan) -> Plan:
        """The same plan for `explain`: steps that name a cgroup have its directories and files on this machine."""
        given = next((step.args.get("resources") for step in plan.steps if step.name == "cgroup.create"), None)
        resources = parse_resources(given)
        return replace(plan, steps=tuple(self._located(step, resources) for step in plan.steps))

    def _located(self, step: Step, resources: Resources) -> Step:
        if step.name not in ("cgroup.create", "cgroup.join"):
            return step
        cgroup = self.tree.cgroup(str(step.args["path"]))
        facts: dict[str, Json] = {
            "directories": [*cgroup.places(resources)],
            "limits": [[file, value] for file, value in cgroup.limits(resources)],
            "joined_by": [*cgroup.joined_by(resources)],
        }
        return replace(step, args={**step.args, **facts})

    @property
    def _version(self) -> int:
        return 2 if self.tree.layout.version == "v2" else 1

    def _surroundings(self, container: Container) -> Surroundings:
        return Surroundings(
            config=self.config,
            directory=self.directory_of(container.id),
            cgroup_path=self.cgroup_path(container),
            cgroup_version=self._version,
            held=self.held,
            cpus=os.cpu_count() or 1,
            joined=self._joined(container),
            shm_source=self._shm(container),
            link_env=self._link_env(container),
            layers=self.layers,
            shared=lambda mount: self._shared(container, mount),
            id_maps=lambda mount: self._id_maps(container, mount),
            last_gid=userns.last_id("gid"),
        )

    def _check_id_maps(self, container: Container) -> None:
        """A target with a slip in it must not quietly keep its owners."""
        targets = {m.target for m in container.mounts if m.kind in ("bind", "volume")}
        if lost := asked(container.spec.labels).idmaps.keys() - targets:
            raise Invalid(f"label {IDMAP}: nothing is mounted at {min(lost)}", field=IDMAP)

    def _id_maps(self, container: Container, mount: ResolvedMount) -> ownership.Maps:
        wanted = asked(container.spec.labels).idmaps
        if mount.target not in wanted:
            return (), ()
        return ownership.maps_for(mount.source, container.user, wanted[mount.target], self.layers(container.image_id))

    def _shared(self, container: Container, mount: ResolvedMount) -> str:
        """Where another running container has this volume, if its file system is in memory."""
        if mount.file_system is None or mount.file_system.type not in _IN_MEMORY:
            return ""
        holders = ((c, m) for c in self.records for m in c.mounts if m.volume == mount.volume)
        running = ((c.state.pid, m.target) for c, m in holders if c.state.pid and c.id != container.id)
        return next((f"/proc/{pid}/root{target}" for pid, target in running), "")

    def _link_env(self, container: Container) -> tuple[str, ...]:
        """Told as it is now: also to an exec, whose container may be linked to one that has ended."""
        return links.environment(container, links.known(container, self.records)) if container.spec.links else ()

    def _joined(self, container: Container) -> dict[str, str]:
        """Namespaces of other containers, by the pid of their init."""
        modes = container.spec.namespaces
        wanted = {"pid": modes.pid, "ipc": modes.ipc, "network": container.spec.network_mode}
        names = {"pid": "pid", "ipc": "ipc", "network": "net"}
        found: dict[str, str] = {}
        for type, mode in wanted.items():
            if mode.startswith("container:"):
                target = self.records.get(mode.removeprefix("container:"))
                if not target.state.pid:
                    raise NotRunning(target.id)
                found[type] = f"/proc/{target.state.pid}/ns/{names[type]}"
        return found

    def _shm(self, container: Container) -> str:
        mode = container.spec.namespaces.ipc
        if not mode.startswith("container:"):
            return ""
        target = self.records.get(mode.removeprefix("container:"))
        return f"/proc/{target.state.pid}/root/dev/shm"

    def _shown_cgroups(self, container: Container) -> tuple[tuple[str, str], ...]:
        """On v1 one directory for each hierarchy, as a container's /sys/fs/cgroup shows them."""
        if self._version == 2:
            return ()
        path = self.cgroup_path(container)
        return tuple((os.path.basename(top), top + path) for top, _ in self.tree.layout.hierarchies())

    def _init(self, container: Container) -> str:
        wanted = container.spec.init if container.spec.init is not None else self.config.init
        if not wanted:
            return ""
        for path in (self.config.init_path, *_INITS):
            if path and os.access(path, os.X_OK):
                return path
        raise NoInit

    def _filter(self, container: Container, config: RuntimeConfig) -> str:
        security = container.spec.security
        given = security.seccomp_profile or self.config.seccomp_profile
        if given == "unconfined" or (security.privileged and not security.seccomp_profile):
            return ""
        return _program(given, frozenset(config.process.capabilities.bounding), self.cache_dir)


@lru_cache(maxsize=64)
def _program(given: str, bounding: frozenset[str], cache_dir: str) -> str:
    """The compiled filter of a profile's text (the default one for none) and capabilities, in base64."""
    profile = profiles.parse_profile_text(given) if given else profiles.default_profile()
    uname = os.uname()
    wanted = profiles.resolve(profile, bounding, uname.machine, uname.release)
    return base64.b64encode(seccomp.cached_filter(wanted, cache_dir)).decode()


def init_binary() -> str:
    """What `info` names; empty where there is none."""
    return next((p for p in _INITS if shutil.which(p)), "")
