"""A service: one frozen value with every attribute that works, each under the name the specification gives it."""

from dataclasses import dataclass, field

from hakobu.compose.model.attachment import NetworkAttachment
from hakobu.compose.model.dependency import Dependency
from hakobu.compose.model.healthcheck import Healthcheck
from hakobu.compose.model.port import Port
from hakobu.compose.model.resource import Deploy, Device, FileReference, Logging, Ulimit
from hakobu.compose.model.volume import ServiceVolume
from hakobu.spec.step import Json


@dataclass(frozen=True, slots=True)
class EnvFile:
    """`path` is absolute."""

    path: str
    required: bool = True
    format: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """None for `command` and `entrypoint` leaves the image's, an empty tuple clears it.

    Sizes are bytes, durations nanoseconds; zero and empty mean unset.
    """

    name: str
    profiles: tuple[str, ...] = ()
    annotations: dict[str, str] = field(default_factory=dict[str, str])
    attach: bool | None = None
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    cgroup_parent: str = ""
    cgroup: str = ""
    cpu_period: int = 0
    cpu_quota: int = 0
    cpus: float = 0
    cpuset: str = ""
    cpu_shares: int = 0
    command: tuple[str, ...] | None = None
    configs: tuple[FileReference, ...] = ()
    container_name: str = ""
    depends_on: dict[str, Dependency] = field(default_factory=dict[str, Dependency])
    deploy: Deploy | None = None
    device_cgroup_rules: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    dns: tuple[str, ...] = ()
    dns_opt: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    domainname: str = ""
    entrypoint: tuple[str, ...] | None = None
    environment: dict[str, str | None] = field(default_factory=dict[str, str | None])
    env_file: tuple[EnvFile, ...] = ()
    expose: tuple[str, ...] = ()
    extra_hosts: tuple[tuple[str, str], ...] = ()
    group_add: tuple[str, ...] = ()
    hostname: str = ""
    healthcheck: Healthcheck | None = None
    image: str = ""
    init: bool | None = None
    ipc: str = ""
    labels: dict[str, str] = field(default_factory=dict[str, str])
    logging: Logging | None = None
    mem_limit: int = 0
    mem_reservation: int = 0
    memswap_limit: int = 0
    mem_swappiness: int = 0
    mac_address: str = ""
    network_mode: str = ""
    networks: dict[str, NetworkAttachment] = field(default_factory=dict[str, NetworkAttachment])
    oom_kill_disable: bool = False
    oom_score_adj: int = 0
    pid: str = ""
    pids_limit: int = 0
    platform: str = ""
    ports: tuple[Port, ...] = ()
    privileged: bool = False
    pull_policy: str = ""
    read_only: bool = False
    restart: str = ""
    runtime: str = ""
    scale: int | None = None
    secrets: tuple[FileReference, ...] = ()
    security_opt: tuple[str, ...] = ()
    shm_size: int = 0
    stdin_open: bool = False
    stop_grace_period: int | None = None
    stop_signal: str = ""
    storage_opt: dict[str, str] = field(default_factory=dict[str, str])
    sysctls: dict[str, str] = field(default_factory=dict[str, str])
    tmpfs: tuple[str, ...] = ()
    tty: bool = False
    ulimits: dict[str, Ulimit] = field(default_factory=dict[str, Ulimit])
    user: str = ""
    userns_mode: str = ""
    uts: str = ""
    volumes: tuple[ServiceVolume, ...] = ()
    volumes_from: tuple[str, ...] = ()
    working_dir: str = ""
    extensions: dict[str, Json] = field(default_factory=dict[str, Json])

    @property
    def replicas(self) -> int:
        """How many containers the service has."""
        if self.scale is not None:
            return self.scale
        return self.deploy.replicas if self.deploy and self.deploy.replicas is not None else 1

    def shares_with(self) -> tuple[str, ...]:
        """The services whose namespaces or volumes this one uses."""
        modes = (self.network_mode, self.ipc, self.pid)
        shared = [mode.removeprefix("service:") for mode in modes if mode.startswith("service:")]
        sources = [v.split(":")[0] for v in self.volumes_from if not v.startswith("container:")]
        return tuple(dict.fromkeys([*shared, *sources]))
