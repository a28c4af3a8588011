"""Creating a container: its record, its root file system and its volumes; nothing runs yet.

Everything that can be refused is refused before anything is made; what was made is undone when a later part
fails. The name is taken first, so that two creates of one name never both succeed.
"""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from hakobu.engine import namer
from hakobu.engine.announce import container_event
from hakobu.engine.clock import now_ns
from hakobu.engine.failures import NoSuchContainer
from hakobu.engine.logs import drivers
from hakobu.engine.merge import merge
from hakobu.engine.netbook import NoSuchNetwork
from hakobu.engine.ports import Roots
from hakobu.engine.records import Records, check_name
from hakobu.engine.services import CreatedContainer, Events, Image
from hakobu.engine.validate import check_spec
from hakobu.errors import HakobuError, Invalid
from hakobu.spec.container import Container, ContainerSpec, EndpointSpec, Limits
from hakobu.spec.log_config import LogConfig
from hakobu.spec.step import Json


class FindImage(Protocol):
    def __call__(self, ref: str, *, platform: str = "") -> Image: ...


class CheckNetwork(Protocol):
    def __call__(self, ref: str) -> str:
        """The network's name; raises when there is none."""
        ...


class LogPath(Protocol):
    def __call__(self, container_id: str, driver: str) -> str: ...


class Creator:
    """Creates containers from specifications."""

    def __init__(
        self,
        records: Records,
        roots: Roots,
        events: Events,
        image: FindImage,
        network: CheckNetwork,
        log_path: LogPath,
        default_log: LogConfig,
    ) -> None:
        self._default_log = default_log
        self._records, self._roots, self._events = records, roots, events
        self._image, self._network, self._log_path = image, network, log_path

    async def create(self, spec: ContainerSpec, name: str, platform: str = "") -> CreatedContainer:
        """Of the answers "not found" is kept for the image: docker's client pulls it at one, whatever the text."""
        image = self._image(spec.image, platform=platform)
        try:
            return await self._create(spec, name, image)
        except NoSuchContainer as e:
            raise Invalid(str(e), field="HostConfig") from e

    async def _create(self, spec: ContainerSpec, name: str, image: Image) -> CreatedContainer:
        warnings = check_spec(spec, self._records)
        container = self.describe(spec, image)
        container = replace(container, name=self._take_name(name, container.id))
        try:
            await self._make(container)
        except BaseException:
            with contextlib.suppress(HakobuError):
                await self._records.remove(container.id)
            self._records.unreserve(container.name, container.id)
            await self._roots.remove(container.id)
            raise
        container_event(self._events, container, "create")
        return CreatedContainer(container.id, warnings)

    async def _make(self, container: Container) -> None:
        """Without volumes, which are filled from the image, one commit holds snapshot and record."""
        prepared = await self._roots.prepare(container.id, container.image_id)
        if container.spec.mounts or container.spec.volumes_from or container.volumes:
            await prepared
            container = replace(container, mounts=await self._roots.volumes(container))
        await asyncio.gather(self._records.add(container), prepared)

    def _take_name(self, wanted: str, container_id: str) -> str:
        name = check_name(wanted) if wanted else namer.choose(lambda n: self._records.holder_of(n) is not None)
        self._records.reserve(name, container_id)
        return name

    def foresee(self, spec: ContainerSpec) -> Container:
        """The container a create would make, for a plan of its start; nothing is made."""
        return replace(self.describe(spec, self._image(spec.image)), name="preview")

    def describe(self, spec: ContainerSpec, image: Image) -> Container:
        """The container a create would make, without a name and without making it. Pure but for its id."""
        container_id = secrets.token_hex(32)
        merged = merge(spec, image_config(image))
        spec = replace(spec, endpoints=self._endpoints(spec), log=self._log(spec.log), limits=_with_swap(spec.limits))
        driver = spec.log.driver
        return Container(
            id=container_id,
            name="",
            created_ns=now_ns(),
            spec=spec,
            image_id=image.id,
            image_ref=spec.image,
            platform="linux",
            entrypoint=merged.entrypoint,
            command=merged.command,
            env=merged.env,
            working_dir=merged.working_dir,
            user=merged.user,
            hostname=self._hostname(spec, container_id),
            labels=merged.labels,
            exposed_ports=merged.exposed_ports,
            volumes=merged.volumes,
            stop_signal=merged.stop_signal,
            healthcheck=merged.healthcheck,
            log_path=self._log_path(container_id, driver),
        )

    def _hostname(self, spec: ContainerSpec, container_id: str) -> str:
        """Who shares a network namespace shares the name that its hosts file knows."""
        if spec.network_mode.startswith("container:"):
            return self._records.get(spec.network_mode.removeprefix("container:")).hostname
        return _hostname(spec, container_id)

    def _log(self, given: LogConfig) -> LogConfig:
        """Without a driver the engine's default, its options included; a driver that does not exist is refused."""
        if not given.driver:
            options = {**self._default_log.options, **given.options}
            given = LogConfig(driver=self._default_log.driver or "json-file", options=options)
        drivers.check(given)
        return given

    def _endpoints(self, spec: ContainerSpec) -> tuple[EndpointSpec, ...]:
        """The networks it is to join; the mode names the first one. `host` and `none` are networks too, and alone."""
        mode = spec.network_mode or "default"
        if mode.startswith("container:"):
            return ()
        if spec.network_disabled or mode in ("none", "host"):
            return (EndpointSpec(network="host" if mode == "host" else "none"),)
        first = "bridge" if mode in ("default", "bridge") else mode
        known = {self._named(e.network if e.network != "default" else "bridge"): e for e in spec.endpoints}
        first_name = self._named(first)
        chosen = known.pop(first_name, EndpointSpec(network=first_name))
        return (
            replace(chosen, network=first_name),
            *(replace(endpoint, network=name) for name, endpoint in known.items()),
        )

    def _named(self, ref: str) -> str:
        """A network that is not there is the start's error, as with Docker, whose clients pull at a create's 404."""
        try:
            return self._network(ref)
        except NoSuchNetwork:
            return ref


def image_config(image: Image) -> Mapping[str, Json]:
    config = image.config.get("config")
    return config if isinstance(config, dict) else {}


def _with_swap(limits: Limits) -> Limits:
    """Docker's default, which inspect shows and an update is held against: as much swap again as memory."""
    if limits.memory_bytes <= 0 or limits.memory_swap_bytes:
        return limits
    return replace(limits, memory_swap_bytes=2 * limits.memory_bytes)


def _hostname(spec: ContainerSpec, container_id: str) -> str:
    if spec.hostname:
        return spec.hostname
    if spec.namespaces.uts == "host" or spec.network_mode == "host":
        return socket.gethostname()
    return container_id[:12]
