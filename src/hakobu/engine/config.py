"""What the operator chose for this engine; every field is one flag of `hakobu daemon`.

A value: the composition root parses it once and hands out the parts that each service needs.
"""

from dataclasses import dataclass, field

from hakobu.engine.gc_policy import GcPolicy
from hakobu.spec.instance import Instance
from hakobu.spec.log_config import LogConfig
from hakobu.spec.ulimit import Ulimit


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Of the default bridge and of every network. Empty strings mean: choose.

    `port_keeper` is the directory of who binds published ports, where the host's network is another namespace.
    """

    bip: str = ""
    fixed_cidr: str = ""
    default_gateway: str = ""
    mtu: int = 0
    icc: bool = True
    default_host_ip: str = ""
    ip_forward: bool = True
    masquerade: bool = True
    firewall: bool = True
    ipv6: bool = False
    fixed_cidr_v6: str = ""
    address_pools: tuple[tuple[str, int], ...] = ()
    dns: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    publish_mode: str = "kernel"
    port_keeper: str = ""
    default_bridge: bool = True


DEFAULT_CDI_DIRS = ("/etc/cdi", "/var/run/cdi")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    instance: Instance
    network: NetworkConfig = NetworkConfig()
    log: LogConfig = LogConfig(driver="json-file")
    labels: tuple[str, ...] = ()
    shm_bytes: int = 64 << 20
    ulimits: tuple[Ulimit, ...] = ()
    cgroup_parent: str = ""
    cgroupns_mode: str = ""
    ipc_mode: str = "private"
    cdi_dirs: tuple[str, ...] = DEFAULT_CDI_DIRS
    init: bool = False
    init_path: str = ""
    no_new_privileges: bool = False
    seccomp_profile: str = ""
    live_restore: bool = True
    shutdown_timeout_s: int = 15
    mirrors: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    registries: str = ""
    image_gc: GcPolicy = GcPolicy()
    max_downloads: int = 3
    max_uploads: int = 5
    max_download_attempts: int = 5
    debug: bool = False
    failpoints: str = ""
    environment: dict[str, str] = field(default_factory=dict[str, str])
