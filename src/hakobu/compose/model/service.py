"""A service: one frozen value with every attribute, each under the name the specification gives it."""

from dataclasses import dataclass, field

from hakobu.compose.model.attachment import NetworkAttachment
from hakobu.compose.model.dependency import Dependency
from hakobu.compose.model.healthcheck import Healthcheck
from hakobu.compose.model.hook import Hook
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
    build: dict[str, Json] = field(default_factory=dict[str, Json])
    develop: dict[str, Json] | None = None
    blkio_config: dict[str, Json] | None = None
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    cgroup_parent: str = ""
    cgroup: str = ""
    cpu_count: int = 0
    cpu_percent: float = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_rt_period: int = 0
    cpu_rt_runtime: int = 0
    cpus: float = 0
    cpuset: str = ""
    cpu_shares: int = 0
    command: tuple[str, ...] | None = None
    configs: tuple[FileReference, ...] = ()
    container_name: str = ""
    credential_spec: dict[str, Json] | None = None
    depends_on: dict[str, Dependency] = field(default_factory=dict[str, Dependency])
    deploy: Deploy | None = None
    device_cgroup_rules: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    dns: tuple[str, ...] = ()
    dns_opt: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    domainname: str = ""
    entrypoint: tuple[str, ...] | None = None
    provider: dict[str, Json] | None = None
    environment: dict[str, str | None] = field(default_factory=dict[str, str | None])
    env_file: tuple[EnvFile, ...] = ()
    expose: tuple[str, ...] = ()
    external_links: tuple[str, ...] = ()
    extra_hosts: tuple[tuple[str, str], ...] = ()
    group_add: tuple[str, ...] = ()
    gpus: list[Json] = field(default_factory=list[Json])
    hostname: str = ""
    healthcheck: Healthcheck | None = None
    image: str = ""
    init: bool | None = None
    ipc: str = ""
    isolation: str = ""
    labels: dict[str, str] = field(default_factory=dict[str, str])
    label_file: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    logging: Logging | None = None
    mem_limit: int = 0
    mem_reservation: int = 0
    memswap_limit: int = 0
    mem_swappiness: int = 0
    mac_address: str = ""
    models: dict[str, Json] = field(default_factory=dict[str, Json])
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
    pull_refresh_after: str = ""
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
    use_api_socket: bool = False
    user: str = ""
    userns_mode: str = ""
    uts: str = ""
    volumes: tuple[ServiceVolume, ...] = ()
    volumes_from: tuple[str, ...] = ()
    working_dir: str = ""
    pre_start: tuple[Hook, ...] = ()
    post_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()
    read_label_files: tuple[str, ...] = ()
    """What `label_file` named, once `labels` has it: no longer shown, but still part of the hash."""

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

    def linked(self) -> tuple[str, ...]:
        """The services that `links` names."""
        return tuple(dict.fromkeys(link.split(":")[0] for link in self.links))
