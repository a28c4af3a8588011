"""A container as its state directory has it: `<root>/<id>/state.json`, and the kernel's word on whether it lives.

    creating ──▶ created ──▶ running ◀──▶ paused      created: exec.fifo is there and its process waits at it
        └───────────┴───────────┴────────────┴──▶ stopped

Making the directory takes the name, `lock` (flock on it) keeps two operations on one container apart. A pid counts
only with its start time and boot id, so one that was given away again is never signalled.
"""

import errno
import fcntl
import json
import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Literal

from hakobu.errors import Invalid
from hakobu.kernel import cgroup, process
from hakobu.kernel.cgroup import Cgroup
from hakobu.runtime.shim import record
from hakobu.runtime_cli.context import ContainerExists, Failed, NoSuchContainer
from hakobu.spec.dataclass import dataclass, replace
from hakobu.spec.runtime_config import OCI_VERSION, RuntimeConfig
from hakobu.spec.runtime_parse import parse_runtime_config
from hakobu.spec.step import Json

Status = Literal["creating", "created", "running", "paused", "stopped"]
STATE = "state.json"
FIFO = "exec.fifo"
FAILURE = "failure"
_ID = re.compile(r"[\w+.-]+\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What `create` leaves behind; `config` is OCI's document as it is in force."""

    id: str
    bundle: str
    rootfs: str
    created: str
    owner: str
    boot_id: str
    config: dict[str, Json]
    pid: int = 0
    start_time_ticks: int = 0

    def to_json(self) -> dict[str, Json]:
        return {name: getattr(self, name) for name in Record.__slots__}  # pyright: ignore


class Container:
    """`directory` exists as long as the container does."""

    def __init__(self, root: str, kept: Record) -> None:
        self.root, self.record = root, kept
        self.directory = f"{root}/{kept.id}"

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def pid(self) -> int:
        return self.record.pid

    def config(self) -> RuntimeConfig:
        return parse_runtime_config(json.dumps(self.record.config).encode())

    def cgroup(self) -> Cgroup:
        linux = self.record.config.get("linux")
        path = linux.get("cgroupsPath") if isinstance(linux, dict) else None
        return cgroup.open_tree().cgroup(str(path))

    def status(self) -> Status:
        if not self.pid:
            return "creating"
        if not is_alive(self.record):
            return "stopped"
        if os.path.exists(f"{self.directory}/{FIFO}"):
            return "created"
        return "paused" if self._is_frozen() else "running"

    def _is_frozen(self) -> bool:
        try:
            return self.cgroup().is_frozen()
        except OSError:
            return False

    def save(self, **changes: object) -> None:
        """Whole or not at all."""
        self.record = replace(self.record, **changes)  # pyright: ignore[reportArgumentType]
        fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            record.write(fd, STATE, self.record.to_json())
        finally:
            os.close(fd)

    @contextmanager
    def lock(self) -> Generator[None]:
        fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def remove(self) -> None:
        """The directory is flat, and nobody else's."""
        with suppress(FileNotFoundError):
            for name in os.listdir(self.directory):
                os.unlink(f"{self.directory}/{name}")
            os.rmdir(self.directory)

    def state(self) -> dict[str, Json]:
        """The document of the runtime specification."""
        status = self.status()
        told: dict[str, Json] = {
            "ociVersion": OCI_VERSION,
            "id": self.id,
            "pid": 0 if status == "stopped" else self.pid,
            "status": status,
            "bundle": self.record.bundle,
            "rootfs": self.record.rootfs,
            "created": self.record.created,
            "owner": self.record.owner,
        }
        annotations = self.record.config.get("annotations")
        return {**told, "annotations": annotations} if annotations else told

    def hook_state(self, status: str, pid: int) -> dict[str, Json]:
        """What hooks read on stdin."""
        return {**base_state(self.id, self.record.bundle, self.record.config), "status": status, "pid": pid}


def base_state(container_id: str, bundle: str, config: Mapping[str, Json]) -> dict[str, Json]:
    told: dict[str, Json] = {"ociVersion": OCI_VERSION, "id": container_id, "bundle": bundle}
    annotations = config.get("annotations")
    return {**told, "annotations": annotations} if annotations else told


def check_id(container_id: str) -> str:
    if not _ID.match(container_id) or container_id in (".", "..") or container_id.startswith("."):
        raise Invalid(f"invalid container id: {container_id!r}", field="id")
    return container_id


def make(root: str, kept: Record) -> Container:
    """Takes the name. `ContainerExists` where somebody has it."""
    os.makedirs(root, mode=0o711, exist_ok=True)
    try:
        os.mkdir(f"{root}/{kept.id}", 0o700)
    except FileExistsError:
        raise ContainerExists(kept.id) from None
    made = Container(root, kept)
    made.save()
    return made


def find(root: str, container_id: str) -> Container:
    try:
        directory_fd = os.open(f"{root}/{check_id(container_id)}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise NoSuchContainer(container_id) from None
    try:
        told = _read(directory_fd)
    except FileNotFoundError:
        raise NoSuchContainer(container_id) from None
    finally:
        os.close(directory_fd)
    try:
        return Container(root, Record(**told))  # pyright: ignore[reportArgumentType]
    except TypeError as error:
        raise Failed(f"the state of container {container_id} is of another version: {error}") from None


def _read(directory_fd: int) -> dict[str, Json]:
    fd = os.open(STATE, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory_fd)
    with open(fd, "rb") as file:
        return json.load(file)


def every(root: str) -> list[Container]:
    """All of a root that can be read; one that is being made or removed is passed over."""
    found: list[Container] = []
    try:
        names = sorted(os.listdir(root))
    except FileNotFoundError:
        return []
    for name in names:
        try:
            found.append(find(root, name))
        except (NoSuchContainer, Failed, Invalid, ValueError):
            continue
    return found


def is_alive(kept: Record) -> bool:
    if kept.boot_id != record.boot_id():
        return False
    try:
        with open(f"/proc/{kept.pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(fields[19]) == kept.start_time_ticks and fields[0] not in (b"Z", b"X")


def open_process(kept: Record) -> int:
    """A pidfd of the container's first process. ProcessLookupError when it has ended."""
    pidfd = process.pidfd_open(kept.pid)
    if is_alive(kept):
        return pidfd
    os.close(pidfd)
    raise ProcessLookupError(errno.ESRCH, "the container's process has ended")
