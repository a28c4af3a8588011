"""What `info` and `version` say of the engine and its host."""

import os
import platform
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import hakobu
from hakobu.engine import cdi
from hakobu.engine.bus import Bus
from hakobu.engine.config import EngineConfig
from hakobu.engine.health import HealthWatch
from hakobu.engine.planning import init_binary
from hakobu.engine.records import Records
from hakobu.engine.sampling import host_cpus, host_memory_bytes
from hakobu.engine.services import SystemFacts
from hakobu.kernel import probe, userns
from hakobu.kernel.cgroup import Tree
from hakobu.spec.container import Status
from hakobu.spec.step import Json
from hakobu.store.open import Stores

API_VERSION = "1.51"
MIN_API_VERSION = "1.24"
_LIMITS = ("memory limit", "swap limit", "cpu cfs quota", "cpu cfs period", "cpu shares", "cpuset", "pids limit")


@dataclass(frozen=True, slots=True)
class SystemService:
    """Implements `services.System`."""

    config: EngineConfig
    records: Records
    stores: Stores
    bus: Bus
    tree: Tree
    instance_id: str
    tasks: Callable[[], int]
    health: HealthWatch

    def facts(self) -> SystemFacts:
        by_status = [c.state.status for c in self.records]
        running = sum(s is Status.RUNNING for s in by_status)
        paused = sum(s is Status.PAUSED for s in by_status)
        release = _os_release()
        uname = os.uname()
        config = self.config
        return SystemFacts(
            instance_id=self.instance_id,
            name=socket.gethostname(),
            data_root=config.instance.data_root,
            exec_root=config.instance.exec_root,
            engine_version=hakobu.__version__,
            api_version=API_VERSION,
            min_api_version=MIN_API_VERSION,
            git_commit="",
            build_time="",
            kernel_version=uname.release,
            operating_system=release.get("PRETTY_NAME", "Linux"),
            os_version=release.get("VERSION_ID", ""),
            os_type="linux",
            architecture=platform.machine(),
            cpus=host_cpus(),
            memory_bytes=host_memory_bytes(),
            containers=len(by_status),
            containers_running=running,
            containers_paused=paused,
            containers_stopped=len(by_status) - running - paused,
            images=len(self.stores.images.all()),
            cgroup_version="2" if self.tree.layout.version == "v2" else "1",
            cgroup_driver="none" if self.tree.layout.version == "none" else "cgroupfs",
            controllers={c: self.tree.layout.has(c) for c in ("memory", "cpu", "cpuset", "pids", "blkio", "io")},
            security_options=("name=seccomp,profile=builtin", *(() if userns.is_initial() else ("name=rootless",))),
            warnings=tuple(self._warnings()),
            debug=config.debug,
            labels=config.labels,
            registry_mirrors=config.mirrors,
            insecure_registries=config.insecure_registries,
            address_pools=config.network.address_pools,
            live_restore=config.live_restore,
            storage_driver="vfs" if self.stores.snapshots.is_native else "overlay2",
            userxattr=not probe.has(probe.Feature.TRUSTED_XATTRS),
            init_binary=os.path.basename(config.init_path or init_binary()),
            default_log_driver=config.log.driver,
            http_proxy=config.environment.get("HTTP_PROXY", ""),
            https_proxy=config.environment.get("HTTPS_PROXY", ""),
            no_proxy=config.environment.get("NO_PROXY", ""),
            file_descriptors=len(os.listdir("/proc/self/fd")),
            tasks=self.tasks(),
            event_listeners=self.bus.listeners,
            cdi_dirs=config.cdi_dirs,
            cdi_devices=cdi.Devices(config.cdi_dirs).names,
            events=self.bus.published,
            health_checks=self.health.probes,
            health_checks_failed=self.health.failed_probes,
        )

    def _warnings(self) -> Iterator[str]:
        """What a user's engine cannot do here, in Docker's words where it has some."""
        if self.tree.layout.version == "none":
            yield from (f"WARNING: No {what} support" for what in _LIMITS)
            yield "WARNING: Running in rootless-mode without cgroups: limits and pause are refused (hakobu doctor)"
        if not userns.is_initial() and userns.has_one_id():
            yield "WARNING: Running in rootless-mode with one id: images' files all belong to root (hakobu doctor)"

    async def disk_usage(self) -> Mapping[str, Json]:
        layers = self.stores.snapshots.known_layers()
        return {"layers_size": sum(size for _, size in layers.values())}


def _os_release() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            with open(path, encoding="utf-8") as file:
                for line in file:
                    key, equals, value = line.strip().partition("=")
                    if equals:
                        found[key] = value.strip('"')
            return found
        except OSError:
            continue
    return found
