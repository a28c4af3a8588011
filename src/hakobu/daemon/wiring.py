"""Every part of an engine, made and connected. The one list of who is given what.

`Engine` only holds what must be opened, served and closed; no part gets it as a whole.
"""

import asyncio
import logging
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from hakobu.daemon.rehearsal import rehearse
from hakobu.daemon.sockets import ScopedSockets
from hakobu.daemon.tables import Containers as ContainerTable
from hakobu.daemon.tables import Networks as NetworkTable
from hakobu.daemon.tidying import Tidying
from hakobu.engine.announce import volume_event
from hakobu.engine.background import Background
from hakobu.engine.bus import Bus
from hakobu.engine.collecting import Collector
from hakobu.engine.commit import Committer
from hakobu.engine.config import EngineConfig, NetworkConfig
from hakobu.engine.containers import ContainerService
from hakobu.engine.copying import Copier
from hakobu.engine.creating import Creator
from hakobu.engine.editing import Editor
from hakobu.engine.ending import Monitor
from hakobu.engine.endpoints import Endpoints, by_kernel
from hakobu.engine.execs import ExecService
from hakobu.engine.health import HealthWatch
from hakobu.engine.image_gc import ImageGc
from hakobu.engine.image_removal import ImageRemover
from hakobu.engine.images import ImageService
from hakobu.engine.logs.forwarding import Forwarding
from hakobu.engine.netbook import NetBook
from hakobu.engine.networks import NetworkService
from hakobu.engine.observing import CgroupFreezer, Observer
from hakobu.engine.planning import Planner
from hakobu.engine.pulling import RegistryPuller
from hakobu.engine.pushing import RegistryPusher
from hakobu.engine.reacting import Reactions
from hakobu.engine.records import Records
from hakobu.engine.recovery import Recovery, remove_strays, stale
from hakobu.engine.registries import RegistryService, registry_settings
from hakobu.engine.removing import Remover
from hakobu.engine.roots import ContainerRoots
from hakobu.engine.services import Image, Services
from hakobu.engine.starting import Gates, Pending, Starter
from hakobu.engine.stopping import Stopper
from hakobu.engine.system import SystemService
from hakobu.engine.thread import OneThread
from hakobu.engine.traces import Traces
from hakobu.engine.updating import Updater
from hakobu.engine.volumes import VolumeService
from hakobu.engine.waiting import Waiters
from hakobu.errors import HakobuError
from hakobu.kernel import capability
from hakobu.kernel.cgroup import Tree, open_tree
from hakobu.network.service import Networking, NetworkSettings
from hakobu.network.steps import publishing_endpoint
from hakobu.runtime.link import Shims
from hakobu.spec.container import Container, ContainerSpec, Status
from hakobu.spec.network import Network, NetworkSpec
from hakobu.spec.plan import Plan
from hakobu.store.open import Stores, open_stores

_log = logging.getLogger("hakobu.daemon")


@dataclass(frozen=True, slots=True)
class Engine:
    """What the process of a daemon opens and closes."""

    config: EngineConfig
    services: Services
    stores: Stores
    shims: Shims
    networking: Networking
    thread: OneThread
    background: Background
    bus: Bus
    records: Records
    book: NetBook
    monitor: Monitor
    recovery: Recovery
    endpoints: Endpoints
    tree: Tree
    forwarding: Forwarding
    plan_for: Callable[[ContainerSpec], Plan]
    traces: Traces
    image_gc: ImageGc
    sockets: ScopedSockets

    async def open(self) -> None:
        """Afterwards the API may answer: everything that runs was adopted."""
        self.stores.pool.went_idle = Tidying(self.stores.pool, self.background).begin
        await self._open_networks()
        self.background.spawn(self.monitor.run(), "monitor")
        for name in stale(self.config.instance.shims_dir, frozenset(c.id for c in self.records)):
            await self.recovery.discard(name)
        await self.recovery.adopt()
        running = frozenset(c.id for c in self.endpoints.running())
        await asyncio.to_thread(remove_strays, self.tree, self.config.instance.cgroup_parent, running)
        await self.forwarding.adopt(self.records)
        await self._restore_networks()
        await self.shims.open()
        self.background.spawn(self.recovery.start_due(), "restart policies")
        self.background.spawn(self._tend(), "housekeeping")
        if (image := next(iter(self.stores.images.all()), None)) is not None:
            self.background.spawn(rehearse(image.id, self.plan_for), "rehearsal")

    async def _open_networks(self) -> None:
        known = tuple(self.book)
        if not self.config.network.default_bridge:
            known = (*known, Network(id="0" * 64, created_ns=0, spec=NetworkSpec(name="bridge")))
        for network in await self.thread.call(self.networking.ensure_default, known):
            await self.book.add(network)

    async def _restore_networks(self) -> None:
        """Bridges, addresses, rules and names of what runs; what was changed on the host is said."""
        running = self.endpoints.running()
        held = [e for c in running for e in c.endpoints]
        leading = ((c, publishing_endpoint(self.endpoints.joined(c))) for c in running if c.ports)
        published = [(c.id, endpoint, by_kernel(c, c.ports)) for c, endpoint in leading if endpoint is not None]
        await self.thread.call(self.networking.restore, tuple(self.book), held, published)
        await self.thread.call(self.networking.resolver_restore, tuple(self.book), running)
        for notice in await self.thread.call(self.networking.take_notices):
            _log.info("%s", notice)

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(10)
            await self._heal_networks()
            await self.image_gc.tick()
            for notice in await self.thread.call(self.networking.take_notices):
                _log.info("%s", notice)

    async def _heal_networks(self) -> None:
        """What others did to the host's rules meanwhile; nearly free where they did nothing."""
        try:
            await self.thread.call(self.networking.heal)
        except HakobuError as error:
            _log.warning("%s", error)

    @property
    def is_needed(self) -> bool:
        """A container that runs or would be started again keeps an on-demand engine alive, as does a scoped socket:
        its clients cannot start an engine."""
        alive = (Status.RUNNING, Status.PAUSED, Status.RESTARTING)
        return bool(self.sockets) or any(c.state.status in alive or c.spec.restart.name != "no" for c in self.records)

    async def close(self) -> None:
        """Without live-restore containers are stopped first; with it they run on."""
        if not self.config.live_restore:
            await self._stop_all()
        self.bus.close()
        await self.background.close()
        self.traces.flush()
        await self.forwarding.close()
        self.shims.close()
        await self._close_networks()
        self.thread.close()
        await asyncio.to_thread(self.image_gc.flush)
        await asyncio.to_thread(self.stores.close)
        if not self.endpoints.running():
            self._remove_cgroup()

    async def _close_networks(self) -> None:
        if not self.endpoints.running():
            try:
                await self.thread.call(self.networking.withdraw)
            except HakobuError as error:
                _log.warning("%s", error)
        await self.thread.call(self.networking.close)

    def _remove_cgroup(self) -> None:
        """The instance's own group, when nothing runs in it; what others put there stays."""
        try:
            self.tree.cgroup(self.config.cgroup_parent or self.config.instance.cgroup_parent).delete()
        except OSError as error:
            _log.debug("the engine's cgroup stays: %s", error)

    async def _stop_all(self) -> None:
        limit = self.config.shutdown_timeout_s
        running = [c.id for c in self.endpoints.running()]
        stops = (self.services.containers.stop(i, min(limit, 10)) for i in running)
        await asyncio.gather(*stops, return_exceptions=True)


def build(config: EngineConfig, shims: Shims) -> Engine:
    """Opens the store; everything else is only made, not started."""
    instance = config.instance
    stores = open_stores(instance)
    for lost in stores.database.lost:
        _log.error("state database: %s", lost)
    for what in (*stores.images.broken, *stores.volumes.broken):
        _log.error("%s", what)
    container_table, network_table = ContainerTable(stores.database, stores.snapshots), NetworkTable(stores.database)
    existing, broken = container_table.load()
    for what in broken:
        _log.error("%s", what)
    records = Records(container_table, existing)
    book = NetBook(network_table, network_table.load())
    bus, background, waiters = Bus(), Background(), Waiters()
    networking, thread = Networking(instance, _network_settings(config.network)), OneThread("hakobu-network")
    endpoints = Endpoints(instance, config.network, networking, thread, book, records, instance.container_dir)
    tree = open_tree()

    roots = ContainerRoots(stores, records, instance.container_dir, partial(volume_event, bus))
    if not stores.database.lost:  # else a directory may hold the one mirror of a container that was not read back
        roots.clean(container_table.ids())
    planner = Planner(
        config,
        records,
        endpoints,
        roots.rootfs,
        roots.layers,
        instance.container_dir,
        tree,
        f"{instance.data_root}/cache",
        capability.held(),
    )
    execs = ExecService(records, shims, bus, planner.exec, planner.told)
    pending, traces, gates = Pending(), Traces(instance.container_dir, planner.told, background), Gates()
    health = HealthWatch(records, execs, bus, background, lambda container: reactions.unhealthy(container))

    def watch(container: Container) -> None:
        health.begin(container)
        reactions.begin(container)

    def unwatch(container_id: str) -> None:
        health.end(container_id)
        reactions.end(container_id)

    def start_failed(container: Container) -> None:
        # without its error: who asked for the start is told, and docker run prints what a wait says beside it
        waiters.exited(container.id, container.state.exit_code)
        if container.spec.auto_remove:
            background.spawn(remover.remove_failed(container.id), f"removal of {container.name}")

    forwarding = Forwarding(instance.container_dir)
    starter = Starter(
        records,
        shims,
        endpoints,
        bus,
        planner.start,
        pending,
        traces,
        gates,
        forwarding.begin,
        watch,
        start_failed,
    )
    freezer = CgroupFreezer(records, planner.cgroup)
    stopper = Stopper(records, shims, bus, waiters, freezer)
    reactions = Reactions(records, stopper, starter, shims, bus, background)

    def forget(container_id: str) -> None:
        traces.forget(container_id)
        gates.forget(container_id)
        forwarding.end(container_id)
        for attachment in pending.take(container_id):
            os.close(attachment.fd)

    remover = Remover(records, stopper, roots, bus, waiters, execs, forget)
    monitor = Monitor(
        records,
        shims,
        endpoints,
        bus,
        waiters,
        execs,
        starter,
        gates,
        background,
        remover.remove_ended,
        unwatch,
        planner.cgroup,
    )
    registries, layer_threads = registry_settings(config), ThreadPoolExecutor(8, "hakobu-layers")
    collector = Collector(stores)
    image_remover = ImageRemover(stores, records, bus, collector)
    image_gc = ImageGc(stores, records, image_remover, config.image_gc)
    images = ImageService(
        stores,
        records,
        bus,
        RegistryPuller(stores, registries, bus, layer_threads),
        RegistryPusher(stores, registries, bus, layer_threads),
        image_remover,
        collector,
    )

    def image_used(ref: str, *, platform: str = "") -> Image:
        image = images.get(ref, platform=platform)
        image_gc.note(image.id)
        return image

    creator = Creator(
        records,
        roots,
        bus,
        image_used,
        lambda ref: book.get(ref).name,
        lambda container_id, driver: _log_path(config, container_id, driver),
        config.log,
    )
    containers = ContainerService(
        records=records,
        creator=creator,
        starter=starter,
        stopper=stopper,
        remover=remover,
        copier=Copier(stores, roots, records, shims),
        committer=Committer(stores, roots, images.record, images.tag),
        observer=Observer(records, planner.cgroup),
        updater=Updater(records, bus, planner.cgroup),
        editor=Editor(records, roots, bus, image_used),
        execs=execs,
        waiters=waiters,
        runtime=shims,
        freezer=freezer,
        net=endpoints,
        events=bus,
        pending=pending,
        traces=traces,
        gates=gates,
        foresee=lambda container: planner.told(planner.foresee(container)),
        ancestors=images.ancestors,
    )
    sockets = ScopedSockets(instance)
    services = Services(
        containers=containers,
        execs=execs,
        images=images,
        networks=NetworkService(instance, book, records, networking, thread, endpoints, shims, bus),
        volumes=VolumeService(stores, records, bus),
        events=bus,
        system=SystemService(config, records, stores, bus, tree, _instance_id(stores), lambda: len(background), health),
        registries=RegistryService(registries),
        sockets=sockets,
    )
    recovery = Recovery(records, shims, monitor, starter, watch, endpoints, bus)
    return Engine(
        config,
        services,
        stores,
        shims,
        networking,
        thread,
        background,
        bus,
        records,
        book,
        monitor,
        recovery,
        endpoints,
        tree,
        forwarding,
        lambda spec: planner.foresee(creator.foresee(spec)),
        traces,
        image_gc,
        sockets,
    )


def _network_settings(config: NetworkConfig) -> NetworkSettings:
    return NetworkSettings(
        default_address_pools=config.address_pools,
        bip=config.bip,
        fixed_cidr=config.fixed_cidr,
        fixed_cidr_v6=config.fixed_cidr_v6,
        default_gateway=config.default_gateway,
        ipv6=config.ipv6,
        icc=config.icc,
        ip_masq=config.masquerade,
        ip_forward=config.ip_forward,
        mtu=config.mtu,
        firewall=config.firewall,
        publish_proxy=config.publish_mode == "proxy",
        dns=config.dns,
    )


def _log_path(config: EngineConfig, container_id: str, driver: str) -> str:
    """Empty for the driver that keeps nothing."""
    if driver == "none":
        return ""
    return f"{config.instance.container_dir(container_id)}/{container_id}-json.log"


def _instance_id(stores: Stores) -> str:
    """Made once, kept in the database."""
    found = stores.database.call(lambda c: c.get_meta("instance_id"))
    if found:
        return found
    made = secrets.token_hex(16)
    stores.database.call(lambda c: c.set_meta("instance_id", made))
    return made
