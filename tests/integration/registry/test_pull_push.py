"""Pull and push against a real registry on loopback, and through a proxy that fails in the ways registries do."""

import asyncio
import contextlib
import gzip
import hashlib
import json
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hakobu.errors import HakobuError
from hakobu.registry.blob import Sink
from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import RegistrySettings
from hakobu.registry.failure import BlobMismatch, NotFoundInRegistry, RegistryFailed, RegistryUnreachable, Unauthorized
from hakobu.registry.pull import Resolved, pull
from hakobu.registry.push import log_in, push
from hakobu.spec.descriptor import OCI_CONFIG, OCI_LAYER_GZIP, Descriptor
from hakobu.spec.digest import Digest
from hakobu.spec.image_config import new_config
from hakobu.spec.manifest import Manifest
from hakobu.spec.platform import Platform
from hakobu.spec.reference import Reference

from .faults import Faults, proxy

REGISTRY = shutil.which("docker-registry")
pytestmark = pytest.mark.skipif(REGISTRY is None, reason="docker-registry is not installed")
NOBODY = Credentials()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def serving(directory: Path, auth: str = "") -> Iterator[int]:
    port = free_port()
    config = directory / "config.yml"
    config.write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {directory}/data\n  delete:\n    enabled: true\n"
        f"http:\n  addr: 127.0.0.1:{port}\nlog:\n  level: error\n{auth}"
    )
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen([str(REGISTRY), "serve", str(config)], stdout=log, stderr=log)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving(tmp_path_factory.mktemp("registry")) as port:
        yield port


class Image:
    """Two layers that gzip cannot shrink, a configuration, a manifest."""

    def __init__(self, seed: int = 1) -> None:
        chance = random.Random(seed)
        plain = [chance.randbytes(300_000), chance.randbytes(50_000)]
        self.blobs: dict[Digest, bytes] = {}
        packed = [gzip.compress(p, 1, mtime=0) for p in plain]
        layers = tuple(self._add(p, OCI_LAYER_GZIP) for p in packed)
        self.diff_ids = tuple(Digest.of(p) for p in plain)
        config = new_config(platform=Platform(), created="2024-01-01T00:00:00Z", diff_ids=self.diff_ids)
        self.manifest = Manifest(config=self._add(config, OCI_CONFIG), layers=layers)

    def _add(self, data: bytes, media_type: str) -> Descriptor:
        digest = Digest.of(data)
        self.blobs[digest] = data
        return Descriptor(media_type=media_type, digest=digest, size=len(data))

    async def open(self, descriptor: Descriptor) -> AsyncIterator[bytes]:
        data = self.blobs[descriptor.digest]
        for at in range(0, len(data), 65536):
            yield data[at : at + 65536]


class Keeper:
    """A store in memory that verifies both digests of a layer, as the real one does."""

    def __init__(self) -> None:
        self.layers: dict[Digest, bytes] = {}
        self.images: list[Resolved] = []
        self.open_sinks = 0

    def has_layer(self, diff_id: Digest, layer: Descriptor) -> bool:
        return diff_id in self.layers

    async def open_layer(self, diff_id: Digest, layer: Descriptor) -> Sink:
        self.open_sinks += 1
        return KeptLayer(self, diff_id, layer)

    def is_current(self, resolved: Resolved) -> bool:
        return any(i.digest == resolved.digest for i in self.images)

    async def commit(self, resolved: Resolved) -> None:
        self.images.append(resolved)


class KeptLayer:
    def __init__(self, keeper: Keeper, diff_id: Digest, layer: Descriptor) -> None:
        self.keeper, self.diff_id, self.layer, self.data = keeper, diff_id, layer, b""

    async def write(self, data: bytes) -> None:
        self.data += data

    async def finish(self) -> None:
        self.keeper.open_sinks -= 1
        if Digest.of(self.data) != self.layer.digest:
            raise BlobMismatch(self.layer.digest, str(Digest.of(self.data)))
        plain = gzip.decompress(self.data)
        assert hashlib.sha256(plain).hexdigest() == self.diff_id.hex
        self.keeper.layers[self.diff_id] = plain

    async def abandon(self) -> None:
        self.keeper.open_sinks -= 1


def reference(port: int, name: str = "team/app:v1") -> Reference:
    return Reference.parse(f"127.0.0.1:{port}/{name}")


async def do_push(port: int, image: Image, name: str = "team/app:v1", credentials: Credentials = NOBODY) -> list[dict]:
    told: list[dict] = []
    await push(
        reference(port, name),
        image.manifest,
        image.open,
        credentials=credentials,
        settings=RegistrySettings(),
        tell=told.append,
    )
    return told


async def do_pull(
    port: int, keeper: Keeper, name: str = "team/app:v1", credentials: Credentials = NOBODY
) -> list[dict]:
    told: list[dict] = []
    try:
        await pull(
            reference(port, name),
            keeper,
            platform=Platform(),
            credentials=credentials,
            settings=RegistrySettings(),
            tell=told.append,
        )
    finally:
        assert keeper.open_sinks == 0
    return told


def statuses(told: list[dict]) -> list[str]:
    return list(dict.fromkeys(str(t.get("status")) for t in told))


def test_push_then_pull_in_docker_s_words(registry: int) -> None:
    image, keeper = Image(), Keeper()

    async def go() -> None:
        told = await do_push(registry, image)
        assert statuses(told)[:2] == [f"The push refers to repository [127.0.0.1:{registry}/team/app]", "Preparing"]
        assert told[-1]["aux"]["Tag"] == "v1"
        assert "Layer already exists" in statuses(await do_push(registry, image))
        told = await do_pull(registry, keeper)
        assert statuses(told)[:3] == ["Pulling from team/app", "Pulling fs layer", "Downloading"]
        assert "Pull complete" in statuses(told)
        digest = Digest.of(image.manifest.to_bytes())
        assert statuses(told)[-2:] == [
            f"Digest: {digest}",
            f"Status: Downloaded newer image for 127.0.0.1:{registry}/team/app:v1",
        ]
        again = statuses(await do_pull(registry, keeper))
        assert "Already exists" in again
        assert again[-1] == f"Status: Image is up to date for 127.0.0.1:{registry}/team/app:v1"
        by_digest = statuses(await do_pull(registry, Keeper(), f"team/app@{digest}"))
        assert by_digest[-1].endswith(f"team/app@{digest}")

    asyncio.run(go())
    assert set(keeper.layers) == set(image.diff_ids)


def test_what_is_not_there_is_said_as_docker_says_it(registry: int) -> None:
    with pytest.raises(NotFoundInRegistry, match=r"manifest for 127.0.0.1:\d+/no/such:tag not found: manifest unknown"):
        asyncio.run(do_pull(registry, Keeper(), "no/such:tag"))


@pytest.mark.parametrize("kind", ["close", "500", "429", "lie"])
def test_a_fault_that_passes_costs_nothing_but_time(registry: int, kind: str) -> None:
    image, keeper = Image(2), Keeper()
    faults = Faults(kind=kind, path=f"/blobs/{image.manifest.layers[0].digest}")

    async def go() -> None:
        await do_push(registry, image, "faults/app:v1")
        async with proxy(registry, faults) as port:
            await do_pull(port, keeper, "faults/app:v1")

    asyncio.run(go())
    assert set(keeper.layers) == set(image.diff_ids)
    assert len(keeper.images) == 1
    if kind == "close":
        ranges = [h["Range"] for _, h in faults.log if "Range" in h]
        assert ranges and ranges[0] != "bytes=0-"


@pytest.mark.parametrize(
    ("kind", "error"), [("lie", BlobMismatch), ("500", RegistryFailed), ("redirect", RegistryFailed)]
)
def test_a_fault_that_stays_ends_the_pull_with_nothing_recorded(
    registry: int, kind: str, error: type[HakobuError]
) -> None:
    image, keeper = Image(3), Keeper()
    faults = Faults(kind=kind, path=f"/blobs/{image.manifest.layers[0].digest}", times=1000)

    async def go() -> None:
        await do_push(registry, image, "broken/app:v1")
        async with proxy(registry, faults) as port:
            await do_pull(port, keeper, "broken/app:v1")

    with pytest.raises(error):
        asyncio.run(go())
    assert keeper.images == []


def test_nobody_there_is_said_within_five_seconds() -> None:
    started = time.monotonic()
    with pytest.raises(RegistryUnreachable, match="connection refused"):
        asyncio.run(do_pull(free_port(), Keeper()))
    with pytest.raises(RegistryUnreachable, match=r"lookup nothing\.invalid: no such host|Client.Timeout exceeded"):
        asyncio.run(
            pull(
                Reference.parse("nothing.invalid/a:b"),
                Keeper(),
                platform=Platform(),
                credentials=NOBODY,
                settings=RegistrySettings(),
                tell=lambda _: None,
            )
        )
    assert time.monotonic() - started < 11


def test_a_cancelled_pull_leaves_no_sink_open(registry: int) -> None:
    image, keeper = Image(4), Keeper()

    async def go() -> None:
        await do_push(registry, image, "cancel/app:v1")
        async with proxy(registry, Faults(kind="429", times=1000)) as port:
            task = asyncio.create_task(do_pull(port, keeper, "cancel/app:v1"))
            await asyncio.sleep(0.5)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    asyncio.run(go())
    assert keeper.images == [] and keeper.open_sinks == 0


def test_basic_authentication(tmp_path: Path) -> None:
    htpasswd = shutil.which("htpasswd")
    if htpasswd is None:
        pytest.skip("htpasswd (apt apache2-utils) makes the registry's password file")
    line = subprocess.run([htpasswd, "-Bbn", "me", "secret"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "htpasswd").write_text(line)
    auth = f"auth:\n  htpasswd:\n    realm: test\n    path: {tmp_path}/htpasswd\n"
    with serving(tmp_path, auth) as port:
        me = Credentials("me", "secret")
        asyncio.run(do_push(port, Image(5), credentials=me))
        keeper = Keeper()
        asyncio.run(do_pull(port, keeper, credentials=me))
        assert len(keeper.images) == 1
        assert asyncio.run(log_in(f"127.0.0.1:{port}", me, RegistrySettings())) == "Login Succeeded"
        with pytest.raises(NotFoundInRegistry, match="pull access denied"):
            asyncio.run(do_pull(port, Keeper()))
        with pytest.raises(Unauthorized):
            asyncio.run(log_in(f"127.0.0.1:{port}", Credentials("me", "wrong"), RegistrySettings()))


def test_bearer_tokens_are_asked_for_with_the_scope_and_never_elsewhere(registry: int) -> None:
    """A small token server and gate before the real registry."""
    seen: list[str] = []

    async def go() -> None:
        await do_push(registry, Image(6), "gated/app:v1")
        holder: list[int] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
            except (asyncio.IncompleteReadError, ConnectionError):  # the client tries TLS first
                writer.close()
                return
            path = head.split(" ")[1]
            if path.startswith("/token"):
                seen.append(path)
                body = json.dumps({"token": "abc"}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            elif "Authorization: Bearer abc" not in head:
                realm = f'Bearer realm="http://127.0.0.1:{holder[0]}/token",service="s"'
                answer = (
                    f"HTTP/1.1 401 no\r\nWWW-Authenticate: {realm}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )
                writer.write(answer.encode())
            else:
                up_reader, up_writer = await asyncio.open_connection("127.0.0.1", registry)
                up_writer.write(head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").encode())
                writer.write(await up_reader.read())
                up_writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        holder.append(server.sockets[0].getsockname()[1])
        keeper = Keeper()
        await do_pull(holder[0], keeper, "gated/app:v1")
        assert len(keeper.images) == 1
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run(go())
    assert len(seen) == 1
    assert "scope=repository:gated/app:pull" in seen[0]
