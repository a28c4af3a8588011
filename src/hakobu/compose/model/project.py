"""A project: its services, and the networks, volumes, secrets and configs they use.

`Project.services` holds what is to run; a service outside the active profiles is in `disabled`.
"""

from dataclasses import dataclass, field

from hakobu.compose.failure import NOWHERE, Mark, NoSuchService
from hakobu.compose.model.document import compact, mapping
from hakobu.compose.model.service import Service
from hakobu.compose.node import MappingNode, Node
from hakobu.spec.step import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Addresses of a network; those of `aux_addresses` are given to nobody."""

    subnet: str = ""
    gateway: str = ""
    ip_range: str = ""
    aux_addresses: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Json]:
        return compact(
            [
                ("subnet", self.subnet),
                ("gateway", self.gateway),
                ("ip_range", self.ip_range),
                ("aux_addresses", mapping(dict(self.aux_addresses))),
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """`name` is the engine's name of it; `key` what services call it."""

    key: str
    name: str
    driver: str = ""
    driver_opts: dict[str, str] = field(default_factory=dict[str, str])
    ipam_driver: str = ""
    pools: tuple[Pool, ...] = ()
    external: bool = False
    internal: bool = False
    attachable: bool = False
    labels: dict[str, str] = field(default_factory=dict[str, str])
    enable_ipv4: bool | None = None
    enable_ipv6: bool | None = None

    def to_json(self) -> dict[str, Json]:
        pools: list[Json] = [pool.to_json() for pool in self.pools]
        document: dict[str, Json] = compact([("name", self.name), ("driver", self.driver)])
        if self.driver_opts:
            document["driver_opts"] = mapping(self.driver_opts)
        document["ipam"] = compact([("driver", self.ipam_driver), ("config", pools)])
        document |= compact([("external", self.external), ("internal", self.internal), ("attachable", self.attachable)])
        if self.labels:
            document["labels"] = mapping(self.labels)
        for name, value in (("enable_ipv4", self.enable_ipv4), ("enable_ipv6", self.enable_ipv6)):
            if value is not None:
                document[name] = value
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """`key` is its name in the files, `name` that in the engine."""

    key: str
    name: str
    driver: str = ""
    driver_opts: dict[str, str] = field(default_factory=dict[str, str])
    external: bool = False
    labels: dict[str, str] = field(default_factory=dict[str, str])

    def to_json(self) -> dict[str, Json]:
        return compact(
            [
                ("name", self.name),
                ("driver", self.driver),
                ("driver_opts", mapping(self.driver_opts)),
                ("external", self.external),
                ("labels", mapping(self.labels)),
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileObject:
    """A secret or config: one of `file` (absolute), `environment` (a variable's name), `content`, or external."""

    key: str
    name: str
    file: str = ""
    environment: str = ""
    content: str = ""
    external: bool = False
    labels: dict[str, str] = field(default_factory=dict[str, str])
    driver: str = ""
    driver_opts: dict[str, str] = field(default_factory=dict[str, str])
    template_driver: str = ""

    def to_json(self) -> dict[str, Json]:
        return compact(
            [
                ("name", self.name),
                ("file", self.file),
                ("environment", self.environment),
                ("content", self.content),
                ("external", self.external),
                ("labels", mapping(self.labels)),
                ("driver", self.driver),
                ("driver_opts", mapping(self.driver_opts)),
                ("template_driver", self.template_driver),
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """`disabled` are services whose profiles are not active; `document` is the merged files, with where parts stand."""

    name: str
    directory: str
    files: tuple[str, ...]
    env_files: tuple[str, ...] = ()
    services: dict[str, Service] = field(default_factory=dict[str, Service])
    disabled: dict[str, Service] = field(default_factory=dict[str, Service])
    networks: dict[str, Network] = field(default_factory=dict[str, Network])
    volumes: dict[str, Volume] = field(default_factory=dict[str, Volume])
    secrets: dict[str, FileObject] = field(default_factory=dict[str, FileObject])
    configs: dict[str, FileObject] = field(default_factory=dict[str, FileObject])
    models: dict[str, dict[str, Json]] = field(default_factory=dict[str, dict[str, Json]])
    document: MappingNode = field(default_factory=lambda: MappingNode({}, {}), repr=False, compare=False)
    environment: dict[str, str] = field(default_factory=dict[str, str])
    show_unused: bool = False

    def service(self, name: str) -> Service:
        """A service by its name, active or not; `NoSuchService` otherwise."""
        found = self.services.get(name) or self.disabled.get(name)
        if found is None:
            raise NoSuchService(name)
        return found

    def image_of(self, service: Service) -> str:
        """The image's name: that of the project and the service where it is only built."""
        return service.image or f"{self.name}-{service.name}"

    def mark(self, *path: str) -> Mark:
        """Where the files say this: `mark("services", "web", "ports")`; the nearest place above that they have."""
        node: Node = self.document
        found = NOWHERE
        for key in path:
            if not isinstance(node, MappingNode) or key not in node.entries:
                return found
            node, found = node.entries[key], node.mark_of(key)
        return found

    def with_dependencies(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """These services and all they depend on, dependencies first; all active ones where none is named."""
        ordered: dict[str, None] = {}

        def visit(name: str, optional: bool) -> None:
            if name in ordered or (optional and name not in self.services):
                return
            for other, dependency in self.service(name).depends_on.items():
                visit(other, not dependency.required)
            ordered[name] = None

        for name in names or tuple(self.services):
            visit(name, False)
        return tuple(ordered)
