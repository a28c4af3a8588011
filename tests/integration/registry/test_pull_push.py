"""Pull and push against a real registry on loopback, and through a proxy that fails in the ways registries do."""

import asyncio
import contextlib
import gzip
import hashlib
import json
import random
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hakobu.errors import HakobuError
from hakobu.registry.blob import Sink
from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import RegistrySettings
from hakobu.registry.failure import (
    AccessDenied,
    BlobMismatch,
    NotFoundInRegistry,
    RegistryFailed,
    RegistryUnreachable,
    Unauthorized,
)
from hakobu.registry.login import log_in
from hakobu.registry.pull import Resolved, pull
from hakobu.registry.push import Parcel, push
from hakobu.spec.descriptor import OCI_CONFIG, OCI_LAYER_GZIP, Descriptor
from hakobu.spec.digest import Digest
from hakobu.spec.image_config import new_config
from hakobu.spec.manifest import Manifest
from hakobu.spec.platform import Platform
from hakobu.spec.reference import Reference

from .faults import Faults, proxy
from .server import REGISTRY, Basic, free_port, serving

pytestmark = pytest.mark.skipif(REGISTRY is None, reason="docker-registry is not installed")
NOBODY = Credentials()
USUAL = RegistrySettings()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving(tmp_path_factory.mktemp("registry")) as found:
        yield found.port


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

    def parcel(self, *sources: str) -> Parcel:
        """`sources` are repositories that may lend the layers."""
        lenders = {layer.digest: sources for layer in self.manifest.layers}
        document = self.manifest.to_bytes()
        return Parcel(manifest=self.manifest, document=document, open_blob=self.open, labels={}, sources=lenders)

    async def open(self, descriptor: Descriptor, start: int) -> AsyncIterator[bytes]:
        data = self.blobs[descriptor.digest]
        for at in range(start, len(data), 65536):
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
        return any(i.named == resolved.named for i in self.images)

    async def commit(self, resolved: Resolved) -> None:
        self.images.append(resolved)


class KeptLayer:
    def __init__(self, keeper: Keeper, diff_id: Digest, layer: Descriptor) -> None:
        self.keeper, self.diff_id, self.layer, self.data = keeper, diff_id, layer, b""

    async def resume(self) -> int:
        return 0

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


async def do_push(
    port: int,
    image: Image,
    name: str = "team/app:v1",
    credentials: Credentials = NOBODY,
    settings: RegistrySettings = USUAL,
    sources: tuple[str, ...] = (),
) -> list[dict]:
    told: list[dict] = []
    parcel = image.parcel(*sources)
    await push(reference(port, name), parcel, credentials=credentials, settings=settings, tell=told.append)
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
    with serving(tmp_path, auth=Basic("me", "secret")) as found:
        me, port = Credentials("me", "secret"), found.port
        asyncio.run(do_push(port, Image(5), credentials=me))
        keeper = Keeper()
        asyncio.run(do_pull(port, keeper, credentials=me))
        assert len(keeper.images) == 1
        assert asyncio.run(log_in(f"127.0.0.1:{port}", me, RegistrySettings())) == ""
        with pytest.raises(NotFoundInRegistry, match=r"pull access denied.*no basic auth credentials"):
            asyncio.run(do_pull(port, Keeper()))
        with pytest.raises(AccessDenied, match=r"\Ano basic auth credentials\Z"):
            asyncio.run(do_push(port, Image(5)))
        with pytest.raises(Unauthorized, match=r"login attempt to http://.*/v2/ failed with status: 401 Unauthorized"):
            asyncio.run(log_in(f"127.0.0.1:{port}", Credentials("me", "wrong"), RegistrySettings()))


def requests(faults: Faults, method: str) -> list[str]:
    return [line.split(" ")[1] for line, _ in faults.log if line.startswith(method)]


def test_a_large_blob_goes_in_chunks_and_on_from_where_it_was_broken_off(registry: int) -> None:
    """The registry refuses the second chunk once: what it has of the first is not sent again."""
    image, keeper = Image(7), Keeper()
    faults = Faults(kind="500", method="PATCH", path="/blobs/uploads/", times=1, skip=1)
    settings = RegistrySettings(chunk_bytes=100_000, max_uploads=1)

    async def go() -> None:
        async with proxy(registry, faults) as port:
            await do_push(port, image, "chunks/app:v1", settings=settings)
        await do_pull(registry, keeper, "chunks/app:v1")

    asyncio.run(go())
    assert set(keeper.layers) == set(image.diff_ids)
    sent = [h["Content-Range"] for line, h in faults.log if line.startswith("PATCH")]
    assert sent == ["0-99999", "100000-199999", "100000-199999", "200000-299999"]
    assert len(requests(faults, "POST")) == 3  # one upload a blob, the broken one among them


def test_an_upload_that_the_registry_has_lost_begins_anew(registry: int) -> None:
    """Closed in the middle of a chunk: this registry then disowns the upload."""
    image, keeper = Image(8), Keeper()
    faults = Faults(kind="hangup", method="PATCH", path="/blobs/uploads/", times=1, skip=1)
    settings = RegistrySettings(chunk_bytes=100_000, max_uploads=1)

    async def go() -> None:
        async with proxy(registry, faults) as port:
            await do_push(port, image, "anew/app:v1", settings=settings)
        await do_pull(registry, keeper, "anew/app:v1")

    asyncio.run(go())
    assert set(keeper.layers) == set(image.diff_ids)
    assert len(requests(faults, "POST")) == 4


def test_a_push_that_is_refused_for_good_says_so(registry: int) -> None:
    async def go() -> None:
        async with proxy(registry, Faults(kind="429", method="POST", path="/blobs/uploads/", times=1000)) as port:
            await do_push(port, Image(9), "limit/app:v1", settings=RegistrySettings(attempts=2))

    started = time.monotonic()
    with pytest.raises(RegistryFailed, match=r"status 429 Too Many Requests \(2 attempts\)"):
        asyncio.run(go())
    assert time.monotonic() - started >= 1  # it asked for a second


def test_a_blob_is_lent_by_a_repository_that_has_it(registry: int) -> None:
    image, keeper = Image(10), Keeper()
    faults = Faults()

    async def go() -> list[dict]:
        await do_push(registry, image, "lend/base:v1")
        async with proxy(registry, faults) as port:
            told = await do_push(port, image, "borrow/app:v1", sources=("lend/nothing", "lend/base"))
        await do_pull(registry, keeper, "borrow/app:v1")
        return told

    assert "Mounted from lend/base" in statuses(asyncio.run(go()))
    assert set(keeper.layers) == set(image.diff_ids)
    assert len(requests(faults, "PUT")) == 2  # the configuration and the manifest
    assert len(requests(faults, "DELETE")) == 2  # what began where the first repository had nothing to lend


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
