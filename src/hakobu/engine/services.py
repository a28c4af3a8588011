"""What the doors (`api/`, later `cri/`) may ask of the engine: one Protocol a resource, and their values.

References (`ref`) are what a user types: a full id, a unique prefix of it, or a name. Every call raises
`HakobuError`s; their kind decides the status at the door. Streams are given as descriptors where bytes flow
in bulk, so that no payload passes through the event loop as Python objects more often than it must.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from hakobu.spec.container import Container, ContainerSpec, EndpointSpec, Limits, Mount, PortBinding, RestartPolicy
from hakobu.spec.descriptor import Descriptor
from hakobu.spec.download import Outlet
from hakobu.spec.event import Event
from hakobu.spec.network import Network, NetworkSpec
from hakobu.spec.plan import Attachment, Plan
from hakobu.spec.platform import Platform
from hakobu.spec.policy import Policy
from hakobu.spec.remote import Described, Document, Hit
from hakobu.spec.step import Json
from hakobu.spec.upload import Upload
from hakobu.spec.volume import Volume

Filters = Mapping[str, tuple[str, ...]]
"""Docker's filters, parsed: key to the values given for it. Unknown keys are refused by the service."""

Progress = Callable[[dict[str, Json]], None]
"""Takes one progress message of Docker's stream (`status`, `id`, `progressDetail`, …); called on the loop."""


@dataclass(frozen=True, slots=True)
class CreatedContainer:
    id: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContainerSize:
    """Bytes: `writable` of the container's own layer, `rootfs` of all of it."""

    writable: int
    rootfs: int


@dataclass(frozen=True, slots=True)
class ListedContainer:
    """`linked_as` are the names that others link to it by (`/parent/alias`)."""

    container: Container
    size: ContainerSize | None = None
    linked_as: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What is to be set and what taken away in a container that does not run. Ports by name (`80/tcp`), mounts by
    their target."""

    env: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict[str, str])
    exposed_ports: tuple[str, ...] = ()
    ports: tuple[PortBinding, ...] = ()
    mounts: tuple[Mount, ...] = ()
    env_removed: tuple[str, ...] = ()
    labels_removed: tuple[str, ...] = ()
    ports_removed: tuple[str, ...] = ()
    mounts_removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Times in ns since the epoch, 0 for unset; `tail` -1 for all."""

    stdout: bool = True
    stderr: bool = True
    follow: bool = False
    since_ns: int = 0
    until_ns: int = 0
    tail: int = -1
    timestamps: bool = False
    details: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """`kind`: 0 modified, 1 added, 2 deleted (Docker's numbers)."""

    path: str
    kind: int


@dataclass(frozen=True, slots=True)
class PathStat:
    """Of a path in a container; `mode` is st_mode of the kernel, `link_target` empty unless a link."""

    name: str
    size: int
    mode: int
    mtime_ns: int
    link_target: str = ""


@dataclass(frozen=True, slots=True)
class Archive:
    """A tar stream that another process writes where it is wanted; `close`, exactly once, lets go of its sources.

    `send` returns when all of it is written, and raises what went wrong; the outlet stays its caller's.
    """

    send: Callable[[Outlet], Awaitable[None]]
    close: Callable[[], None]
    stat: PathStat | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """One sample of a container's use. CPU in ns, memory in bytes; `networks` maps interface to counters."""

    time_ns: int
    cpu_total_ns: int
    cpu_user_ns: int
    cpu_system_ns: int
    cpu_per_cpu_ns: tuple[int, ...]
    system_cpu_ns: int
    online_cpus: int
    throttled_periods: int
    throttled_count: int
    throttled_ns: int
    memory_usage: int
    memory_max: int
    memory_limit: int
    memory_details: Mapping[str, int]
    pids_current: int
    pids_limit: int
    networks: Mapping[str, Mapping[str, int]]
    blkio: Mapping[str, tuple[tuple[int, int, str, int], ...]] = field(
        default_factory=dict[str, tuple[tuple[int, int, str, int], ...]]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecSpec:
    """What an exec create request says."""

    argv: tuple[str, ...]
    env: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    privileged: bool = False
    tty: bool = False
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    detach_keys: str = ""
    console_rows: int = 0
    console_columns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """`exit_code` is None until it ended; `pid` in the host's pid namespace, 0 until it started."""

    id: str
    container_id: str
    spec: ExecSpec
    running: bool = False
    pid: int = 0
    exit_code: int | None = None


class Containers(Protocol):
    async def create(self, spec: ContainerSpec, name: str = "", platform: str = "") -> CreatedContainer: ...
    async def start(self, ref: str) -> None:
        """Raises `AlreadyStarted` (kind not-modified) when it runs."""
        ...

    async def stop(self, ref: str, timeout_s: int | None = None, signal: str = "") -> None:
        """Negative timeouts wait for ever; raises kind not-modified when it does not run."""
        ...

    async def restart(self, ref: str, timeout_s: int | None = None, signal: str = "") -> None: ...
    async def kill(self, ref: str, signal: str = "SIGKILL") -> None: ...
    async def pause(self, ref: str) -> None: ...
    async def unpause(self, ref: str) -> None: ...
    async def rename(self, ref: str, name: str) -> None: ...
    async def set_aside(self, ref: str, aside: bool) -> None:
        """Its networks answer its aliases with other containers alone, until it ends or is taken back.

        For one that is not ready yet, or about to go: nobody new comes to it, and who is there stays.
        """
        ...

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False, link: bool = False) -> None: ...
    async def wait(self, ref: str, condition: Literal["not-running", "next-exit", "removed"]) -> "Waiting":
        """Returns once the wait is armed, so that the door can send its headers before the start."""
        ...

    def get(self, ref: str) -> Container: ...
    async def list(
        self, *, all: bool = False, limit: int = -1, size: bool = False, filters: Filters | None = None
    ) -> Sequence[ListedContainer]: ...
    async def size(self, ref: str) -> ContainerSize: ...
    def layer_paths(self, ref: str) -> Mapping[str, str]:
        """Where its layers lie on the host, by overlayfs's words (`LowerDir`, `UpperDir`, `WorkDir`)."""
        ...

    async def top(self, ref: str, ps_args: str = "") -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        """Titles and rows, of the host's ps with these arguments, restricted to the container."""
        ...

    def logs(self, ref: str, query: LogQuery) -> AsyncIterator[bytes]:
        """Chunks ready to send: Docker's 8-byte frames, or raw bytes where the container has a terminal."""
        ...

    def stats(self, ref: str, *, stream: bool, one_shot: bool) -> AsyncIterator[tuple[Stats | None, Stats]]:
        """Pairs of the sample before and this one."""
        ...

    async def attach(self, ref: str, attachment: Attachment) -> None:
        """Gives the client's connection to the container's shim. Before the start it waits with the record."""
        ...

    async def resize(self, ref: str, rows: int, columns: int) -> None: ...
    async def update(self, ref: str, limits: Limits, restart: RestartPolicy | None) -> tuple[str, ...]: ...
    async def edit(self, ref: str, edit: Edit) -> tuple[str, ...]: ...
    async def clear_logs(self, ref: str) -> int: ...
    async def changes(self, ref: str) -> Sequence[Change]: ...
    async def export(self, ref: str) -> Archive: ...
    async def stat_path(self, ref: str, path: str) -> PathStat: ...
    async def copy_out(self, ref: str, path: str) -> Archive: ...
    async def copy_in(
        self, ref: str, path: str, upload: Upload, *, no_overwrite_dir_non_dir: bool = False, copy_owner: bool = False
    ) -> None:
        """Unpacks the tar stream (plain, gzip, zstd, bzip2 or xz) of an upload below `path`."""
        ...

    async def commit(
        self,
        ref: str,
        *,
        repository: str = "",
        tag: str = "",
        comment: str = "",
        author: str = "",
        pause: bool = True,
        changes: Sequence[str] = (),
        config: ContainerSpec | None = None,
    ) -> str: ...
    async def prune(
        self, filters: Filters | None = None, *, among: Callable[[Container], bool] | None = None
    ) -> tuple[tuple[str, ...], int]:
        """`among`, here and below: only of those for which it says yes."""
        ...

    async def plan(self, ref: str) -> Mapping[str, Json]:
        """The plan of the last start with its results, for explain."""
        ...

    async def plan_for(self, spec: ContainerSpec) -> Plan:
        """The plan a start of this would follow, without doing any of it."""
        ...


class Waiting(Protocol):
    async def result(self) -> tuple[int, str]:
        """Exit code and error text."""
        ...


class Execs(Protocol):
    async def create(self, ref: str, spec: ExecSpec) -> str: ...
    async def start(self, exec_id: str, attachment: Attachment | None, *, tty: bool, rows: int, columns: int) -> None:
        """Starts it; the attachment's connection goes to the shim, which ends it with the process."""
        ...

    async def resize(self, exec_id: str, rows: int, columns: int) -> None: ...
    def get(self, exec_id: str) -> Exec: ...
    async def plan_for(self, ref: str, spec: ExecSpec) -> Plan:
        """The plan an exec of this would follow, without doing any of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image as the engine knows it. `config` is the raw OCI image configuration document."""

    id: str
    references: tuple[str, ...]
    digests: tuple[str, ...]
    created_ns: int
    size_bytes: int
    config: Mapping[str, Json]
    parent: str = ""
    containers: int = 0
    last_tagged_ns: int = 0
    comment: str = ""
    layer_sizes: tuple[int, ...] = ()
    target: Descriptor | None = None
    manifests: tuple["ImageManifest", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageManifest:
    """One manifest of an image's index. Sizes in bytes: of its blobs here, and of its layers unpacked.

    `attested` is the manifest that an attestation speaks of; empty for an image.
    """

    descriptor: Descriptor
    available: bool
    platform: Platform | None
    content_bytes: int = 0
    unpacked_bytes: int = 0
    containers: tuple[str, ...] = ()
    attested: str = ""


@dataclass(frozen=True, slots=True)
class ImageChange:
    """`kind` as of `Change`; `why` what is otherwise (type, mode, owner, …); sizes in bytes, -1 where there is none."""

    path: str
    kind: int
    why: tuple[str, ...]
    before: int
    after: int


class Images(Protocol):
    def get(self, ref: str, *, platform: str = "") -> Image:
        """With a platform, of the images that share the name's index the one for it."""
        ...

    async def inspect(self, ref: str, *, platform: str = "", manifests: bool = False) -> Image:
        """As `get`, with `target` and, where asked for, the `manifests` of its index."""
        ...

    async def list(
        self, *, all: bool = False, filters: Filters | None = None, manifests: bool = False
    ) -> Sequence[Image]: ...
    async def pull(
        self, repository: str, tag: str, *, platform: str, auth: Mapping[str, str] | None, progress: Progress
    ) -> None: ...
    async def push(
        self, repository: str, tag: str, *, platform: str, auth: Mapping[str, str] | None, progress: Progress
    ) -> None:
        """Without a tag all the repository has."""
        ...

    async def load(self, upload: Upload, *, platform: str = "", progress: Progress) -> Sequence[str]:
        """Reads a Docker or OCI archive (plain or compressed); returns what to print for each image."""
        ...

    async def save(self, refs: Sequence[str], *, platform: str = "") -> Archive:
        """Without a platform all there is of an image's index, with one that image alone."""
        ...

    async def import_(
        self, upload: Upload, *, repository: str, tag: str, message: str, changes: Sequence[str], platform: str
    ) -> str: ...
    async def import_url(
        self,
        url: str,
        *,
        repository: str,
        tag: str,
        message: str,
        changes: Sequence[str],
        platform: str,
        progress: Progress,
    ) -> str:
        """The same of an archive that the engine fetches by itself."""
        ...

    async def tag(self, ref: str, repository: str, tag: str) -> None: ...
    async def remove(
        self, ref: str, *, force: bool = False, prune: bool = True, platforms: Sequence[str] = ()
    ) -> Sequence[Mapping[str, str]]:
        """Docker's list of `{"Untagged": …}` and `{"Deleted": …}`; with platforms those members of an index alone."""
        ...

    async def diff(self, first: str, second: str) -> Sequence[ImageChange]:
        """What the second image has otherwise than the first, file by file, sorted by path."""
        ...

    async def history(self, ref: str, *, platform: str = "") -> Sequence[Mapping[str, Json]]: ...
    async def prune(
        self, filters: Filters | None = None, *, among: Callable[[Image], bool] | None = None
    ) -> tuple[Sequence[Mapping[str, str]], int]: ...


class Networks(Protocol):
    async def create(self, spec: NetworkSpec, *, check_duplicate: bool = True) -> tuple[str, str]:
        """Id and a warning (may be empty)."""
        ...

    def get(self, ref: str) -> Network: ...
    async def list(self, filters: Filters | None = None) -> Sequence[Network]: ...
    def members(self, network_id: str) -> Sequence[Container]: ...
    async def remove(self, ref: str) -> None: ...
    async def connect(self, ref: str, container: str, endpoint: EndpointSpec) -> None: ...
    async def disconnect(self, ref: str, container: str, *, force: bool = False) -> None: ...
    async def prune(
        self, filters: Filters | None = None, *, among: Callable[[Network], bool] | None = None
    ) -> tuple[str, ...]: ...


class Volumes(Protocol):
    async def create(self, name: str, driver: str, options: Mapping[str, str], labels: Mapping[str, str]) -> Volume: ...
    def get(self, name: str) -> Volume: ...
    async def list(self, filters: Filters | None = None) -> Sequence[Volume]: ...
    async def remove(self, name: str, *, force: bool = False) -> None: ...
    async def prune(
        self, filters: Filters | None = None, *, among: Callable[[Volume], bool] | None = None
    ) -> tuple[tuple[str, ...], int]: ...
    async def rename(self, name: str, new: str) -> Volume: ...
    async def clone(self, name: str, new: str) -> Volume: ...
    async def usage(self) -> Mapping[str, tuple[int, int]]:
        """Volume name to (bytes, containers that refer to it)."""
        ...


class Events(Protocol):
    def publish(self, event: Event) -> None: ...
    def subscribe(
        self, *, since_ns: int = 0, until_ns: int = 0, filters: Filters | None = None
    ) -> AsyncIterator[Event]:
        """The backlog from `since_ns`, then what comes, until `until_ns` (0: for ever)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFacts:
    """What `info` and `version` say of engine and host; the door dresses it in Docker's 62 fields."""

    instance_id: str
    name: str
    data_root: str
    exec_root: str
    engine_version: str
    api_version: str
    min_api_version: str
    git_commit: str
    build_time: str
    kernel_version: str
    operating_system: str
    os_version: str
    os_type: str
    architecture: str
    cpus: int
    memory_bytes: int
    containers: int
    containers_running: int
    containers_paused: int
    containers_stopped: int
    images: int
    cgroup_version: str
    cgroup_driver: str
    controllers: Mapping[str, bool]
    security_options: tuple[str, ...]
    warnings: tuple[str, ...]
    debug: bool
    labels: tuple[str, ...]
    registry_mirrors: tuple[str, ...]
    insecure_registries: tuple[str, ...]
    address_pools: tuple[tuple[str, int], ...]
    live_restore: bool
    init_binary: str
    default_log_driver: str
    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: str = ""
    file_descriptors: int = 0
    userxattr: bool = False
    storage_driver: str = "overlay2"
    tasks: int = 0
    event_listeners: int = 0
    cdi_dirs: tuple[str, ...] = ()
    cdi_devices: tuple[str, ...] = ()
    events: int = 0
    health_checks: int = 0
    health_checks_failed: int = 0


class System(Protocol):
    def facts(self) -> SystemFacts: ...
    async def disk_usage(self) -> Mapping[str, Json]:
        """`layers_size`, and what the resources' own services do not already say."""
        ...


class Registries(Protocol):
    async def authenticate(self, auth: Mapping[str, str]) -> tuple[str, str]:
        """Tries a login at a registry; its status text, and an identity token where the registry gives one."""
        ...

    async def describe(self, name: str, auth: Mapping[str, str] | None) -> Described:
        """What a name stands for at its registry now."""
        ...

    async def documents(self, name: str, auth: Mapping[str, str] | None) -> Sequence[Described]:
        """The manifest or index of a name, and behind an index all of its manifests."""
        ...

    async def push_list(
        self, name: str, whole: Document, members: Sequence[tuple[Document, str]], auth: Mapping[str, str] | None
    ) -> None:
        """A list of manifests under a tag; each member comes with the reference whose repository lends its layers."""
        ...

    async def search(
        self, term: str, *, limit: int = 0, filters: Filters | None = None, auth: Mapping[str, str] | None = None
    ) -> Sequence[Hit]: ...


@dataclass(frozen=True, slots=True)
class ScopedSocket:
    """A socket that answers as its policy says; `path` on the host. `problem` says why it does not answer."""

    policy: Policy
    path: str
    created_ns: int
    problem: str = ""


class Sockets(Protocol):
    """The scoped sockets of this engine: kept until they are removed, and listened on whenever the engine runs."""

    async def create(self, policy: Policy) -> ScopedSocket: ...
    def list(self) -> Sequence[ScopedSocket]: ...
    def get(self, name: str) -> ScopedSocket: ...
    async def remove(self, name: str) -> None:
        """Ends its connections; what was handed to a container (an attach, an exec) lives on with that container."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """What a door is given by the composition root."""

    containers: Containers
    execs: Execs
    images: Images
    networks: Networks
    volumes: Volumes
    events: Events
    system: System
    registries: Registries
    sockets: Sockets
