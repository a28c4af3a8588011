"""`AsyncEngine`: the calls of `Engine` for an event loop, each in a thread of its own pool.

    async with AsyncEngine() as engine:
        print(await engine.containers.list(all=True))
        async for event in engine.events():
            ...

The methods are `Engine`'s, parameter for parameter: there is one description of the API, in the blocking
modules. A stream is read by one thread a piece at a time, and a piece is fetched only when it is asked for;
leaving its loop closes its connection. (`asyncio_door` speaks HTTP on the loop itself, without these calls.)
"""

from __future__ import annotations

import asyncio
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from hakobu.client.container import Containers, Waiter
from hakobu.client.engine import Engine
from hakobu.client.execution import Execs
from hakobu.client.image import Images
from hakobu.client.network import Networks
from hakobu.client.running import ExecResult, RunningContainer
from hakobu.client.system import System
from hakobu.client.volume import Volumes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from hakobu.client.endpoint import Endpoint
    from hakobu.client.transport import Response

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_THREADS = 64
_END = object()


class _Door(Protocol[T_co]):
    """An asynchronous object: the blocking one behind it, and the pool its calls run in."""

    @property
    def target(self) -> T_co: ...

    @property
    def pool(self) -> ThreadPoolExecutor: ...


class Door(Generic[T]):
    """A blocking object, reached through threads."""

    def __init__(self, target: T, pool: ThreadPoolExecutor) -> None:
        self.target = target
        self.pool = pool


def threaded(method: Callable[Concatenate[T, P], R]) -> Callable[Concatenate[_Door[T], P], Awaitable[R]]:
    """The same call, awaited."""

    @functools.wraps(method)
    async def call(self: _Door[T], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, functools.partial(method, self.target, *args, **kwargs))

    return call


class AsyncStream(Generic[R]):
    """What a blocking iterator gives, for `async for`; `close` when done, or use it in `async with`."""

    def __init__(
        self, pool: ThreadPoolExecutor, open_: Callable[[], Response], read: Callable[[Response], Iterator[R]]
    ) -> None:
        self._pool = pool
        self._open = open_
        self._read = read
        self._response: Response | None = None
        self._closed = False

    def _opened(self) -> Response:
        """In a thread: whoever asked may have left before the answer came."""
        response = self._response = self._open()
        if self._closed:
            response.abort()
        return response

    async def __aiter__(self) -> AsyncIterator[R]:
        loop = asyncio.get_running_loop()
        try:
            items = self._read(await loop.run_in_executor(self._pool, self._opened))
            while (item := await loop.run_in_executor(self._pool, next, items, _END)) is not _END:
                yield item  # pyright: ignore[reportReturnType]
        finally:
            await self.close()

    async def close(self) -> None:
        """Breaks the connection off: a thread that still reads from it comes back at once."""
        self._closed = True
        if self._response is not None:
            self._response.abort()

    async def __aenter__(self) -> AsyncStream[R]:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _objects(response: Response) -> Iterator[Any]:
    return response.objects()


def _watched(containers: Containers, container: str, condition: str) -> Response:
    return containers.wait(container, condition).response


def _status(response: Response) -> Iterator[int]:
    yield Waiter(response).result()[0]


class AsyncContainers(Door[Containers]):
    """`Engine.containers`; logs and statistics are streams."""

    list = threaded(Containers.list)
    create = threaded(Containers.create)
    inspect = threaded(Containers.inspect)
    start = threaded(Containers.start)
    stop = threaded(Containers.stop)
    restart = threaded(Containers.restart)
    kill = threaded(Containers.kill)
    pause = threaded(Containers.pause)
    unpause = threaded(Containers.unpause)
    rename = threaded(Containers.rename)
    resize = threaded(Containers.resize)
    update = threaded(Containers.update)
    remove = threaded(Containers.remove)
    top = threaded(Containers.top)
    changes = threaded(Containers.changes)
    stat_archive = threaded(Containers.stat_archive)
    put_archive = threaded(Containers.put_archive)
    commit = threaded(Containers.commit)
    prune = threaded(Containers.prune)

    async def wait(self, container: str, condition: str = "") -> int:
        """Waits until it ended (`not-running`, `next-exit`, `removed`); gives its exit status."""
        opened = functools.partial(_watched, self.target, container, condition)
        async with AsyncStream(self.pool, opened, _status) as statuses:
            return await anext(aiter(statuses))

    def stats(self, container: str) -> AsyncStream[Any]:
        """Samples as they come, about one a second."""
        return AsyncStream(self.pool, functools.partial(self.target.stats, container), _objects)

    def logs(self, container: str, *, follow: bool = False, tty: bool = False, tail: str = "all") -> AsyncStream[str]:
        """Its output line by line; with `follow` until it ends. `tty`: it has a terminal, so one raw stream."""
        from hakobu.client.output import lines

        def read(response: Response) -> Iterator[str]:
            return (line.decode("utf-8", "replace") for _, line in lines(response, tty=tty))

        return AsyncStream(self.pool, functools.partial(self.target.logs, container, follow=follow, tail=tail), read)


class AsyncExecs(Door[Execs]):
    """`Engine.execs`."""

    create = threaded(Execs.create)
    start_detached = threaded(Execs.start_detached)
    resize = threaded(Execs.resize)
    inspect = threaded(Execs.inspect)


class AsyncImages(Door[Images]):
    """`Engine.images`; pulling gives its messages as a stream."""

    list = threaded(Images.list)
    inspect = threaded(Images.inspect)
    history = threaded(Images.history)
    tag = threaded(Images.tag)
    remove = threaded(Images.remove)
    prune = threaded(Images.prune)
    search = threaded(Images.search)

    def pull(self, image: str, tag: str = "latest", *, platform: str = "", registry_auth: str = "") -> AsyncStream[Any]:
        """Progress messages until it is there; StreamError at one that tells of a failure."""
        from hakobu.client.progress import messages

        opened = functools.partial(self.target.pull, image, tag, platform=platform, registry_auth=registry_auth)
        return AsyncStream(self.pool, opened, messages)


class AsyncNetworks(Door[Networks]):
    """`Engine.networks`."""

    list = threaded(Networks.list)
    inspect = threaded(Networks.inspect)
    create = threaded(Networks.create)
    remove = threaded(Networks.remove)
    connect = threaded(Networks.connect)
    disconnect = threaded(Networks.disconnect)
    prune = threaded(Networks.prune)


class AsyncVolumes(Door[Volumes]):
    """`Engine.volumes`."""

    list = threaded(Volumes.list)
    inspect = threaded(Volumes.inspect)
    create = threaded(Volumes.create)
    remove = threaded(Volumes.remove)
    prune = threaded(Volumes.prune)


class AsyncSystem(Door[System]):
    """`Engine.system`."""

    ping = threaded(System.ping)
    version = threaded(System.version)
    info = threaded(System.info)
    disk_usage = threaded(System.disk_usage)


class AsyncRunningContainer(Door[RunningContainer]):
    """A container that was started; `async with` removes it at the end."""

    @property
    def id(self) -> str:
        return self.target.id

    inspect = threaded(RunningContainer.inspect)
    exec: Callable[..., Awaitable[ExecResult]] = threaded(RunningContainer.exec)
    address = threaded(RunningContainer.address)
    wait = threaded(RunningContainer.wait)
    wait_ready = threaded(RunningContainer.wait_ready)
    stop = threaded(RunningContainer.stop)
    kill = threaded(RunningContainer.kill)
    remove = threaded(RunningContainer.remove)

    async def __aenter__(self) -> AsyncRunningContainer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.remove()


class AsyncEngine:
    """The engine at `endpoint` (an `Endpoint`, a URL, or None for the caller's own)."""

    def __init__(self, endpoint: Endpoint | str | None = None, *, version: str = "") -> None:
        self.blocking = Engine(endpoint, version=version)
        self.pool = ThreadPoolExecutor(_THREADS, "hakobu-client")
        self.containers = AsyncContainers(self.blocking.containers, self.pool)
        self.execs = AsyncExecs(self.blocking.execs, self.pool)
        self.images = AsyncImages(self.blocking.images, self.pool)
        self.networks = AsyncNetworks(self.blocking.networks, self.pool)
        self.volumes = AsyncVolumes(self.blocking.volumes, self.pool)
        self.system = AsyncSystem(self.blocking.system, self.pool)

    async def run(self, image: str, command: list[str] | None = None, **options: Any) -> AsyncRunningContainer:
        """Creates and starts a container; the options are those of `Engine.run`."""
        call = functools.partial(self.blocking.run, image, command, **options)
        started = await asyncio.get_running_loop().run_in_executor(self.pool, call)
        return AsyncRunningContainer(started, self.pool)

    def events(self, **query: Any) -> AsyncStream[Any]:
        """Events as they happen; the parameters are those of `Engine.system.events`."""
        return AsyncStream(self.pool, functools.partial(self.blocking.system.events, **query), _objects)

    async def close(self) -> None:
        self.blocking.close()
        self.pool.shutdown(wait=False)

    async def __aenter__(self) -> AsyncEngine:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
