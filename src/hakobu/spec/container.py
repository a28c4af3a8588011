"""What a container is: the specification a user gave, and the record the engine keeps of it.

These are the engine's inner values. `api/` translates Docker's JSON to and from them; `runtime/` never sees
them, it gets an OCI configuration. Everything here is immutable and JSON-shaped, so that it can be stored.
Units: bytes, nanoseconds, seconds since the epoch in ns (`*_ns`), as the field names say.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from hakobu.spec.device_request import DeviceRequest
from hakobu.spec.log_config import LogConfig
from hakobu.spec.ulimit import Ulimit


class Status(StrEnum):
    """Docker's seven states of a container; OCI's are a subset (`exited` is OCI's stopped)."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck:
    """`test` as Docker's: `NONE`, `CMD` + argv, `CMD-SHELL` + a line; zero durations mean the default."""

    test: tuple[str, ...] = ()
    interval_ns: int = 0
    timeout_ns: int = 0
    start_period_ns: int = 0
    start_interval_ns: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    name: Literal["no", "always", "unless-stopped", "on-failure"] = "no"
    max_retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PortBinding:
    """One published port. `host_port` 0 asks for an ephemeral one; `host_port_end` closes a range to pick from.

    `host_ip` is empty for every address.
    """

    container_port: int
    protocol: Literal["tcp", "udp", "sctp"] = "tcp"
    host_ip: str = ""
    host_port: int = 0
    host_port_end: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mount a user asked for. `raw` is the `Binds` string it came from, empty when it came by `Mounts`."""

    kind: Literal["bind", "volume", "tmpfs", "image"]
    target: str
    source: str = ""
    read_only: bool = False
    propagation: str = ""
    non_recursive: bool = False
    read_only_non_recursive: bool = False
    read_only_force_recursive: bool = False
    create_source: bool = False
    no_copy: bool = False
    subpath: str = ""
    volume_driver: str = ""
    volume_options: dict[str, str] = field(default_factory=dict[str, str])
    volume_labels: dict[str, str] = field(default_factory=dict[str, str])
    tmpfs_size_bytes: int = 0
    tmpfs_mode: int = 0
    tmpfs_options: str = ""
    consistency: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    host_path: str
    container_path: str
    permissions: str = "rwm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Resource limits as the user gave them; None or 0 is unset. `nano_cpus` is billionths of a CPU."""

    memory_bytes: int = 0
    memory_reservation_bytes: int = 0
    memory_swap_bytes: int = 0
    memory_swappiness: int | None = None
    oom_kill_disable: bool = False
    nano_cpus: int = 0
    cpu_shares: int = 0
    cpu_period_us: int = 0
    cpu_quota_us: int = 0
    cpu_realtime_period_us: int = 0
    cpu_realtime_runtime_us: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    pids: int | None = None
    blkio_weight: int = 0
    blkio_weight_device: tuple[tuple[str, int], ...] = ()
    blkio_read_bps: tuple[tuple[str, int], ...] = ()
    blkio_write_bps: tuple[tuple[str, int], ...] = ()
    blkio_read_iops: tuple[tuple[str, int], ...] = ()
    blkio_write_iops: tuple[tuple[str, int], ...] = ()
    devices: tuple[Device, ...] = ()
    device_cgroup_rules: tuple[str, ...] = ()
    device_requests: tuple[DeviceRequest, ...] = ()
    ulimits: tuple[Ulimit, ...] = ()
    cgroup_parent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    """Docker's modes as given: "", "private", "host", "shareable", "none", "container:<ref>"."""

    pid: str = ""
    ipc: str = ""
    uts: str = ""
    user: str = ""
    cgroup: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """`seccomp_profile` is "" (built in), "unconfined" or a profile's JSON text; None paths mean the defaults."""

    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    no_new_privileges: bool = False
    seccomp_profile: str = ""
    apparmor_profile: str = ""
    masked_paths: tuple[str, ...] | None = None
    read_only_paths: tuple[str, ...] | None = None
    read_only_rootfs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSpec:
    """How a container joins one network, as asked for. Empty means: choose.

    `network_id` binds it to one network, whoever takes that network's name later.
    """

    network: str
    network_id: str = ""
    aliases: tuple[str, ...] = ()
    ipv4: str = ""
    ipv6: str = ""
    mac: str = ""
    link_local: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    driver_options: dict[str, str] = field(default_factory=dict[str, str])
    gateway_priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A joined endpoint: the addresses it holds. `spec` is what was asked for, kept for reconnecting."""

    spec: EndpointSpec
    network_id: str
    network_name: str
    endpoint_id: str
    ipv4: str = ""
    ipv4_prefix: int = 0
    ipv4_gateway: str = ""
    ipv6: str = ""
    ipv6_prefix: int = 0
    ipv6_gateway: str = ""
    mac: str = ""
    interface: str = ""
    driver: str = "bridge"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """All that a create request says, with nothing of the image merged in yet.

    None for `entrypoint` and `command` means that the image's holds; an empty tuple clears it.
    """

    image: str
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    hostname: str = ""
    domain_name: str = ""
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    console_rows: int = 0
    console_columns: int = 0
    labels: dict[str, str] = field(default_factory=dict[str, str])
    annotations: dict[str, str] = field(default_factory=dict[str, str])
    healthcheck: Healthcheck | None = None
    stop_signal: str = ""
    stop_timeout_s: int | None = None
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    volumes_from: tuple[str, ...] = ()
    volume_driver: str = ""
    restart: RestartPolicy = RestartPolicy()
    log: LogConfig = LogConfig()
    auto_remove: bool = False
    init: bool | None = None
    runtime: str = ""
    isolation: str = ""
    limits: Limits = Limits()
    oom_score_adj: int = 0
    shm_bytes: int = 0
    sysctls: dict[str, str] = field(default_factory=dict[str, str])
    storage_options: dict[str, str] = field(default_factory=dict[str, str])
    namespaces: Namespaces = Namespaces()
    security: Security = Security()
    network_mode: str = "default"
    network_disabled: bool = False
    endpoints: tuple[EndpointSpec, ...] = ()
    ports: tuple[PortBinding, ...] = ()
    publish_all: bool = False
    links: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    container_id_file: str = ""


@dataclass(frozen=True, slots=True)
class FileSystem:
    """What a volume with options is: mounted where the container is, by mount(8)'s words."""

    type: str
    device: str
    options: str = ""

    @property
    def is_bind(self) -> bool:
        return self.type in ("none", "bind") or bool({"bind", "rbind"} & set(self.options.split(",")))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedMount:
    """A mount as the container has it: what `inspect` lists. `source` is a path on the host.

    `file_system` is of volumes that are one; `image_id` and `subpath` (a place in it) of images.
    """

    kind: Literal["bind", "volume", "tmpfs", "image"]
    target: str
    source: str = ""
    volume: str = ""
    driver: str = ""
    mode: str = ""
    read_write: bool = True
    propagation: str = ""
    file_system: FileSystem | None = None
    image_id: str = ""
    subpath: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthResult:
    started_ns: int
    ended_ns: int
    exit_code: int
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    status: Literal["starting", "healthy", "unhealthy"] = "starting"
    failing_streak: int = 0
    results: tuple[HealthResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What became of the container. Times are ns since the epoch, 0 for never."""

    status: Status = Status.CREATED
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_ns: int = 0
    finished_ns: int = 0
    health: Health | None = None
    stopped_by_user: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundPort:
    """A published port of a running container, with the host port it really has."""

    container_port: int
    protocol: str
    host_ip: str
    host_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container as the engine keeps it: merged configuration, state, endpoints.

    `spec` is what the user asked for; the fields beside it are what holds once the image's configuration
    is merged in. `argv` is entrypoint + command.
    """

    id: str
    name: str
    created_ns: int
    spec: ContainerSpec
    image_id: str
    image_ref: str
    platform: str = "linux"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    hostname: str = ""
    labels: dict[str, str] = field(default_factory=dict[str, str])
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = "SIGTERM"
    healthcheck: Healthcheck | None = None
    mounts: tuple[ResolvedMount, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    sandbox_id: str = ""
    ports: tuple[BoundPort, ...] = ()
    state: State = State()
    restart_count: int = 0
    log_path: str = ""
    exec_ids: tuple[str, ...] = ()
    broken: str = ""

    @property
    def images(self) -> frozenset[str]:
        """All that must stay for as long as the container: its own image, and those it mounts."""
        return frozenset((self.image_id, *(m.image_id for m in self.mounts if m.image_id)))

    @property
    def argv(self) -> tuple[str, ...]:
        return self.entrypoint + self.command
