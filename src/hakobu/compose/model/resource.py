"""Limits: `deploy` as far as one machine carries it out, ulimits, devices, files by reference, logging."""

from dataclasses import dataclass, field
from typing import Any

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.document import compact, mapping, number
from hakobu.compose.model.machine import read_reservations
from hakobu.compose.model.reading import (
    Reader,
    format_duration,
    read_choice,
    read_duration,
    read_each,
    read_fields,
    read_int,
    read_labels,
    read_mapping,
    read_number,
    read_options,
    read_shape,
    read_size,
    read_string,
    read_text,
    read_texts,
    typed,
)
from hakobu.compose.node import MappingNode, Node, Scalar
from hakobu.spec.step import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Limits or reservations; zero is unset."""

    cpus: float = 0
    memory: int = 0
    pids: int = 0
    devices: tuple[dict[str, Json], ...] = ()
    generic_resources: tuple[Json, ...] = ()

    def to_json(self) -> Json:
        memory = str(self.memory) if self.memory else ""
        return compact(
            [
                ("cpus", number(self.cpus)),
                ("memory", memory),
                ("pids", self.pids),
                ("devices", [*self.devices]),
                ("generic_resources", [*self.generic_resources]),
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateConfig:
    """How replicas are replaced. Durations are nanoseconds; `parallelism` 0 is all at once, None is one."""

    parallelism: int | None = None
    delay: int = 0
    failure_action: str = ""
    monitor: int = 0
    max_failure_ratio: float = 0
    order: str = ""

    def to_json(self) -> Json:
        document: dict[str, Json] = {} if self.parallelism is None else {"parallelism": self.parallelism}
        return document | compact(
            [
                ("delay", format_duration(self.delay) if self.delay else ""),
                ("failure_action", self.failure_action),
                ("monitor", format_duration(self.monitor) if self.monitor else ""),
                ("max_failure_ratio", number(self.max_failure_ratio)),
                ("order", self.order),
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRestart:
    """`deploy.restart_policy`; times in nanoseconds."""

    condition: str = ""
    delay: int | None = None
    max_attempts: int | None = None
    window: int | None = None

    def to_json(self) -> Json:
        document = compact([("condition", self.condition)])
        if self.delay is not None:
            document["delay"] = format_duration(self.delay)
        if self.max_attempts is not None:
            document["max_attempts"] = self.max_attempts
        if self.window is not None:
            document["window"] = format_duration(self.window)
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """`deploy`, also what is for clusters alone."""

    mode: str = ""
    replicas: int | None = None
    labels: tuple[tuple[str, str], ...] = ()
    limits: Resources | None = None
    reservations: Resources | None = None
    restart_policy: DeployRestart | None = None
    update_config: UpdateConfig | None = None
    rollback_config: UpdateConfig | None = None
    placement: dict[str, Json] = field(default_factory=dict[str, Json])
    endpoint_mode: str = ""

    def to_json(self) -> Json:
        document = compact([("mode", self.mode)])
        if self.replicas is not None:
            document["replicas"] = self.replicas
        if self.labels:
            document["labels"] = mapping(dict(self.labels))
        for name, update in (("update_config", self.update_config), ("rollback_config", self.rollback_config)):
            if update:
                document[name] = update.to_json()
        resources: dict[str, Json] = {}
        if self.limits:
            resources["limits"] = self.limits.to_json()
        if self.reservations:
            resources["reservations"] = self.reservations.to_json()
        document["resources"] = resources
        if self.restart_policy:
            document["restart_policy"] = self.restart_policy.to_json()
        document["placement"] = self.placement
        return document | compact([("endpoint_mode", self.endpoint_mode)])


def read_deploy(node: Node, path: str) -> Deploy | None:
    if isinstance(node, Scalar) and node.is_null:
        return None
    parts = read_fields(
        node,
        path,
        {
            "mode": read_string,
            "replicas": read_int,
            "labels": lambda n, p: tuple(read_labels(n, p).items()),
            "resources": _read_resources,
            "restart_policy": _read_restart,
            "update_config": _read_update,
            "rollback_config": _read_update,
            "placement": _read_placement,
            "endpoint_mode": read_string,
        },
    )
    resources: dict[str, Any] = parts.pop("resources", {})
    return Deploy(**parts, **resources)


def _read_resources(node: Node, path: str) -> dict[str, Any]:
    return read_fields(node, path, {"limits": _read_limits, "reservations": _read_reservations})


_AMOUNTS: dict[str, Reader] = {"cpus": read_number, "memory": read_size}


def _read_limits(node: Node, path: str) -> Resources:
    return Resources(**read_fields(node, path, {**_AMOUNTS, "pids": read_int}))


def _read_reservations(node: Node, path: str) -> Resources:
    more: dict[str, Reader] = {"devices": read_reservations, "generic_resources": _read_generic}
    return Resources(**read_fields(node, path, {**_AMOUNTS, **more}))


def _read_generic(node: Node, path: str) -> tuple[Json, ...]:
    spec: dict[str, Reader] = {"kind": read_string, "value": read_int}
    shape: dict[str, Reader] = {"discrete_resource_spec": lambda n, p: read_shape(n, p, spec)}
    return tuple(read_each(node, path, lambda n, p: read_shape(n, p, shape)))


def _read_update(node: Node, path: str) -> UpdateConfig:
    fields = read_fields(
        node,
        path,
        {
            "parallelism": read_int,
            "delay": read_duration,
            "failure_action": read_string,
            "monitor": read_duration,
            "max_failure_ratio": read_number,
            "order": lambda n, p: read_choice(n, p, ("start-first", "stop-first")),
        },
    )
    return UpdateConfig(**fields)


def _read_placement(node: Node, path: str) -> dict[str, Json]:
    def preferences(node: Node, path: str) -> Json:
        return list[Json](read_each(node, path, lambda n, p: read_shape(n, p, {"spread": read_string})))

    shape: dict[str, Reader] = {
        "constraints": read_texts,
        "preferences": preferences,
        "max_replicas_per_node": read_int,
    }
    return read_shape(node, path, shape)


def _read_restart(node: Node, path: str) -> DeployRestart:
    fields = read_fields(
        node,
        path,
        {
            "condition": read_string,
            "max_attempts": read_int,
            "delay": read_duration,
            "window": read_duration,
        },
    )
    return DeployRestart(**fields)


@dataclass(frozen=True, slots=True)
class Ulimit:
    """`single` sets both."""

    soft: int
    hard: int
    single: bool = False

    def to_json(self) -> Json:
        if self.single and self.soft:
            return self.soft
        return compact([("soft", self.soft), ("hard", self.hard)])


def read_ulimits(node: Node, path: str) -> dict[str, Ulimit]:
    return {name: _read_ulimit(value, f"{path}.{name}") for name, value in sorted(read_mapping(node, path))}


def _read_ulimit(node: Node, path: str) -> Ulimit:
    if isinstance(node, Scalar):
        value = read_int(node, path)
        return Ulimit(value, value, True)
    fields = read_fields(node, path, {"soft": read_int, "hard": read_int}, ("soft", "hard"))
    return Ulimit(fields["soft"], fields["hard"])


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the host, and its path in the container."""

    source: str
    target: str
    permissions: str = ""

    def to_json(self) -> Json:
        return compact([("source", self.source), ("target", self.target), ("permissions", self.permissions)])


def read_devices(node: Node, path: str) -> tuple[Device, ...]:
    return tuple(read_each(node, path, _read_device))


def _read_device(node: Node, path: str) -> Device:
    if isinstance(node, MappingNode):
        shape: dict[str, Reader] = dict.fromkeys(("source", "target", "permissions"), read_string)
        return Device(**read_fields(node, path, shape, ("source", "target")))
    parts = read_string(node, path).split(":")
    if len(parts) > 3 or not parts[0]:
        raise BadComposeFile(node.mark, "is not a device", path=path, hint="write /dev/HOST[:/dev/CONTAINER[:rwm]]")
    return Device(parts[0], parts[1] if len(parts) > 1 else parts[0], parts[2] if len(parts) > 2 else "rwm")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReference:
    """A config or secret as a service takes it; `mode` None leaves the file's own."""

    source: str
    target: str = ""
    uid: str = ""
    gid: str = ""
    mode: int | None = None

    def to_json(self) -> Json:
        mode = "" if self.mode is None else f"0{self.mode:o}"
        return compact(
            [("source", self.source), ("target", self.target), ("uid", self.uid), ("gid", self.gid), ("mode", mode)]
        )


def read_file_references(node: Node, path: str, default_directory: str = "") -> tuple[FileReference, ...]:
    """Configs and secrets; a secret's default target is below `default_directory`."""
    return tuple(read_each(node, path, lambda n, p: _read_reference(n, p, default_directory)))


def _read_reference(node: Node, path: str, default_directory: str) -> FileReference:
    if isinstance(node, Scalar):
        source = read_string(node, path)
        return FileReference(source=source, target=f"{default_directory}/{source}" if default_directory else "")
    fields = read_fields(
        node,
        path,
        {"source": read_string, "target": read_string, "uid": read_text, "gid": read_text, "mode": _read_mode},
        ("source",),
    )
    source = str(fields["source"])
    if default_directory and not fields.get("target"):
        fields["target"] = f"{default_directory}/{source}"
    return FileReference(**fields)


def _read_mode(node: Node, path: str) -> int:
    value = typed(node, path, "a file mode")
    if isinstance(value, str):
        try:
            return int(value, 8)
        except ValueError:
            raise BadComposeFile(node.mark, f"is not a file mode: {value!r}", path=path) from None
    return read_int(node, path)


@dataclass(frozen=True, slots=True)
class Logging:
    """`logging`: the driver, and its options."""

    driver: str = ""
    options: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> Json:
        return compact([("driver", self.driver), ("options", mapping(dict(self.options)))])


def read_logging(node: Node, path: str) -> Logging:
    fields = read_fields(node, path, {"driver": read_string, "options": lambda n, p: tuple(read_options(n, p).items())})
    return Logging(**fields)
