"""Shapes of `/containers/...` requests: what clients send. Every field may be missing, and most may be null.

Replies are built field by field in `api/render`, so only what is decoded stands here.
"""

from typing import Any, TypeAlias, TypedDict

StringList: TypeAlias = "list[str] | None"
StringMap: TypeAlias = "dict[str, str] | None"
Empty: TypeAlias = "dict[str, Any] | None"


class HealthcheckShape(TypedDict, total=False):
    Test: StringList
    Interval: int | None
    Timeout: int | None
    StartPeriod: int | None
    StartInterval: int | None
    Retries: int | None


class LogConfigShape(TypedDict, total=False):
    Type: str | None
    Config: StringMap


class RestartPolicyShape(TypedDict, total=False):
    Name: str | None
    MaximumRetryCount: int | None


class PortBinding(TypedDict, total=False):
    HostIp: str | None
    HostPort: str | None


class Device(TypedDict, total=False):
    PathOnHost: str | None
    PathInContainer: str | None
    CgroupPermissions: str | None


class WeightDevice(TypedDict, total=False):
    Path: str | None
    Weight: int | None


class ThrottleDevice(TypedDict, total=False):
    Path: str | None
    Rate: int | None


class Ulimit(TypedDict, total=False):
    Name: str | None
    Soft: int | None
    Hard: int | None


class BindOptionsShape(TypedDict, total=False):
    Propagation: str | None
    NonRecursive: bool | None
    CreateMountpoint: bool | None
    ReadOnlyNonRecursive: bool | None
    ReadOnlyForceRecursive: bool | None


class VolumeDriver(TypedDict, total=False):
    Name: str | None
    Options: StringMap


class VolumeOptionsShape(TypedDict, total=False):
    NoCopy: bool | None
    Labels: StringMap
    DriverConfig: VolumeDriver | None
    Subpath: str | None


class TmpfsOptionsShape(TypedDict, total=False):
    SizeBytes: int | None
    Mode: int | None
    Options: list[list[str]] | None


class ImageOptionsShape(TypedDict, total=False):
    Subpath: str | None


class Mount(TypedDict, total=False):
    Type: str | None
    Source: str | None
    Target: str | None
    ReadOnly: bool | None
    Consistency: str | None
    BindOptions: BindOptionsShape | None
    VolumeOptions: VolumeOptionsShape | None
    TmpfsOptions: TmpfsOptionsShape | None
    ImageOptions: ImageOptionsShape | None
    ClusterOptions: Empty


class DeviceRequestShape(TypedDict, total=False):
    Driver: str | None
    Count: int | None
    DeviceIDs: list[str] | None
    Capabilities: list[list[str]] | None
    Options: dict[str, str] | None


class Resources(TypedDict, total=False):
    """What create and update have in common."""

    CpuShares: int | None
    Memory: int | None
    NanoCpus: int | None
    CgroupParent: str | None
    BlkioWeight: int | None
    BlkioWeightDevice: list[WeightDevice] | None
    BlkioDeviceReadBps: list[ThrottleDevice] | None
    BlkioDeviceWriteBps: list[ThrottleDevice] | None
    BlkioDeviceReadIOps: list[ThrottleDevice] | None
    BlkioDeviceWriteIOps: list[ThrottleDevice] | None
    CpuPeriod: int | None
    CpuQuota: int | None
    CpuRealtimePeriod: int | None
    CpuRealtimeRuntime: int | None
    CpusetCpus: str | None
    CpusetMems: str | None
    Devices: list[Device] | None
    DeviceCgroupRules: StringList
    DeviceRequests: list[DeviceRequestShape] | None
    KernelMemory: int | None
    KernelMemoryTCP: int | None
    MemoryReservation: int | None
    MemorySwap: int | None
    MemorySwappiness: int | None
    OomKillDisable: bool | None
    PidsLimit: int | None
    Ulimits: list[Ulimit] | None
    CpuCount: int | None
    CpuPercent: int | None
    IOMaximumIOps: int | None
    IOMaximumBandwidth: int | None


class HostConfigShape(Resources, total=False):
    Binds: StringList
    ContainerIDFile: str | None
    LogConfig: LogConfigShape | None
    NetworkMode: str | None
    PortBindings: dict[str, list[PortBinding] | None] | None
    RestartPolicy: RestartPolicyShape | None
    AutoRemove: bool | None
    VolumeDriver: str | None
    VolumesFrom: StringList
    ConsoleSize: list[int] | None
    Annotations: StringMap
    CapAdd: StringList
    CapDrop: StringList
    CgroupnsMode: str | None
    Dns: StringList
    DnsOptions: StringList
    DnsSearch: StringList
    ExtraHosts: StringList
    GroupAdd: StringList
    IpcMode: str | None
    Cgroup: str | None
    Links: StringList
    OomScoreAdj: int | None
    PidMode: str | None
    Privileged: bool | None
    PublishAllPorts: bool | None
    ReadonlyRootfs: bool | None
    SecurityOpt: StringList
    StorageOpt: StringMap
    Tmpfs: StringMap
    UTSMode: str | None
    UsernsMode: str | None
    ShmSize: int | None
    Sysctls: StringMap
    Runtime: str | None
    Isolation: str | None
    Mounts: list[Mount] | None
    MaskedPaths: StringList
    ReadonlyPaths: StringList
    Init: bool | None


class EndpointIPAM(TypedDict, total=False):
    IPv4Address: str | None
    IPv6Address: str | None
    LinkLocalIPs: StringList


class EndpointSettings(TypedDict, total=False):
    IPAMConfig: EndpointIPAM | None
    Links: StringList
    Aliases: StringList
    MacAddress: str | None
    DriverOpts: StringMap
    GwPriority: int | None
    NetworkID: str | None
    IPAddress: str | None
    GlobalIPv6Address: str | None


class NetworkingConfigShape(TypedDict, total=False):
    EndpointsConfig: dict[str, EndpointSettings | None] | None


class Config(TypedDict, total=False):
    Hostname: str | None
    Domainname: str | None
    User: str | None
    AttachStdin: bool | None
    AttachStdout: bool | None
    AttachStderr: bool | None
    ExposedPorts: dict[str, Empty] | None
    Tty: bool | None
    OpenStdin: bool | None
    StdinOnce: bool | None
    Env: StringList
    Cmd: list[str] | str | None
    Healthcheck: HealthcheckShape | None
    ArgsEscaped: bool | None
    Image: str | None
    Volumes: dict[str, Empty] | None
    WorkingDir: str | None
    Entrypoint: list[str] | str | None
    NetworkDisabled: bool | None
    Runtime: str | None
    MacAddress: str | None
    OnBuild: StringList
    Labels: StringMap
    StopSignal: str | None
    StopTimeout: int | None
    Shell: StringList


class ContainerCreate(Config, total=False):
    HostConfig: HostConfigShape | None
    NetworkingConfig: NetworkingConfigShape | None


class ContainerUpdate(Resources, total=False):
    RestartPolicy: RestartPolicyShape | None


class ExecCreate(TypedDict, total=False):
    User: str | None
    Privileged: bool | None
    Tty: bool | None
    ConsoleSize: list[int] | None
    AttachStdin: bool | None
    AttachStdout: bool | None
    AttachStderr: bool | None
    Detach: bool | None
    DetachKeys: str | None
    detachKeys: str | None
    Env: StringList
    WorkingDir: str | None
    Cmd: list[str] | str | None


class ExecStart(TypedDict, total=False):
    Detach: bool | None
    Tty: bool | None
    ConsoleSize: list[int] | None


class RemovedFromContainer(TypedDict, total=False):
    """Names of variables and labels, ports as `80/tcp`, targets of mounts."""

    Env: list[str]
    Labels: list[str]
    Ports: list[str]
    Mounts: list[str]


class ContainerEdit(TypedDict, total=False):
    """Of `/hakobu/v1/containers/{}/edit`: what is set, in the words of a create body, and what goes."""

    Set: ContainerCreate
    Remove: RemovedFromContainer
